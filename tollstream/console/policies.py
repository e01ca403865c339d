"""The console's filter as row policies of a ClickHouse server with users: deploy/clickhouse/row-policies.sql.

From the same rules as `scope.py`, so that an analyst of a Builder who asks ClickHouse sees what its console shows.
`python -m tollstream.console.policies` prints the file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tollstream.console.scope import ALL, NONE, OF_BUILDER, OF_TENANT, RULES

DATABASE = "tollstream"
BUILDER, TENANT = "tollstream_builder", "tollstream_tenant"  # roles
BUILDER_IS = "builder = getSetting('SQL_tollstream_builder')"
TENANT_IS = "tenant = getSetting('SQL_tollstream_tenant')"
CONDITIONS = {ALL: "1", NONE: "0", OF_BUILDER: BUILDER_IS, OF_TENANT: f"{BUILDER_IS} AND {TENANT_IS}"}
# What a tenant may read, column by column: what it used and what it pays, not how that is split.
_USED = "builder, tenant, window_start, workspace, feature, provider, model, mode, currency, usage, customer_charge"
FOR_TENANTS = {
    "usage_ledger": f"{_USED}, kind, pricing, event_time, source, id, note, topic_epoch, source_partition, "
    "source_offset, batch_index",
    "usage_totals": f"{_USED}, net_events, unpriced_events, topic_epoch, source_partition, last_offset, rule_id",
    "statements": "",
    "statement_lines": "",
    "credit_grants": "builder, tenant, grant_id, kind, unit, currency, quantity, price_paid, granted_at, "
    "expires_at, label",
    "credit_draws": "",
    "live_balances": "",
    "notes": "builder, sequence, note_id, kind, tenant, statement, period, currency, amount, recorded_at",
    "closings": "builder, sequence, closing_id, period, period_start, period_end, state, first_number, statements, "
    "recorded_at",
}
# Of what the console reads for everybody, the only thing that is to be read as it stands: books name others.
FOR_EVERYBODY = ("fx_rates",)
VIEWS_FOR_TENANTS = ("billable_totals", "issued_statements", "closed_periods", "balances", "balance_items")
VIEWS = (
    *VIEWS_FOR_TENANTS, "builder_earnings", "usage_by_feature_and_model", "unpriced_usage", "postings", "billed_usage",
)  # fmt: skip

HEAD = f"""-- Row policies for a ClickHouse server with users: people of a Builder or tenant see their own rows.
-- Written from tollstream/console/scope.py by `python -m tollstream.console.policies`; how to use it: docs/console.md.
-- Whose rows a user sees stands in settings of the user that nobody can change (CONST). A user with one of the roles
-- and without its setting is answered with an error, not with rows. The server's custom_settings_prefixes has SQL_.
--
--   CREATE USER acme_finance IDENTIFIED BY '...' DEFAULT ROLE {BUILDER}
--     SETTINGS SQL_tollstream_builder = 'acme' CONST, readonly = 2 CONST;
--   CREATE USER globex_it IDENTIFIED BY '...' DEFAULT ROLE {TENANT}
--     SETTINGS SQL_tollstream_builder = 'acme' CONST, SQL_tollstream_tenant = 'globex' CONST, readonly = 2 CONST;
"""


def statements() -> list[str]:
    """Roles, grants and policies, each safe to run twice."""
    made = [f"CREATE ROLE IF NOT EXISTS {BUILDER}, {TENANT}"]
    for table, rule in sorted(RULES.items()):
        for role, which in ((BUILDER, rule.builder), (TENANT, rule.tenant)):
            condition = CONDITIONS[NONE if which == ALL and table not in FOR_EVERYBODY else which]
            made.append(f"CREATE ROW POLICY OR REPLACE {role} ON {DATABASE}.{table} USING {condition} TO {role}")
        made.append(
            f"CREATE ROW POLICY OR REPLACE everybody_else ON {DATABASE}.{table} USING 1 "
            f"TO ALL EXCEPT {BUILDER}, {TENANT}"
        )
        if rule.builder == OF_BUILDER or table in FOR_EVERYBODY:
            made.append(_grant("", table, BUILDER))
    made += [_grant(columns, table, TENANT) for table, columns in FOR_TENANTS.items()]
    made += [_grant("", view, BUILDER) for view in VIEWS]
    made += [_grant("", view, TENANT) for view in VIEWS_FOR_TENANTS]
    return made


def text(made: Sequence[str]) -> str:
    """The file."""
    return HEAD + "\n".join(f"{each};" for each in made) + "\n"


def _grant(columns: str, table: str, role: str) -> str:
    return f"GRANT SELECT{f'({columns})' if columns else ''} ON {DATABASE}.{table} TO {role}"


if __name__ == "__main__":
    sys.stdout.write(text(statements()))
