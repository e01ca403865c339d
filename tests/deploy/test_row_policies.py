"""Row policies for servers with users: the file is what the console's filter says, and the engine can read all of it.

The embedded engine has no users, so what the policies do there is shown with the same conditions, values filled in.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text
from tests.support.console import World, world
from tollstream.console import policies
from tollstream.console.access import Access, Role
from tollstream.console.scope import EVERYONE, RULES, condition_of

__all__ = ("world",)
FILE = Path(__file__).parents[2] / "deploy" / "clickhouse" / "row-policies.sql"
POLICY = re.compile(r"CREATE ROW POLICY OR REPLACE (\w+) ON tollstream\.(\w+) USING (.*) TO (.*)")


def test_golden_the_file_is_what_the_filter_says() -> None:
    written = policies.text(policies.statements())
    if os.environ.get("GOLDEN") == "write":
        FILE.write_text(written, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == written


@pytest.mark.integration
def test_the_engine_reads_every_statement_and_the_examples(world: World) -> None:
    client = Client.connect(world.configuration)
    examples = [
        line.removeprefix("--").strip()
        for line in FILE.read_text(encoding="utf-8").splitlines()
        if line.startswith("--  ")
    ]
    made = [*policies.statements(), *filter(None, " ".join(examples).split(";"))]
    assert sum(each.strip().startswith("CREATE USER") for each in made) == 2
    for each in made:
        client.query_bytes(f"EXPLAIN AST {each.strip()}", fmt="TSVRaw", doing="parsing a policy")
    with pytest.raises(Exception, match="Syntax error"):
        client.query_bytes("EXPLAIN AST CREATE ROW POLICY a ON b USING TO c", fmt="TSVRaw", doing="parsing nonsense")
    client.close()


@pytest.mark.parametrize("access", [Access(Role.BUILDER, "quill"), Access(Role.TENANT, "quill", "globex")])
def test_policies_and_filter_say_the_same_of_every_table(access: Access) -> None:
    role = policies.TENANT if access.is_tenant else policies.BUILDER
    found = {}
    for each in policies.statements():
        policy = POLICY.fullmatch(each)
        if policy is not None and policy[4] == role:
            condition = policy[3].replace("getSetting('SQL_tollstream_builder')", text(access.builder))
            found[policy[2]] = condition.replace("getSetting('SQL_tollstream_tenant')", text(access.tenant))
    closed = {table for table, rule in RULES.items() if rule == EVERYONE and table not in policies.FOR_EVERYBODY}
    assert found == {table: "0" if table in closed else condition_of(table, access) for table in RULES}


def test_whoever_has_no_such_role_sees_what_it_saw() -> None:
    made = policies.statements()
    for table in RULES:
        assert (
            f"CREATE ROW POLICY OR REPLACE everybody_else ON tollstream.{table} USING 1 "
            f"TO ALL EXCEPT {policies.BUILDER}, {policies.TENANT}"
        ) in made


@pytest.mark.integration
def test_granted_columns_and_views_are_there_and_tell_a_tenant_no_split(world: World) -> None:
    client = Client.connect(world.configuration)
    database = world.configuration.database
    for table, columns in policies.FOR_TENANTS.items():
        wanted = columns or "*"
        client.query_rows(f"SELECT {wanted} FROM {database}.{table} LIMIT 0", doing="reading granted columns")
        assert not re.search(r"base_cost|reward|fee|earnings|digest|sums|reason|funding", columns)
    for view in policies.VIEWS:
        client.query_rows(f"SELECT * FROM {database}.{view} LIMIT 0", doing="reading a granted view")
    client.close()
