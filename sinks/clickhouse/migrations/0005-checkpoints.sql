-- 0005: how far each partition is done. Of one partition the greatest next_offset is the truth. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.checkpoints ${on_cluster}
(
    topic_epoch UInt16 COMMENT 'Epoch of the topic',
    source_partition UInt16 COMMENT 'Kafka partition',
    next_offset Int64 COMMENT 'First offset not yet done: the version of this row. All counts are of offsets below it, from the start of the epoch',
    events Int64 COMMENT 'Events passed = accepted + duplicates + dead_lettered',
    accepted Int64 COMMENT 'Events that have a ledger row',
    duplicates Int64 COMMENT 'Events sent again with the same content, and not billed again',
    dead_lettered Int64 COMMENT 'Events that could not be billed',
    voids Int64 COMMENT 'Of accepted, those that take back another event',
    adjustments Int64 COMMENT 'Of accepted, those that correct amounts',
    unpriced Int64 COMMENT 'Of accepted, those that were without a price when they came',
    max_record_time DateTime64(6, 'UTC') COMMENT 'Latest time at which Kafka appended one of these records',
    worker String COMMENT 'Worker that wrote it'
)
ENGINE = ${replicated}ReplacingMergeTree(next_offset)
ORDER BY (topic_epoch, source_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far each partition is done, and what became of its events. Read with FINAL.'
