DROP TABLE IF EXISTS ${database}.schema_migrations ${on_cluster} SYNC
