DROP TABLE IF EXISTS ${database}.checkpoints ${on_cluster} SYNC
