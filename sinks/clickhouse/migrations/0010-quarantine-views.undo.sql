DROP VIEW IF EXISTS ${database}.dead_letters_by_reason ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.dead_letter_details ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.unpriced_usage ${on_cluster} SYNC
