DROP VIEW IF EXISTS ${database}.balance_items ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.balances ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.live_balances ${on_cluster} SYNC
