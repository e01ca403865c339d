-- 0012: who published which book, why, and in which order: a sequence number that only one publisher gets. Writers may run.
ALTER TABLE ${database}.books ${on_cluster}
    ADD COLUMN IF NOT EXISTS sequence UInt32 DEFAULT 0 COMMENT 'Place among the publications of both kinds, from 1; the first row recorded at a place has it. 0: recorded by a worker before there were places' AFTER content,
    ADD COLUMN IF NOT EXISTS retroactive Bool DEFAULT false COMMENT 'True: never applies by itself, only when a re-rating names it' AFTER sequence,
    ADD COLUMN IF NOT EXISTS publication_id String DEFAULT '' COMMENT 'Drawn by whoever published, equal for versions that were published in one insert; empty: recorded by a worker before there were publications' AFTER retroactive,
    ADD COLUMN IF NOT EXISTS published_by String DEFAULT '' COMMENT 'Who published it; empty: not known' AFTER publication_id,
    ADD COLUMN IF NOT EXISTS reason String DEFAULT '' COMMENT 'Why it was published, for whoever audits it' AFTER published_by,
    COMMENT COLUMN recorded_at 'When it was published, by the clock of the store; the activation lead counts from here'
-- next statement
ALTER TABLE ${database}.books ${on_cluster} MODIFY SETTING non_replicated_deduplication_window = 1000
-- next statement
ALTER TABLE ${database}.books ${on_cluster}
    MODIFY COMMENT 'Price books and surcharge rules, whole, as they were published: append-only. Not every row stands: see docs/publishing.md.'
