-- 0020: a credit may pay for the usage of some rules only, as an allowance that is carried over does. Writers may run.
ALTER TABLE ${database}.credit_grants ${on_cluster}
    ADD COLUMN IF NOT EXISTS rules Array(String) DEFAULT [] COMMENT 'Surcharge rules whose usage it pays for; empty: of all' AFTER source
