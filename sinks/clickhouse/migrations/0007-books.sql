-- 0007: every price book and rule book that ever rated, whole. The first row of a version stands. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.books ${on_cluster}
(
    kind LowCardinality(String) COMMENT 'prices | rules',
    version String COMMENT 'Version, as ledger rows name it in price_version or rule_version',
    effective_from DateTime64(6, 'UTC') COMMENT 'Applies to events from this time on, until the next version does',
    digest String COMMENT 'SHA-256 of content; another content under the same version is refused',
    content String CODEC(ZSTD(3)) COMMENT 'The whole file',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When a worker first used it; the earliest stands'
)
ENGINE = ${replicated}MergeTree
ORDER BY (kind, version, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Price books and surcharge rules as they were when first used.'
