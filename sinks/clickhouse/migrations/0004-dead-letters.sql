-- 0004: what could not be billed, whole, with the reason. Known by its place in the log. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.dead_letters ${on_cluster}
(
    topic_epoch UInt16 COMMENT 'Place in the log, 1 of 4: epoch of the topic',
    source_partition UInt16 COMMENT 'Place in the log, 2 of 4: Kafka partition',
    source_offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'Place in the log, 3 of 4: Kafka offset of the record',
    batch_index UInt32 COMMENT 'Place in the log, 4 of 4: position inside a columnar batch, 0 for a record of one event',
    record_time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'When Kafka appended the record',
    reason LowCardinality(String) COMMENT 'Stable code of what was wrong',
    detail String CODEC(ZSTD(1)) COMMENT 'One sentence: what was wrong, where, what to do',
    record_key Nullable(String) CODEC(ZSTD(1)) COMMENT 'Key of the record, byte for byte; null when it had none',
    record_value Nullable(String) CODEC(ZSTD(1)) COMMENT 'Value of the record, byte for byte (of a columnar batch: this event alone); null when it had none',
    record_headers String CODEC(ZSTD(1)) COMMENT 'Headers of the record: JSON array of [name, base64 of the value]'
)
ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(record_time)
ORDER BY (topic_epoch, source_partition, source_offset, batch_index)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Events that could not be billed, kept whole so that they can be mended and published again. Read with FINAL.'
