-- 0014: what statements are agreed on: plan books, exchange rates, credits. Writers may run.
-- Each table is a journal: an entry has a place (sequence) that one writer gets, for a second insert for it, under the
-- same token, is dropped. So what stands up to a place never changes, and a closing names the places it was made from.
CREATE TABLE IF NOT EXISTS ${database}.plan_books ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose plans these are',
    sequence UInt32 COMMENT 'Place among the plan books of the Builder, from 1; the first row recorded at a place has it',
    version String COMMENT 'Version, unique for the Builder',
    effective_from DateTime64(6, 'UTC') COMMENT 'Applies from this time on, until the next version does',
    digest String COMMENT 'SHA-256 of content; another content under the same version is refused',
    content String CODEC(ZSTD(3)) COMMENT 'The whole file',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who published it',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store'
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, sequence, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Plans of every Builder, and which tenant has which, whole, as they were published: append-only.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.fx_rates ${on_cluster}
(
    sequence UInt32 COMMENT 'Place among all entries, from 1; rates that were recorded together share it',
    day Date COMMENT 'Day of the rate; it holds for the week after, too, where no other is given',
    base LowCardinality(String) COMMENT 'ISO 4217 code: what one unit of is worth',
    quote LowCardinality(String) COMMENT 'ISO 4217 code: so many units of',
    rate Decimal(38, 12) COMMENT 'Units of quote for one unit of base',
    source String COMMENT 'Who says so, such as ECB',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who recorded it',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store',
    CONSTRAINT above_zero CHECK rate > 0
)
ENGINE = ${replicated}MergeTree
ORDER BY (sequence, base, quote, day, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000
COMMENT 'Exchange rates by day: append-only, one for each pair and day.'
-- next statement
CREATE TABLE IF NOT EXISTS ${database}.credit_grants ${on_cluster}
(
    builder LowCardinality(String) COMMENT 'Builder whose tenant it is',
    tenant String COMMENT 'Tenant who may use it',
    grant_id String COMMENT 'Unique within the tenant; the first row of a grant stands',
    sequence UInt32 COMMENT 'Place among the entries of the Builder, from 1; 0: carried over by a closing',
    kind LowCardinality(String) COMMENT 'top_up | promotional | prepaid | rollover | goodwill',
    unit LowCardinality(String) COMMENT 'Business meter that quantity counts; empty: money',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of price_paid, and of quantity where it is money',
    quantity Decimal(38, 12) COMMENT 'How much may be used: units at 6 places, money at 12',
    price_paid Decimal(38, 12) COMMENT 'What the tenant pays for it; 0: given',
    granted_at DateTime64(6, 'UTC') COMMENT 'From when on it may be used',
    expires_at Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when, exclusive; null: for ever',
    priority Int32 COMMENT 'Smaller ones are used first',
    funding LowCardinality(String) COMMENT 'builder | platform: who carries what the price does not',
    settled Bool COMMENT 'True: the price was collected when it was bought, no statement asks for it',
    label String COMMENT 'In the words of the customer',
    source String COMMENT 'Of a rollover: <period>/<plan>/<allowance>; else empty',
    closing_id String COMMENT 'The closing that carried it over, and only if that is closed; empty: granted by somebody',
    record_id String COMMENT 'Drawn by whoever recorded it: tells who has the place',
    recorded_by String COMMENT 'Who granted it',
    reason String COMMENT 'Why, for whoever audits it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When, by the clock of the store',
    CONSTRAINT above_zero CHECK quantity > 0 AND price_paid >= 0,
    CONSTRAINT known_kind CHECK kind IN ('top_up', 'promotional', 'prepaid', 'rollover', 'goodwill')
)
ENGINE = ${replicated}MergeTree
ORDER BY (builder, tenant, grant_id, recorded_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024, non_replicated_deduplication_window = 10000
COMMENT 'Credits that tenants were granted or have bought: append-only. What is left of one is what no draw has taken.'
