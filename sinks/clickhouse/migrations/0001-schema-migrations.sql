-- 0001: which migrations this database has, and what each file was when it was applied. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.schema_migrations ${on_cluster}
(
    version UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'File name, without its folder',
    sha256 String COMMENT 'SHA-256 of the file as it was applied; a file with another one is refused',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY version
COMMENT 'Migrations applied to this database, one row each'
