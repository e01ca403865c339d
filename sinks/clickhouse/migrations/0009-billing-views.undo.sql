DROP VIEW IF EXISTS ${database}.billable_totals ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.builder_earnings ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.provider_rewards ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.platform_fees ${on_cluster} SYNC
-- next statement
DROP VIEW IF EXISTS ${database}.usage_by_feature_and_model ${on_cluster} SYNC
