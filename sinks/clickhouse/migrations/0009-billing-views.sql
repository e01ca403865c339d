-- 0009: totals as people ask for them, free of FINAL and of partitions. Writers may run.
-- Who is paid what stands in views of their own: rewards, fees and earnings are never one number.
CREATE OR REPLACE VIEW ${database}.billable_totals ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant who pays',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of customer_charge',
    net_events Int64 COMMENT 'Usage events minus voids',
    unpriced_events Int64 COMMENT 'Of net_events, those that wait for a price and are not in customer_charge',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit',
    customer_charge Decimal(38, 12) COMMENT 'What the tenant pays, not rounded: statements round once'
)
AS SELECT
    builder, tenant, window_start, currency,
    sum(t.net_events) AS net_events,
    sum(t.unpriced_events) AS unpriced_events,
    sumMap(t.usage) AS usage,
    sum(t.customer_charge) AS customer_charge
FROM ${database}.usage_totals AS t FINAL
GROUP BY builder, tenant, window_start, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What each tenant owes, by window.'
-- next statement
CREATE OR REPLACE VIEW ${database}.builder_earnings ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder who earns',
    tenant LowCardinality(String) COMMENT 'Tenant whose usage it comes from',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of builder_earnings',
    net_events Int64 COMMENT 'Usage events minus voids',
    builder_earnings Decimal(38, 12) COMMENT 'What the Builder earns; negative when the Builder funds the usage'
)
AS SELECT
    builder, tenant, window_start, currency,
    sum(t.net_events) AS net_events,
    sum(t.builder_earnings) AS builder_earnings
FROM ${database}.usage_totals AS t FINAL
GROUP BY builder, tenant, window_start, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What each Builder earns, by tenant and window.'
-- next statement
CREATE OR REPLACE VIEW ${database}.provider_rewards ${on_cluster}
(
    provider LowCardinality(String) COMMENT 'Provider who served the inference',
    model LowCardinality(String) COMMENT 'Model that was served',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of provider_reward',
    net_events Int64 COMMENT 'Usage events minus voids',
    provider_reward Decimal(38, 12) COMMENT 'What the provider gets'
)
AS SELECT
    provider, model, window_start, currency,
    sum(t.net_events) AS net_events,
    sum(t.provider_reward) AS provider_reward
FROM ${database}.usage_totals AS t FINAL
GROUP BY provider, model, window_start, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What each provider gets, by model and window.'
-- next statement
CREATE OR REPLACE VIEW ${database}.platform_fees ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of platform_fee',
    net_events Int64 COMMENT 'Usage events minus voids',
    platform_fee Decimal(38, 12) COMMENT 'What the platform keeps'
)
AS SELECT
    builder, window_start, currency,
    sum(t.net_events) AS net_events,
    sum(t.platform_fee) AS platform_fee
FROM ${database}.usage_totals AS t FINAL
GROUP BY builder, window_start, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What the platform keeps, by Builder and window.'
-- next statement
CREATE OR REPLACE VIEW ${database}.usage_by_feature_and_model ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant who pays',
    window_start DateTime('UTC') COMMENT 'Start of the billing window',
    workspace LowCardinality(String) COMMENT 'Workspace of the tenant; empty when not given',
    feature LowCardinality(String) COMMENT 'Feature of the app; empty when not given',
    provider LowCardinality(String) COMMENT 'Provider who served the inference',
    model LowCardinality(String) COMMENT 'Model that was served',
    mode LowCardinality(String) COMMENT 'Tier as served: standard | batch | flex | priority',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of customer_charge',
    net_events Int64 COMMENT 'Usage events minus voids',
    unpriced_events Int64 COMMENT 'Of net_events, those that wait for a price and are not in customer_charge',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit',
    customer_charge Decimal(38, 12) COMMENT 'What the tenant pays'
)
AS SELECT
    builder, tenant, window_start, workspace, feature, provider, model, mode, currency,
    sum(t.net_events) AS net_events,
    sum(t.unpriced_events) AS unpriced_events,
    sumMap(t.usage) AS usage,
    sum(t.customer_charge) AS customer_charge
FROM ${database}.usage_totals AS t FINAL
GROUP BY builder, tenant, window_start, workspace, feature, provider, model, mode, currency
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What was used, where in the app and by which model, by window.'
