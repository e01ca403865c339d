DROP TABLE IF EXISTS ${database}.credit_grants ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.fx_rates ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.plan_books ${on_cluster} SYNC
