DROP VIEW IF EXISTS ${database}.billed_usage ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.closed_periods ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.closing_usage ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.closings ${on_cluster} SYNC
