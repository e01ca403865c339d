DROP TABLE IF EXISTS ${database}.usage_totals ${on_cluster} SYNC
