-- 0019: what was agreed with payees, and each attempt to pay them. Writers may run.
-- Journals as in 0014: an entry has a place that one writer gets, so that of two who pay the second sees the first.
CREATE TABLE IF NOT EXISTS ${database}.payout_terms ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder with whom it was agreed',
    sequence UInt32 COMMENT 'Place among the terms of the Builder, from 1; the first row recorded at a place has it',
    version String COMMENT 'Version, unique for the Builder',
    effective_from DateTime64(6, 'UTC') COMMENT 'Holds for periods that end after this time, until the next version does',
    digest String COMMENT 'SHA-256 of content; another content under the same version is refused',
    content String CODEC(ZSTD(3)) COMMENT 'The whole file: thresholds by currency, days held, the part of a chargeback that the Builder carries',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who published it',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Terms of payouts, by Builder: append-only.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.payout_sends ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder of the payout; empty: a reward',
    payout_id String COMMENT 'Which payout or reward',
    sequence UInt32 COMMENT 'Place among the entries of the payout, from 1; the first row recorded at a place has it',
    state LowCardinality(String) COMMENT 'sent: somebody is paying it, or broke off; answered: the command has ended; released: a person says that it was not paid',
    command String COMMENT 'What is to pay it; empty: somebody does by hand',
    exit_code Nullable(Int32) COMMENT 'Of the command, once it has answered; below 0: the signal that ended it; null: none',
    reference String COMMENT 'What the command calls the payment',
    output String COMMENT 'The end of what the command wrote, for whoever has to find out what happened',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who pays, or says what happened',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, payout_id, sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Attempts to pay, recorded before anything is sent: append-only. One that was sent and is neither answered nor paid has to be resolved by a person.'
