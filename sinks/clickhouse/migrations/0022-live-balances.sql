-- 0022: what each tenant has used of allowances, credits and cap so far, for analysts. Writers may run.
-- Plans and credits are no SQL, so the numbers are not computed here: whoever watches balances (`tollstream alerts`)
-- keeps what the arithmetic of closing answered, tenant by tenant, whenever something of a tenant changes.
CREATE TABLE IF NOT EXISTS ${database}.live_balances ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app the tenant uses',
    tenant String COMMENT 'Tenant whose balance it is',
    period LowCardinality(String) COMMENT 'Label of the period that ran at as_of',
    period_start DateTime('UTC') COMMENT 'Its start',
    period_end DateTime('UTC') COMMENT 'Its end, exclusive',
    as_of DateTime64(6, 'UTC') COMMENT 'Moment of the balance, by the clock of the store; the newest one stands',
    plan LowCardinality(String) COMMENT 'Id of the plan that the tenant has now; empty: none',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of total: that of the statement',
    total Decimal(38, 12) COMMENT 'What the statement would come to, tax included, if nothing more came in',
    charge_currency LowCardinality(String) COMMENT 'ISO 4217 code of spent, and of credits and caps in money',
    spent Decimal(38, 12) COMMENT 'Usage after tiers, allowances and cap, before credits',
    kind Array(LowCardinality(String)) COMMENT 'Of each standing: allowance, credit or cap',
    item Array(String) COMMENT 'Of each standing: plan/allowance, id of the grant, or cap',
    label Array(String) COMMENT 'Of each standing: its name for people',
    unit Array(LowCardinality(String)) COMMENT 'Of each standing: a meter, or a currency for money',
    used Array(Decimal(38, 12)) COMMENT 'Of each standing: what is used, in unit',
    limit Array(Decimal(38, 12)) COMMENT 'Of each standing: what there is of it, in unit',
    refusal String COMMENT 'Why there is no balance, such as a missing exchange rate; empty: there is one'
)
ENGINE = ${replicated}ReplacingMergeTree(as_of)
ORDER BY (builder, tenant)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Newest balance of each tenant, kept by whoever publishes alerts. Ask the views balances and balance_items.'
-- next statement
CREATE OR REPLACE VIEW ${database}.balances ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app the tenant uses',
    tenant String COMMENT 'Tenant whose balance it is',
    period LowCardinality(String) COMMENT 'Label of the period that runs',
    as_of DateTime64(6, 'UTC') COMMENT 'Moment of the balance, by the clock of the store',
    plan LowCardinality(String) COMMENT 'Id of the plan that the tenant has; empty: none',
    spent Decimal(38, 12) COMMENT 'Usage so far after tiers, allowances and cap, before credits, in charge_currency',
    charge_currency LowCardinality(String) COMMENT 'ISO 4217 code of spent',
    total Decimal(38, 12) COMMENT 'What the statement would come to, tax included, if nothing more came in',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of total',
    refusal String COMMENT 'Why there is no balance; empty: there is one'
)
AS SELECT builder, tenant, period, as_of, plan, spent, charge_currency, total, currency, refusal
FROM ${database}.live_balances FINAL
WHERE period_end > now()
COMMENT 'Spend so far of each tenant, as of its last change: the statement if nothing more came in.'
-- next statement
CREATE OR REPLACE VIEW ${database}.balance_items ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app the tenant uses',
    tenant String COMMENT 'Tenant whose balance it is',
    period LowCardinality(String) COMMENT 'Label of the period that runs',
    as_of DateTime64(6, 'UTC') COMMENT 'Moment of the balance, by the clock of the store',
    kind LowCardinality(String) COMMENT 'allowance, credit or cap',
    item String COMMENT 'plan/allowance, id of the grant, or cap',
    label String COMMENT 'Its name for people',
    unit LowCardinality(String) COMMENT 'A meter, or a currency for money',
    used Decimal(38, 12) COMMENT 'What is used of it, in unit',
    limit Decimal(38, 12) COMMENT 'What there is of it, in unit',
    left Decimal(38, 12) COMMENT 'What is left of it, in unit: never below 0'
)
AS SELECT
    builder, tenant, period, as_of,
    each_kind AS kind, each_item AS item, each_label AS label, each_unit AS unit, each_used AS used,
    each_limit AS limit, greatest(each_limit - each_used, toDecimal128(0, 12)) AS left
FROM ${database}.live_balances FINAL
ARRAY JOIN
    live_balances.kind AS each_kind, live_balances.item AS each_item, live_balances.label AS each_label,
    live_balances.unit AS each_unit, live_balances.used AS each_used, live_balances.limit AS each_limit
WHERE period_end > now()
COMMENT 'Each allowance, credit and cap of each tenant: used, of how much, and what is left.'
