DROP TABLE IF EXISTS ${database}.rerates ${on_cluster} SYNC
-- next statement
ALTER TABLE ${database}.usage_ledger ${on_cluster} COMMENT COLUMN pricing 'rated | unpriced; unpriced rows wait for a price and have null amounts'
-- next statement
CREATE OR REPLACE VIEW ${database}.unpriced_usage ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant who will pay once there is a price',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    provider LowCardinality(String) COMMENT 'Provider who served the inference',
    model LowCardinality(String) COMMENT 'Model that was served',
    mode LowCardinality(String) COMMENT 'Tier as served',
    unpriced_reason LowCardinality(String) COMMENT 'no_price | no_book | no_rule | no_model',
    net_events Int64 COMMENT 'Usage events minus voids, never 0 here',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit'
)
AS SELECT
    builder, tenant, window_start, provider, model, mode, unpriced_reason,
    sum(multiIf(kind = 'usage', 1, kind = 'void', -1, 0)) AS net_events,
    sumMap(l.usage) AS usage
FROM ${database}.usage_ledger AS l FINAL
WHERE pricing = 'unpriced'
GROUP BY builder, tenant, window_start, provider, model, mode, unpriced_reason
HAVING net_events != 0
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Usage in quarantine: kept and visible, billed once a price exists.'
-- next statement
CREATE OR REPLACE VIEW ${database}.reconciliation_by_key ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant who pays',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    workspace LowCardinality(String) COMMENT 'Workspace of the tenant',
    feature LowCardinality(String) COMMENT 'Feature of the app',
    provider LowCardinality(String) COMMENT 'Provider who served',
    model LowCardinality(String) COMMENT 'Model that was served',
    mode LowCardinality(String) COMMENT 'Tier as served',
    rule_id LowCardinality(String) COMMENT 'Surcharge rule',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    topic_epoch UInt16 COMMENT 'Epoch of the topic',
    source_partition UInt16 COMMENT 'Kafka partition',
    ledger_rows Int64 COMMENT 'Ledger rows, counted in the ledger',
    totals_rows Int64 COMMENT 'Ledger rows, as the total says',
    ledger_net_events Int64 COMMENT 'Usage events minus voids, counted in the ledger',
    totals_net_events Int64 COMMENT 'Usage events minus voids, as the total says',
    ledger_unpriced_events Int64 COMMENT 'Of these, without a price, counted in the ledger',
    totals_unpriced_events Int64 COMMENT 'Of these, without a price, as the total says',
    ledger_customer_charge Decimal(38, 12) COMMENT 'customer_charge, added up from the ledger',
    totals_customer_charge Decimal(38, 12) COMMENT 'customer_charge, as the total says',
    ledger_provider_reward Decimal(38, 12) COMMENT 'provider_reward, added up from the ledger',
    totals_provider_reward Decimal(38, 12) COMMENT 'provider_reward, as the total says',
    ledger_platform_fee Decimal(38, 12) COMMENT 'platform_fee, added up from the ledger',
    totals_platform_fee Decimal(38, 12) COMMENT 'platform_fee, as the total says',
    ledger_builder_earnings Decimal(38, 12) COMMENT 'builder_earnings, added up from the ledger',
    totals_builder_earnings Decimal(38, 12) COMMENT 'builder_earnings, as the total says',
    ledger_usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity, added up from the ledger',
    totals_usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity, as the total says',
    imbalance Decimal(38, 12) COMMENT 'Sum over ledger rows of |customer_charge - provider_reward - platform_fee - builder_earnings|'
)
AS SELECT
    builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
    topic_epoch, source_partition,
    sum(figures.l_rows) AS ledger_rows, sum(figures.t_rows) AS totals_rows,
    sum(figures.l_net_events) AS ledger_net_events, sum(figures.t_net_events) AS totals_net_events,
    sum(figures.l_unpriced_events) AS ledger_unpriced_events, sum(figures.t_unpriced_events) AS totals_unpriced_events,
    sum(figures.l_customer_charge) AS ledger_customer_charge, sum(figures.t_customer_charge) AS totals_customer_charge,
    sum(figures.l_provider_reward) AS ledger_provider_reward, sum(figures.t_provider_reward) AS totals_provider_reward,
    sum(figures.l_platform_fee) AS ledger_platform_fee, sum(figures.t_platform_fee) AS totals_platform_fee,
    sum(figures.l_builder_earnings) AS ledger_builder_earnings, sum(figures.t_builder_earnings) AS totals_builder_earnings,
    sumMap(figures.l_usage) AS ledger_usage, sumMap(figures.t_usage) AS totals_usage,
    sum(figures.l_imbalance) AS imbalance
