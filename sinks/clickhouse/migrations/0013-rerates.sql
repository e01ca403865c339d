-- 0013: re-ratings on record, and usage that is rated once a price exists. Writers may run, but no re-rating yet.
-- Usage waits until a void takes it back or an adjustment rates it (pricing rated_later): the two views say so. Each
-- entry of `rerates` has a place that one writer gets: a second insert for it, under the same token, is dropped.
CREATE TABLE IF NOT EXISTS ${database}.rerates ${on_cluster}
(
    sequence UInt32 COMMENT 'Place among all entries, from 1; the first row recorded at a place has it',
    rerate_id String COMMENT 'Which re-rating; its adjustments have ids that begin with it',
    state LowCardinality(String) COMMENT 'planned: it is decided what will be published; resumed: somebody went on with it after a crash; published: all of it stands in the log',
    by String COMMENT 'Who did that',
    reason String COMMENT 'Why, for whoever audits it; the adjustments carry that of the plan',
    topic_epoch UInt16 COMMENT 'Epoch of the topic that the adjustments go to',
    event_time_from DateTime64(6, 'UTC') COMMENT 'Event times covered: [from, to)',
    event_time_to DateTime64(6, 'UTC') COMMENT 'Event times covered: [from, to)',
    builder String COMMENT 'Builder whose usage it covers; empty: of all',
    tenant String COMMENT 'Tenant whose usage it covers; empty: of all',
    unpriced Bool COMMENT 'True: only usage that waits for a price',
    prices String COMMENT 'Price book version that was named for all of it; empty: what last rated each event, or its own time',
    rules String COMMENT 'Rule book version that was named for all of it; empty: what last rated each event, or its own time',
    timeline Bool COMMENT 'True: its own time also for events that were re-rated with named versions before',
    by_hand LowCardinality(String) COMMENT 'What became of events that were corrected by hand: leave | keep | replace',
    books String COMMENT 'JSON: every published version that it could choose from, and the SHA-256 of its text',
    cut String COMMENT 'JSON: epoch/partition -> offset below which the ledger was looked at',
    ends String COMMENT 'JSON: partition -> offset below which all adjustments stand; empty until published',
    events Int64 COMMENT 'How many adjustments',
    differences String COMMENT 'JSON: currency -> their sums, exact decimals as text',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store; that of planned is the time of the adjustments'
)
ENGINE = ${replicated}MergeTree
ORDER BY (sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Who rated past usage again, with which books, why, and how far it got: append-only.'
-- next statement
ALTER TABLE ${database}.usage_ledger ${on_cluster} COMMENT COLUMN pricing 'rated | unpriced | rerated | rated_later; unpriced usage waits for a price and has null amounts; an adjustment that says what it was rated with is rerated, or rated_later where it rates usage that waited'
-- next statement
CREATE OR REPLACE VIEW ${database}.unpriced_usage ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant who will pay once there is a price',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    provider LowCardinality(String) COMMENT 'Provider who served the inference',
    model LowCardinality(String) COMMENT 'Model that was served',
    mode LowCardinality(String) COMMENT 'Tier as served',
    region LowCardinality(String) COMMENT 'Region that served it; empty when not given',
    unpriced_reason LowCardinality(String) COMMENT 'no_book | no_model | no_price | no_rule | no_unit',
    net_events Int64 COMMENT 'Usage events that wait, never 0 here',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit',
    first_event_time DateTime64(6, 'UTC') COMMENT 'Since when: event time of the first of them',
    last_event_time DateTime64(6, 'UTC') COMMENT 'Event time of the last of them'
)
AS SELECT
    builder, tenant, window_start, provider, model, mode, region, unpriced_reason,
    toInt64(count()) AS net_events,
    sumMap(waiting.usage) AS usage,
    min(event_time) AS first_event_time,
    max(event_time) AS last_event_time
FROM
(
    SELECT
        *,
        -- What stands behind it under the same identity is a void or a rating of it, or nothing.
        leadInFrame(toUInt8(kind != 'usage')) OVER (
            PARTITION BY builder, tenant, high, low
            ORDER BY topic_epoch, source_partition, source_offset, batch_index
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS settled
    FROM
    (
        SELECT
            builder, tenant, window_start, provider, model, mode, region, unpriced_reason, kind, usage, event_time,
            topic_epoch, source_partition, source_offset, batch_index,
            if(kind = 'usage', identity_high, target_high) AS high,
            if(kind = 'usage', identity_low, target_low) AS low
        FROM ${database}.usage_ledger
        WHERE pricing IN ('unpriced', 'rated_later')
        -- Replays write equal rows: once per place says what FINAL would, and need not merge the rows of all usage.
        LIMIT 1 BY topic_epoch, source_partition, source_offset, batch_index
    )
) AS waiting
WHERE kind = 'usage' AND settled = 0
GROUP BY builder, tenant, window_start, provider, model, mode, region, unpriced_reason
COMMENT 'Usage in quarantine: kept and visible, until it is taken back, or rated because a price exists.'
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
        toInt64(sum(multiIf(pricing = 'rated_later', -1, pricing != 'unpriced', 0, kind = 'usage', 1, kind = 'void', -1, 0))) AS l_unpriced_events,
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
