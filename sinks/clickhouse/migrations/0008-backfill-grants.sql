-- 0008: who let which old events in, and why. The first row of a grant stands. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.backfill_grants ${on_cluster}
(
    grant_id String COMMENT 'Identity of the grant',
    source String COMMENT 'CloudEvents source that it covers',
    event_time_from DateTime64(6, 'UTC') COMMENT 'Event times covered: [from, to)',
    event_time_to DateTime64(6, 'UTC') COMMENT 'Event times covered: [from, to)',
    valid_from DateTime64(6, 'UTC') COMMENT 'Records covered, by the time Kafka appended them: [from, to)',
    valid_to DateTime64(6, 'UTC') COMMENT 'Records covered, by the time Kafka appended them: [from, to)',
    granted_by String COMMENT 'Who granted it',
    reason String COMMENT 'Why',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When it was recorded; the earliest stands'
)
ENGINE = ${replicated}MergeTree
ORDER BY (grant_id, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Permissions for events older than the dedup horizon.'