FROM
(
    SELECT
        builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
        topic_epoch, source_partition,
        toInt64(count()) AS l_rows, toInt64(0) AS t_rows,
        toInt64(sum(multiIf(kind = 'usage', 1, kind = 'void', -1, 0))) AS l_net_events, toInt64(0) AS t_net_events,
        toInt64(sum(multiIf(pricing != 'unpriced', 0, kind = 'usage', 1, kind = 'void', -1, 0))) AS l_unpriced_events,
        toInt64(0) AS t_unpriced_events,
        sum(ifNull(customer_charge, toDecimal128(0, 12))) AS l_customer_charge, toDecimal128(0, 12) AS t_customer_charge,
        sum(ifNull(provider_reward, toDecimal128(0, 12))) AS l_provider_reward, toDecimal128(0, 12) AS t_provider_reward,
        sum(ifNull(platform_fee, toDecimal128(0, 12))) AS l_platform_fee, toDecimal128(0, 12) AS t_platform_fee,
        sum(ifNull(builder_earnings, toDecimal128(0, 12))) AS l_builder_earnings, toDecimal128(0, 12) AS t_builder_earnings,
        sumMap(usage) AS l_usage, CAST(map(), 'Map(LowCardinality(String), Decimal(38, 6))') AS t_usage,
        sum(ifNull(abs(customer_charge - provider_reward - platform_fee - builder_earnings), toDecimal128(0, 12))) AS l_imbalance
    FROM ${database}.usage_ledger AS ledger FINAL
    LEFT JOIN
    (
        SELECT
            builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
            topic_epoch, source_partition,
            last_offset + 1 AS covered_to
        FROM ${database}.usage_totals FINAL
    ) AS totals
    USING (
        builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
        topic_epoch, source_partition
    )
    LEFT JOIN
    (
        SELECT topic_epoch, source_partition, next_offset FROM ${database}.checkpoints FINAL
    ) AS done
    USING (topic_epoch, source_partition)
    WHERE source_offset < greatest(covered_to, next_offset)
    GROUP BY
        builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
        topic_epoch, source_partition
    UNION ALL
    SELECT
        builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
        topic_epoch, source_partition,
        toInt64(0) AS l_rows, ledger_rows AS t_rows,
        toInt64(0) AS l_net_events, net_events AS t_net_events,
        toInt64(0) AS l_unpriced_events, unpriced_events AS t_unpriced_events,
        toDecimal128(0, 12) AS l_customer_charge, customer_charge AS t_customer_charge,
        toDecimal128(0, 12) AS l_provider_reward, provider_reward AS t_provider_reward,
        toDecimal128(0, 12) AS l_platform_fee, platform_fee AS t_platform_fee,
        toDecimal128(0, 12) AS l_builder_earnings, builder_earnings AS t_builder_earnings,
        CAST(map(), 'Map(LowCardinality(String), Decimal(38, 6))') AS l_usage, usage AS t_usage,
        toDecimal128(0, 12) AS l_imbalance
    FROM ${database}.usage_totals FINAL
) AS figures
GROUP BY
    builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency,
    topic_epoch, source_partition
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Every total beside the sum of its ledger rows: they are equal, or something is wrong.'
