-- 0006: what every row of an epoch depends on, pinned when it starts. The first row of an epoch stands. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.topic_epochs ${on_cluster}
(
    topic_epoch UInt16 COMMENT 'Number of the epoch',
    topic String COMMENT 'Kafka topic of raw events',
    partitions UInt16 COMMENT 'Partitions of the topic',
    window_seconds UInt32 COMMENT 'Length of a billing window, in seconds',
    dedup_horizon_seconds UInt32 COMMENT 'Age beyond which an event is too late, in seconds',
    future_skew_seconds UInt32 COMMENT 'How far ahead of its record an event may be, in seconds',
    pinned_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When it was recorded; the earliest stands'
)
ENGINE = ${replicated}MergeTree
ORDER BY (topic_epoch, pinned_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Parameters of each topic epoch. They never change: start a new epoch instead.'
