-- 0016: statements, their lines, draws and postings. Writers may run.
-- What a closing writes is a function of what it froze, so whoever repeats it writes equal rows. A set of postings is
-- one row, so that the engine itself can refuse one that does not add up to 0.
CREATE TABLE IF NOT EXISTS ${database}.statements ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder who bills',
    tenant String COMMENT 'Tenant who pays',
    period_start DateTime('UTC') COMMENT 'Start of the period',
    number UInt64 COMMENT 'From 1, without gaps, for each Builder',
    closing_id String COMMENT 'The closing that wrote it; it counts if that is closed',
    reference String COMMENT 'Number as it is written: <builder>-000042',
    period String COMMENT 'Label of the period',
    period_end DateTime('UTC') COMMENT 'End of the period, exclusive',
    issued_at DateTime64(6, 'UTC') COMMENT 'Date of the statement: when its input was frozen',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    charge_currency LowCardinality(String) COMMENT 'ISO 4217 code of what usage is priced in',
    net Decimal(38, 12) COMMENT 'Sum of the lines, rounded to the currency''s smallest unit',
    tax Decimal(38, 12) COMMENT 'Tax on the net',
    total Decimal(38, 12) COMMENT 'net + tax',
    paid Decimal(38, 12) COMMENT 'Collected already, when top-ups were bought',
    due Decimal(38, 12) COMMENT 'total - paid; below 0: a credit balance of the tenant',
    lines UInt32 COMMENT 'How many lines',
    document String CODEC(ZSTD(3)) COMMENT 'JSON: the whole statement, amounts as text',
    INDEX by_number number TYPE minmax GRANULARITY 1,
    INDEX by_tenant tenant TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT adds_up CHECK total = net + tax AND due = total - paid
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (builder, period_start, tenant, number, closing_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 512
COMMENT 'Statements. Read with FINAL and only those of closed periods, or through the view issued_statements.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.statement_lines ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder who bills',
    tenant String COMMENT 'Tenant who pays',
    period_start DateTime('UTC') COMMENT 'Start of the statement''s period',
    number UInt64 COMMENT 'Number of the statement',
    closing_id String COMMENT 'The closing that wrote it; it counts if that is closed',
    position UInt32 COMMENT 'Place on the statement, from 1',
    key String COMMENT 'What the line is about, unique on the statement: usage/<rule>',
    kind LowCardinality(String) COMMENT 'subscription | usage | tier | allowance | minimum | cap | credit | adjustment | top_up | tax | payment',
    label String COMMENT 'In the words of the customer',
    unit LowCardinality(String) COMMENT 'Word for what quantity counts; empty where nothing is counted',
    quantity Nullable(Decimal(38, 6)) COMMENT 'In the unit; null where nothing is counted',
    unit_price Nullable(Decimal(38, 12)) COMMENT 'What one unit came to, in currency; null where nothing is counted',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    amount Decimal(38, 12) COMMENT 'Rounded to the currency''s smallest unit; lines add up to the net of the statement, tax and payments aside',
    exact Decimal(38, 12) COMMENT 'The same before rounding',
    charge_currency LowCardinality(String) COMMENT 'ISO 4217 code of charge',
    charge Decimal(38, 12) COMMENT 'The same before conversion',
    reason String COMMENT 'What creates the charge, or takes it off',
    refers_to String COMMENT 'Rule, grant, allowance, or the period that it adjusts'
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (builder, period_start, tenant, number, closing_id, position)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 2048
COMMENT 'Lines of statements. Read with FINAL, and only those of closed periods.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.credit_draws ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder who bills',
    tenant String COMMENT 'Tenant whose grant it is',
    grant_id String COMMENT 'The grant',
    closing_id String COMMENT 'The closing that drew; it counts if that is closed',
    position UInt32 COMMENT 'Place among the draws of the statement, from 1',
    number UInt64 COMMENT 'Number of the statement',
    kind LowCardinality(String) COMMENT 'sold | drawn | expired',
    period String COMMENT 'Label of the period whose usage it pays; of the statement for sold and expired',
    line String COMMENT 'Rule that it pays for, or minimum; empty for sold and expired',
    quantity Decimal(38, 12) COMMENT 'Units of the grant, or money; below 0: given back',
    amount Decimal(38, 12) COMMENT 'How much less the tenant pays; of sold the price',
    earned Decimal(38, 12) COMMENT 'What of the price became earned'
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (builder, tenant, grant_id, closing_id, position)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 2048
COMMENT 'What statements took of credits. Read with FINAL, and only those of closed periods.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.posting_sets ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose books these are',
    document_kind LowCardinality(String) COMMENT 'statement | credit_note | refund | write_off | chargeback | payout | reward, and what comes later',
    document String COMMENT 'What was posted: reference of the statement, id of the note or payout',
    closing_id String COMMENT 'The closing that posted it, and only if that is closed; empty: it counts by itself',
    tenant String COMMENT 'Tenant that it is about; empty: none',
    period String COMMENT 'Label of the period; empty: none',
    period_start DateTime('UTC') COMMENT 'Start of that period; 1970 without one',
    posted_at DateTime64(6, 'UTC') COMMENT 'Date of the document',
    account Array(LowCardinality(String)) COMMENT 'One element for each posting: its account',
    party Array(String) COMMENT 'Whose account',
    currency Array(LowCardinality(String)) COMMENT 'ISO 4217 code of the amount',
    refers_to Array(String) COMMENT 'What for: usage, subscription, adjustment 2026-09',
    amount Array(Decimal(38, 12)) COMMENT 'Above 0 a debit, below 0 a credit',
    CONSTRAINT one_of_each CHECK length(account) = length(party) AND length(account) = length(currency) AND length(account) = length(refers_to) AND length(account) = length(amount),
    CONSTRAINT balanced CHECK arrayAll(one -> arraySum((value, code) -> if(code = one, value, toDecimal128(0, 12)), amount, currency) = 0, arrayDistinct(currency)),
    CONSTRAINT no_zeros CHECK NOT has(amount, toDecimal128(0, 12)),
    CONSTRAINT currencies CHECK arrayAll(code -> length(code) = 3 AND code = upper(code), currency)
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (builder, document_kind, period_start, tenant, document, closing_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024
COMMENT 'Postings of a document, all in one row: the engine refuses a set that does not add up to 0 in every currency.'
-- next statement
CREATE OR REPLACE VIEW ${database}.postings ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose books these are',
    document_kind LowCardinality(String) COMMENT 'statement | credit_note | refund | write_off | chargeback | payout | reward',
    document String COMMENT 'What was posted',
    tenant String COMMENT 'Tenant that it is about; empty: none',
    period String COMMENT 'Label of the period; empty: none',
    period_start DateTime('UTC') COMMENT 'Start of that period; 1970 without one',
    posted_at DateTime64(6, 'UTC') COMMENT 'Date of the document',
    account LowCardinality(String) COMMENT 'Account',
    party String COMMENT 'Whose account',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amount',
    refers_to String COMMENT 'What for',
    amount Decimal(38, 12) COMMENT 'Above 0 a debit, below 0 a credit'
)
AS SELECT
    builder, document_kind, document, tenant, period, period_start, posted_at,
    each.1 AS account, each.2 AS party, each.3 AS currency, each.4 AS refers_to, each.5 AS amount
FROM ${database}.posting_sets AS sets FINAL
ARRAY JOIN arrayZip(sets.account, sets.party, sets.currency, sets.refers_to, sets.amount) AS each
WHERE closing_id = '' OR closing_id IN (SELECT closing_id FROM ${database}.closed_periods)
COMMENT 'Every posting that counts, one a row.'
-- next statement
CREATE OR REPLACE VIEW ${database}.unbalanced_postings ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose books these are',
    document_kind LowCardinality(String) COMMENT 'What kind of document',
    document String COMMENT 'Which document',
    currency LowCardinality(String) COMMENT 'ISO 4217 code',
    residual Decimal(38, 12) COMMENT 'What its postings add up to, and should not'
)
AS SELECT builder, document_kind, document, currency, sum(amount) AS residual
FROM ${database}.postings
GROUP BY builder, document_kind, document, currency
HAVING residual != 0
COMMENT 'Documents whose postings do not add up to 0: empty, or something is very wrong.'
-- next statement
CREATE OR REPLACE VIEW ${database}.issued_statements ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder who bills',
    tenant String COMMENT 'Tenant who pays',
    period String COMMENT 'Label of the period',
    period_start DateTime('UTC') COMMENT 'Start of the period',
    period_end DateTime('UTC') COMMENT 'End of the period, exclusive',
    number UInt64 COMMENT 'From 1, without gaps, for each Builder',
    reference String COMMENT 'Number as it is written',
    issued_at DateTime64(6, 'UTC') COMMENT 'Date of the statement',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    net Decimal(38, 12) COMMENT 'Sum of the lines',
    tax Decimal(38, 12) COMMENT 'Tax on the net',
    total Decimal(38, 12) COMMENT 'net + tax',
    paid Decimal(38, 12) COMMENT 'Collected already',
    due Decimal(38, 12) COMMENT 'total - paid',
    lines UInt32 COMMENT 'How many lines'
)
AS SELECT
    builder, tenant, period, period_start, period_end, number, reference, issued_at, currency,
    net, tax, total, paid, due, lines
FROM ${database}.statements FINAL
WHERE closing_id IN (SELECT closing_id FROM ${database}.closed_periods)
COMMENT 'Statements of closed periods.'
