ALTER TABLE ${database}.books ${on_cluster} RESET SETTING non_replicated_deduplication_window
-- next statement
ALTER TABLE ${database}.books ${on_cluster}
    DROP COLUMN IF EXISTS sequence,
    DROP COLUMN IF EXISTS retroactive,
    DROP COLUMN IF EXISTS publication_id,
    DROP COLUMN IF EXISTS published_by,
    DROP COLUMN IF EXISTS reason
