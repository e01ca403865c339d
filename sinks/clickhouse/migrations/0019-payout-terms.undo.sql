DROP TABLE IF EXISTS ${database}.payout_sends ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.payout_terms ${on_cluster} SYNC
