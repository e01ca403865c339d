ALTER TABLE ${database}.credit_grants ${on_cluster} DROP COLUMN IF EXISTS rules
