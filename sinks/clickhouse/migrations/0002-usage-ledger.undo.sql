DROP TABLE IF EXISTS ${database}.usage_ledger ${on_cluster} SYNC
