-- 0003: totals by window. Of equal keys the greatest last_offset is the truth. Writers may run.
-- Rows are absolute sums, so writing one again changes nothing. Small granules: workers look up single windows.
CREATE TABLE IF NOT EXISTS ${database}.usage_totals ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant (the paying customer of the Builder)',
    window_start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Start of the billing window [start, start + window_seconds)',
    workspace LowCardinality(String) COMMENT 'Workspace of the tenant; empty when not given',
    feature LowCardinality(String) COMMENT 'Feature of the app that was used; empty when not given',
    provider LowCardinality(String) COMMENT 'Provider that served the inference; empty when none was needed',
    model LowCardinality(String) COMMENT 'Model that served it; empty when none was needed',
    mode LowCardinality(String) COMMENT 'Tier as served: standard | batch | flex | priority',
    rule_id LowCardinality(String) COMMENT 'Surcharge rule that set the customer charge; empty when unpriced',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    topic_epoch UInt16 CODEC(ZSTD(1)) COMMENT 'Epoch of the topic that the rows added up came from',
    source_partition UInt16 CODEC(ZSTD(1)) COMMENT 'Kafka partition that the rows added up came from',
    last_offset Int64 CODEC(ZSTD(1)) COMMENT 'Last offset included: the version of this row',
    ledger_rows Int64 CODEC(ZSTD(1)) COMMENT 'Ledger rows of any kind added up here',
    net_events Int64 CODEC(ZSTD(1)) COMMENT 'Usage events minus voids',
    unpriced_events Int64 CODEC(ZSTD(1)) COMMENT 'Of net_events, those that wait for a price and are not in the amounts',
    usage Map(LowCardinality(String), Decimal(38, 6)) CODEC(ZSTD(1)) COMMENT 'Meter -> quantity in its unit, voids subtracted',
    customer_charge Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'What the tenant pays = provider_reward + platform_fee + builder_earnings',
    provider_reward Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'What the provider gets',
    platform_fee Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'What the platform keeps',
    builder_earnings Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'What the Builder earns; negative when the Builder funds the usage'
)
ENGINE = ${replicated}ReplacingMergeTree(last_offset)
PARTITION BY toYYYYMM(window_start)
ORDER BY (builder, tenant, window_start, workspace, feature, provider, model, mode, rule_id, currency, topic_epoch, source_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024
COMMENT 'Sums of the ledger by window, tenant, feature and model, per source partition. Read with FINAL, or through the views.'
