-- 0011: does the money add up? Ledger, totals and checkpoints side by side. Writers may run.
-- A ledger row counts if the total of its key covers its offset or the checkpoint has passed it: rows of a flush under
-- way are no difference.
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
-- next statement
CREATE OR REPLACE VIEW ${database}.reconciliation ${on_cluster}
(
    topic_epoch UInt16 COMMENT 'Epoch of the topic',
    source_partition UInt16 COMMENT 'Kafka partition',
    next_offset Int64 COMMENT 'First offset not yet done: counts below are of offsets before it',
    events Int64 COMMENT 'Events passed',
    accepted Int64 COMMENT 'Of these, accepted: each has a ledger row',
    duplicates Int64 COMMENT 'Of these, sent again and not billed again',
    dead_lettered Int64 COMMENT 'Of these, not billable',
    ledger_rows Int64 COMMENT 'Rows in the ledger',
    dead_letter_rows Int64 COMMENT 'Rows in dead_letters',
    event_residual Int64 COMMENT 'events - accepted - duplicates - dead_lettered: must be 0',
    ledger_residual Int64 COMMENT 'ledger_rows - accepted: must be 0',
    dead_letter_residual Int64 COMMENT 'dead_letter_rows - dead_lettered: must be 0',
    keys_differing UInt64 COMMENT 'Totals that differ from their ledger rows: must be 0',
    customer_charge_residual Decimal(38, 12) COMMENT 'Sum over totals of |customer_charge in the ledger - in the total|: must be 0',
    provider_reward_residual Decimal(38, 12) COMMENT 'Sum over totals of |provider_reward in the ledger - in the total|: must be 0',
    platform_fee_residual Decimal(38, 12) COMMENT 'Sum over totals of |platform_fee in the ledger - in the total|: must be 0',
    builder_earnings_residual Decimal(38, 12) COMMENT 'Sum over totals of |builder_earnings in the ledger - in the total|: must be 0',
    usage_residual Decimal(38, 6) COMMENT 'The same for quantities, over all meters: must be 0',
    imbalance Decimal(38, 12) COMMENT 'Sum over ledger rows of |customer_charge - its three parts|: must be 0'
)
AS SELECT
    topic_epoch, source_partition, next_offset, events, accepted, duplicates, dead_lettered,
    ifNull(stored.ledger_rows, 0) AS ledger_rows,
    ifNull(refused.dead_letter_rows, 0) AS dead_letter_rows,
    events - accepted - duplicates - dead_lettered AS event_residual,
    ledger_rows - accepted AS ledger_residual,
    dead_letter_rows - dead_lettered AS dead_letter_residual,
    sums.keys_differing AS keys_differing,
    sums.customer_charge_residual AS customer_charge_residual,
    sums.provider_reward_residual AS provider_reward_residual,
    sums.platform_fee_residual AS platform_fee_residual,
    sums.builder_earnings_residual AS builder_earnings_residual,
    sums.usage_residual AS usage_residual,
    sums.imbalance AS imbalance
FROM (SELECT * FROM ${database}.checkpoints FINAL) AS done
LEFT JOIN
(
    SELECT topic_epoch, source_partition, toInt64(count()) AS ledger_rows
    FROM ${database}.usage_ledger AS ledger FINAL
    INNER JOIN (SELECT topic_epoch, source_partition, next_offset FROM ${database}.checkpoints FINAL) AS below
    USING (topic_epoch, source_partition)
    WHERE source_offset < next_offset
    GROUP BY topic_epoch, source_partition
) AS stored
USING (topic_epoch, source_partition)
LEFT JOIN
(
    SELECT topic_epoch, source_partition, toInt64(count()) AS dead_letter_rows
    FROM ${database}.dead_letters AS letters FINAL
    INNER JOIN (SELECT topic_epoch, source_partition, next_offset FROM ${database}.checkpoints FINAL) AS below
    USING (topic_epoch, source_partition)
    WHERE source_offset < next_offset
    GROUP BY topic_epoch, source_partition
) AS refused
USING (topic_epoch, source_partition)
LEFT JOIN
(
    SELECT
        topic_epoch, source_partition,
        countIf(
            (ledger_rows, ledger_net_events, ledger_unpriced_events) != (totals_rows, totals_net_events, totals_unpriced_events)
            OR (ledger_customer_charge, ledger_provider_reward, ledger_platform_fee, ledger_builder_earnings)
            != (totals_customer_charge, totals_provider_reward, totals_platform_fee, totals_builder_earnings)
            OR usage_difference != 0
        ) AS keys_differing,
        sum(abs(ledger_customer_charge - totals_customer_charge)) AS customer_charge_residual,
        sum(abs(ledger_provider_reward - totals_provider_reward)) AS provider_reward_residual,
        sum(abs(ledger_platform_fee - totals_platform_fee)) AS platform_fee_residual,
        sum(abs(ledger_builder_earnings - totals_builder_earnings)) AS builder_earnings_residual,
        sum(usage_difference) AS usage_residual,
        sum(by_key.imbalance) AS imbalance
    FROM
    (
        SELECT
            *,
            arraySum(arrayMap(
                meter -> abs(ledger_usage[meter] - totals_usage[meter]),
                arrayDistinct(arrayConcat(mapKeys(ledger_usage), mapKeys(totals_usage)))
            )) AS usage_difference
        FROM ${database}.reconciliation_by_key
    ) AS by_key
    GROUP BY topic_epoch, source_partition
) AS sums
USING (topic_epoch, source_partition)
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Per partition: does every event stand somewhere, and do ledger and totals agree to the last digit?'
