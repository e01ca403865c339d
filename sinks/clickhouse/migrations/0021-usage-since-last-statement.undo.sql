DROP VIEW IF EXISTS ${database}.usage_since_last_statement ${on_cluster} SYNC
