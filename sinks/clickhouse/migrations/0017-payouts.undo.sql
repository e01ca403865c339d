DROP TABLE IF EXISTS ${database}.notes ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.payout_marks ${on_cluster} SYNC
-- next statement
DROP TABLE IF EXISTS ${database}.payouts ${on_cluster} SYNC
