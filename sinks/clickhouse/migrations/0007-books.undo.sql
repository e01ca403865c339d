DROP TABLE IF EXISTS ${database}.books ${on_cluster} SYNC
