-- 0021: what tenants have used since their Builder's last closed period, for analysts. Writers may run.
-- As rules charged it, and no more: what makes a statement of it (plans, allowances, tiers, caps, credits, tax, exchange
-- rates, late usage of closed periods) is no SQL and stands in `tollstream balance`, which is the arithmetic of closing.
CREATE OR REPLACE VIEW ${database}.usage_since_last_statement ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant who pays',
    since DateTime('UTC') COMMENT 'End of the last closed period of the Builder; 1970 where nothing was closed yet',
    newest_window DateTime('UTC') COMMENT 'Start of the newest billing window with usage',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of customer_charge',
    net_events Int64 COMMENT 'Usage events minus voids',
    unpriced_events Int64 COMMENT 'Of net_events, those that wait for a price and are not in customer_charge',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit',
    customer_charge Decimal(38, 12) COMMENT 'What rules charge for it, not rounded: before allowances, tiers, caps, credits and tax'
)
AS SELECT
    t.builder AS builder, t.tenant AS tenant, c.closed_until AS since, max(t.window_start) AS newest_window,
    t.currency AS currency,
    sum(t.net_events) AS net_events,
    sum(t.unpriced_events) AS unpriced_events,
    sumMap(t.usage) AS usage,
    sum(t.customer_charge) AS customer_charge
FROM ${database}.usage_totals AS t FINAL
LEFT JOIN
(
    SELECT builder, max(period_end) AS closed_until FROM ${database}.closed_periods GROUP BY builder
) AS c ON t.builder = c.builder
WHERE t.window_start >= c.closed_until
GROUP BY t.builder, t.tenant, c.closed_until, t.currency
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What each tenant has used since the last closed period: spend so far, as rules charge it.'
