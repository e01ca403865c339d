-- 0018: who may look at what through the console. Writers may run.
-- A journal as in 0014: an entry has a place (token, state) that one writer gets, so a token is issued and revoked once.
CREATE TABLE IF NOT EXISTS ${database}.console_tokens ${on_cluster}
(
    token_id String COMMENT 'Public part of the token, by which it is listed and revoked',
    state LowCardinality(String) COMMENT 'issued | revoked',
    digest String COMMENT 'SHA-256 of the whole token, hexadecimal: the token itself is kept nowhere; empty of a revocation',
    role LowCardinality(String) COMMENT 'operator: sees everything; builder: its own; tenant: its own, and no earnings',
    builder String COMMENT 'Builder whose data it opens; empty: all',
    tenant String COMMENT 'Tenant whose data it opens; empty: all of the Builder',
    label String COMMENT 'Who or what uses it',
    expires_at Nullable(DateTime64(6, 'UTC')) COMMENT 'From then on it opens nothing; null: it does not expire',
    recorded_by String COMMENT 'Who issued or revoked it',
    reason String COMMENT 'Why, for whoever audits it',
    record_id String COMMENT 'Drawn by whoever recorded it: tells whose entry stands',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store',
    CONSTRAINT whose CHECK (role = 'operator' AND builder = '' AND tenant = '') OR (role = 'builder' AND builder != '' AND tenant = '') OR (role = 'tenant' AND builder != '' AND tenant != '')
)
ENGINE = ${replicated}MergeTree
ORDER BY (token_id, state, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Tokens of the console, as they were issued and revoked: append-only, hashes only.'
