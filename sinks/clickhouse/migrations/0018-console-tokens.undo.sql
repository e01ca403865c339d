DROP TABLE IF EXISTS ${database}.console_tokens ${on_cluster} SYNC
