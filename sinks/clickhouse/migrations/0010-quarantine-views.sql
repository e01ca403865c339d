-- 0010: what is not billed and why: dead letters, and usage that waits for a price. Writers may run.
CREATE OR REPLACE VIEW ${database}.dead_letters_by_reason ${on_cluster}
(
    topic_epoch UInt16 COMMENT 'Epoch of the topic',
    reason LowCardinality(String) COMMENT 'Stable code of what was wrong',
    dead_letters UInt64 COMMENT 'How many events',
    first_record_time DateTime64(6, 'UTC') COMMENT 'When Kafka appended the first of them',
    last_record_time DateTime64(6, 'UTC') COMMENT 'When Kafka appended the last of them',
    example String COMMENT 'What was wrong with the last of them'
)
AS SELECT
    topic_epoch, reason,
    count() AS dead_letters,
    min(record_time) AS first_record_time,
    max(record_time) AS last_record_time,
    argMax(detail, (record_time, source_partition, source_offset, batch_index)) AS example
FROM ${database}.dead_letters FINAL
GROUP BY topic_epoch, reason
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Why events could not be billed, and how many.'
-- next statement
CREATE OR REPLACE VIEW ${database}.dead_letter_details ${on_cluster}
(
    topic_epoch UInt16 COMMENT 'Place in the log, 1 of 4: epoch of the topic',
    source_partition UInt16 COMMENT 'Place in the log, 2 of 4: Kafka partition',
    source_offset Int64 COMMENT 'Place in the log, 3 of 4: Kafka offset of the record',
    batch_index UInt32 COMMENT 'Place in the log, 4 of 4: position inside a columnar batch',
    record_time DateTime64(6, 'UTC') COMMENT 'When Kafka appended the record',
    reason LowCardinality(String) COMMENT 'Stable code of what was wrong',
    detail String COMMENT 'One sentence: what was wrong, where, what to do',
    record_key Nullable(String) COMMENT 'Key of the record, as text where it is text',
    record_value Nullable(String) COMMENT 'Value of the record, as text where it is text',
    record_headers String COMMENT 'JSON array of [name, base64 of the value]'
)
AS SELECT
    topic_epoch, source_partition, source_offset, batch_index, record_time, reason, detail,
    toValidUTF8(l.record_key) AS record_key, toValidUTF8(l.record_value) AS record_value, record_headers
FROM ${database}.dead_letters AS l FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Every event that could not be billed, once.'
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
