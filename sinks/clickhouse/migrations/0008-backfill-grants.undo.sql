DROP TABLE IF EXISTS ${database}.backfill_grants ${on_cluster} SYNC
