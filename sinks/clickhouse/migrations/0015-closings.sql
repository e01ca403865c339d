-- 0015: periods that were closed, and the usage that each closing froze. Writers may run.
CREATE TABLE IF NOT EXISTS ${database}.closings ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose period is closed',
    sequence UInt32 COMMENT 'Place among the entries of the Builder, from 1; the first row recorded at a place has it',
    closing_id String COMMENT 'Which attempt; what it writes carries this id, and counts once it is closed',
    period String COMMENT 'Label of the period, such as 2026-10',
    period_start DateTime('UTC') COMMENT 'Start of the period: windows in [start, end)',
    period_end DateTime('UTC') COMMENT 'End of the period, exclusive',
    cycle String COMMENT 'JSON: how the Builder cuts periods: kind, zone, anchor',
    attempt UInt32 COMMENT 'From 1; a closing that broke off before it was frozen is attempted again',
    state LowCardinality(String) COMMENT 'planned: somebody closes; frozen: the input is fixed; numbered: it has its first number; written: every statement stands; closed: they count; abandoned: nothing of the attempt counts',
    by String COMMENT 'Who did that',
    reason String COMMENT 'Why, for whoever audits it; of an abandoned attempt what stopped it',
    overrides String COMMENT 'JSON: what was found wrong and accepted: lag, unpriced, residual, by whom and why',
    cut String COMMENT 'JSON: epoch/partition -> offset below which usage was looked at; empty until frozen',
    inputs String COMMENT 'JSON: places of plan books, rates and grants that it is made from, and what rules say to customers',
    tenants UInt64 COMMENT 'Tenants looked at',
    frozen_rows UInt64 COMMENT 'Rows of the frozen copy of usage',
    frozen_checksum UInt64 COMMENT 'Sum of the hashes of these rows',
    first_number UInt64 COMMENT 'Number of its first statement',
    statements UInt64 COMMENT 'How many statements; they are numbered without gaps',
    sums String COMMENT 'JSON: currency -> net, tax, total, paid, due of all statements, exact decimals as text',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store; that of frozen is the date of the statements'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Who closed which period, over what was wrong, and how far it got: append-only. A period of a Builder is closed once.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.closing_usage ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    closing_id String COMMENT 'The closing that froze it',
    tenant String COMMENT 'Tenant who pays',
    period_start DateTime('UTC') COMMENT 'Start of the period in which the usage lies: that of the closing, or one that was closed before',
    reason LowCardinality(String) COMMENT 'Empty: usage of the closing''s own period; late | void | rerate: what changed a period that was closed before',
    rule_id LowCardinality(String) COMMENT 'Surcharge rule; empty: corrected by hand while it waited for a price',
    provider LowCardinality(String) COMMENT 'Provider who served; empty when none was needed',
    feature LowCardinality(String) COMMENT 'Feature of the app; empty when not given',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts; empty: that of the plan book',
    net_events Int64 COMMENT 'Usage events minus voids',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit',
    customer_charge Decimal(38, 12) COMMENT 'What the tenant pays = provider_reward + platform_fee + builder_earnings',
    provider_reward Decimal(38, 12) COMMENT 'What the provider gets',
    platform_fee Decimal(38, 12) COMMENT 'What the platform keeps',
    builder_earnings Decimal(38, 12) COMMENT 'What the Builder earns; negative when the Builder funds the usage',
    CONSTRAINT adds_up CHECK customer_charge = provider_reward + platform_fee + builder_earnings
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, closing_id, tenant, period_start, reason, rule_id, provider, feature, currency)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 2048
COMMENT 'Totals as closings have frozen them, and the differences to what was billed before. Rows of one key are added up.'
-- next statement
CREATE OR REPLACE VIEW ${database}.closed_periods ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder',
    closing_id String COMMENT 'The closing that counts',
    sequence UInt32 COMMENT 'Place of the entry that says so',
    period String COMMENT 'Label of the period',
    period_start DateTime('UTC') COMMENT 'Start of the period',
    period_end DateTime('UTC') COMMENT 'End of the period, exclusive',
    first_number UInt64 COMMENT 'Number of its first statement',
    statements UInt64 COMMENT 'How many statements',
    closed_at DateTime64(6, 'UTC') COMMENT 'When it was closed'
)
AS SELECT builder, closing_id, sequence, period, period_start, period_end, first_number, statements, recorded_at AS closed_at
FROM
(
    SELECT * FROM ${database}.closings ORDER BY builder, sequence, recorded_at LIMIT 1 BY builder, sequence
)
WHERE state = 'closed'
COMMENT 'Periods that are closed, by Builder: what their closings have written counts, and nothing else does.'
-- next statement
CREATE OR REPLACE VIEW ${database}.billed_usage ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant String COMMENT 'Tenant who pays',
    period_start DateTime('UTC') COMMENT 'Start of the period in which the usage lies',
    rule_id LowCardinality(String) COMMENT 'Surcharge rule',
    provider LowCardinality(String) COMMENT 'Provider who served',
    feature LowCardinality(String) COMMENT 'Feature of the app',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    closing_id String COMMENT 'The closing that billed it',
    reason LowCardinality(String) COMMENT 'Empty, or what changed: late | void | rerate',
    net_events Int64 COMMENT 'Usage events minus voids',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit',
    customer_charge Decimal(38, 12) COMMENT 'As the rules charged it: plans and credits come on top',
    provider_reward Decimal(38, 12) COMMENT 'What the provider gets',
    platform_fee Decimal(38, 12) COMMENT 'What the platform keeps',
    builder_earnings Decimal(38, 12) COMMENT 'What the Builder earns'
)
AS SELECT
    builder, tenant, period_start, rule_id, provider, feature, currency, closing_id, reason,
    net_events, usage, customer_charge, provider_reward, platform_fee, builder_earnings
FROM ${database}.closing_usage
WHERE closing_id IN (SELECT closing_id FROM ${database}.closed_periods)
COMMENT 'What closed statements have billed, closing by closing: its sum over a period is what the period was billed as.'
