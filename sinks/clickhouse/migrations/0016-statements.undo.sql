DROP VIEW IF EXISTS ${database}.issued_statements ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.unbalanced_postings ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.postings ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.posting_sets ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.credit_draws ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.statement_lines ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.statements ${on_cluster} SYNC
