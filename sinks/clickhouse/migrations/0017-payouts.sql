-- 0017: what is paid out, what was paid, and what was corrected on statements afterwards. Writers may run.
-- Journals as in 0014: an entry has a place that one writer gets.
CREATE TABLE IF NOT EXISTS ${database}.payouts ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose statements it comes from',
    sequence UInt32 COMMENT 'Place among the payouts and rewards of the Builder, from 1; the first row recorded at a place has it',
    payout_id String COMMENT 'Which payout',
    kind LowCardinality(String) COMMENT 'payout: to the Builder; reward: to a provider',
    party String COMMENT 'Who is paid: the Builder, or the provider',
    period String COMMENT 'Label of the period',
    period_start DateTime('UTC') COMMENT 'Start of the period',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    amount Decimal(38, 12) COMMENT 'What is paid; 0: all of it is carried',
    carried Decimal(38, 12) COMMENT 'What the next one begins with: below the threshold, or negative',
    due_at DateTime64(6, 'UTC') COMMENT 'When it may be paid: after the days it is held',
    document String CODEC(ZSTD(3)) COMMENT 'JSON: the whole statement of the payout, amounts as text',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who decided it',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Payouts of Builders and rewards of providers, as they were decided: append-only. Their postings are in posting_sets.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.payout_marks ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder of the payout',
    payout_id String COMMENT 'Which payout',
    reference String COMMENT 'What the payment is called outside, such as the bank''s reference; the first row of a payout stands',
    paid_at DateTime64(6, 'UTC') COMMENT 'When it was paid',
    record_id String COMMENT 'Drawn by whoever recorded it: tells whose mark stands',
    recorded_by String COMMENT 'Who says so',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, payout_id, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Payouts that were paid: once each.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.notes ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder who bills',
    sequence UInt32 COMMENT 'Place among the notes of the Builder, from 1: their number, without gaps; the first row recorded at a place has it',
    note_id String COMMENT 'Number as it is written',
    kind LowCardinality(String) COMMENT 'credit_note | refund | write_off | chargeback',
    tenant String COMMENT 'Tenant that it is about',
    statement String COMMENT 'Reference of the statement that it corrects',
    period String COMMENT 'Label of that statement''s period',
    period_start DateTime('UTC') COMMENT 'Start of that period',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    amount Decimal(38, 12) COMMENT 'Above 0: what the tenant gets back, or no longer owes',
    fee Decimal(38, 12) COMMENT 'Of a chargeback: what the bank asks for it',
    line String COMMENT 'Key of the line that it is about; empty: the whole statement',
    reference String COMMENT 'What it is called outside, such as the bank''s case; empty: nothing',
    document String CODEC(ZSTD(3)) COMMENT 'JSON: the whole note, amounts as text',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who made it',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Credit notes, refunds, write-offs and chargebacks: append-only. Their postings are in posting_sets.'
