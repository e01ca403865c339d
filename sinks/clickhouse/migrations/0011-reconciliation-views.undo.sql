DROP VIEW IF EXISTS ${database}.reconciliation ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.reconciliation_by_key ${on_cluster} SYNC
