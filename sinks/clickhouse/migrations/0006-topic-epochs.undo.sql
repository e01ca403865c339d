DROP TABLE IF EXISTS ${database}.topic_epochs ${on_cluster} SYNC
