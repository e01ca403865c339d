-- 0002: the ledger, one row per accepted event, known by its place in the log. Writers may run.
-- A replay writes the same row again and ReplacingMergeTree keeps one of them, so the sort key ends in the place.
-- Sorted by tenant and window first: inserts arrive in that order, and a bill reads one range.
-- Cheap to insert: compact parts until a merge makes them big (46 columns in files of their own cost more than the rows
-- of one flush), few and big merges (each costs twice the insert), large granules, and the default compression, which a
-- server can be told to strengthen for big parts.
CREATE TABLE IF NOT EXISTS ${database}.usage_ledger ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose app caused the usage',
    tenant LowCardinality(String) COMMENT 'Tenant (the paying customer of the Builder)',
    window_start DateTime('UTC') CODEC(DoubleDelta, Default) COMMENT 'Start of the billing window [start, start + window_seconds); a void or an adjustment carries the window of its target',
    topic_epoch UInt16 COMMENT 'Place in the log, 1 of 4: epoch of the topic',
    source_partition UInt16 COMMENT 'Place in the log, 2 of 4: Kafka partition',
    source_offset Int64 CODEC(Delta, Default) COMMENT 'Place in the log, 3 of 4: Kafka offset of the record',
    batch_index UInt32 CODEC(Delta, Default) COMMENT 'Place in the log, 4 of 4: position inside a columnar batch, 0 for a record of one event',
    kind LowCardinality(String) COMMENT 'usage | void | adjustment; a void takes back its target amount by amount, with the opposite sign',
    pricing LowCardinality(String) COMMENT 'rated | unpriced; unpriced rows wait for a price and have null amounts',
    unpriced_reason LowCardinality(String) COMMENT 'Why there is no price: no_price | no_book | no_rule | no_model; empty when rated',
    event_time DateTime64(6, 'UTC') COMMENT 'When it happened, as the sender says; prices are those of this moment',
    record_time DateTime64(6, 'UTC') COMMENT 'When Kafka appended the record',
    source LowCardinality(String) COMMENT 'CloudEvents source; with id it identifies the event for ever',
    id String COMMENT 'CloudEvents id, unique within its source',
    identity_high UInt64 CODEC(NONE) COMMENT 'Hash of (source, id), upper 64 of 128 bits',
    identity_low UInt64 CODEC(NONE) COMMENT 'Hash of (source, id), lower 64 of 128 bits',
    payload_hash UInt64 CODEC(NONE) COMMENT 'Hash of the content; the same event sent twice has it twice',
    target_high UInt64 COMMENT 'Identity of the event that a void or adjustment is about, upper bits; 0 for usage',
    target_low UInt64 COMMENT 'Identity of the event that a void or adjustment is about, lower bits; 0 for usage',
    traceparent String COMMENT 'W3C trace context of the call; empty when absent',
    workspace LowCardinality(String) COMMENT 'Workspace of the tenant; empty when not given, as every tag below',
    deployment LowCardinality(String) COMMENT 'Deployment within the workspace',
    feature LowCardinality(String) COMMENT 'Feature of the app that was used',
    workflow LowCardinality(String) COMMENT 'Workflow that the call was part of',
    action LowCardinality(String) COMMENT 'Action within the workflow',
    business_unit LowCardinality(String) COMMENT 'Department of the tenant that the usage is charged to',
    outcome LowCardinality(String) COMMENT 'What came of it, in words of the app',
    provider LowCardinality(String) COMMENT 'Provider that served the inference',
    model LowCardinality(String) COMMENT 'Model that served it',
    requested_model LowCardinality(String) COMMENT 'Model that was asked for; billing goes by model',
    mode LowCardinality(String) COMMENT 'Tier as served: standard | batch | flex | priority',
    route LowCardinality(String) COMMENT 'primary | fallback',
    region LowCardinality(String) COMMENT 'Region that served it',
    status LowCardinality(String) COMMENT 'completed | aborted | failed',
    usage_source LowCardinality(String) COMMENT 'Who counted: provider | estimated',
    note LowCardinality(String) COMMENT 'Reason that the publisher of a void or adjustment gave; empty for usage',
    usage Map(LowCardinality(String), Decimal(38, 6)) COMMENT 'Meter -> quantity in its unit; negative in a void',
    price_version LowCardinality(String) COMMENT 'Version of the price book that rated it; empty when unpriced',
    rule_version LowCardinality(String) COMMENT 'Version of the surcharge rules that rated it; empty when unpriced',
    rule_id LowCardinality(String) COMMENT 'Surcharge rule that set the customer charge; empty when unpriced',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    base_cost Nullable(Decimal(38, 12)) COMMENT 'Cost of the inference: sum of quantity x unit price; null when unpriced',
    customer_charge Nullable(Decimal(38, 12)) COMMENT 'What the tenant pays = provider_reward + platform_fee + builder_earnings; null when unpriced',
    provider_reward Nullable(Decimal(38, 12)) COMMENT 'What the provider gets; null when unpriced',
    platform_fee Nullable(Decimal(38, 12)) COMMENT 'What the platform keeps; null when unpriced',
    builder_earnings Nullable(Decimal(38, 12)) COMMENT 'What the Builder earns, negative when the Builder funds the usage; null when unpriced',
    INDEX identity_bloom identity_low TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX target_values target_low TYPE set(256) GRANULARITY 1,
    INDEX event_time_range event_time TYPE minmax GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(window_start)
ORDER BY (builder, tenant, window_start, topic_epoch, source_partition, source_offset, batch_index)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 67108864, index_granularity = 16384,
    min_parts_to_merge_at_once = 10
COMMENT 'One row per accepted event, with the prices and rules that rated it. Read with FINAL, or through the views.'
