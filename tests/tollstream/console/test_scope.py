"""The one filter, on the real engine: no query of any shape sees a row of others, whatever it joins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from sinks.clickhouse.client import Client
from sinks.errors import SinkError
from tests.support.console import World
from tollstream.console.access import Access, Role
from tollstream.console.scope import ALL, NONE, OPERATORS_ONLY, RULES, ScopedClient, condition_of, filters_of, tables_of

ROOT = Path(__file__).parents[3]
QUILL, GLOBEX = Access(Role.BUILDER, "quill"), Access(Role.TENANT, "quill", "globex")
HOSTILE = Access(Role.TENANT, "quill' OR '1'='1", "\\' OR 1=1 --")
OWNED = sorted(name for name, rule in RULES.items() if rule.tenant == "builder and tenant")


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[Client]:
    client = Client.connect(world.configuration)
    yield client
    client.close()


def scoped(client: Client, access: Access) -> ScopedClient:
    return ScopedClient(client, access, tables_of(client))


@pytest.mark.integration
def test_every_table_of_the_schema_has_its_rule(client: Client) -> None:
    assert set(tables_of(client)) == RULES.keys(), "say in tollstream/console/scope.py who may see a new table's rows"


def test_a_table_that_nobody_thought_of_has_no_rows() -> None:
    assert condition_of("new_table", QUILL) == condition_of("new_table", GLOBEX) == NONE
    assert "'db.new_table':'0'" in filters_of("db", QUILL, ["new_table"])
    assert filters_of("db", Access(Role.OPERATOR), ["new_table"]) == ""
    assert RULES["console_tokens"] == OPERATORS_ONLY


@pytest.mark.integration
@pytest.mark.parametrize("access", [QUILL, GLOBEX, HOSTILE], ids=lambda access: access.words)
@pytest.mark.parametrize("table", sorted(RULES))
def test_rows_of_a_table_are_the_tokens_own(client: Client, table: str, access: Access) -> None:
    database = client.configuration.database
    mine = scoped(client, access).query_rows(f"SELECT count() AS n FROM {database}.{table}", doing="counting")
    own = condition_of(table, access)
    all_of_it = client.query_rows(f"SELECT countIf({own}) AS n FROM {database}.{table}", doing="counting")
    assert mine == all_of_it
    if access is HOSTILE and own != ALL:
        assert mine == [{"n": 0}]


@pytest.mark.integration
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT DISTINCT tenant FROM {db}.usage_ledger FINAL",
        "SELECT DISTINCT tenant FROM {db}.usage_totals AS t FINAL WHERE tenant != '' OR 1 = 1",
        "SELECT DISTINCT tenant FROM {db}.billable_totals",
        "SELECT DISTINCT tenant FROM {db}.issued_statements",
        "SELECT DISTINCT tenant FROM (SELECT * FROM {db}.usage_ledger UNION ALL SELECT * FROM {db}.usage_ledger)",
        "SELECT DISTINCT b.tenant AS tenant FROM {db}.usage_totals AS a RIGHT JOIN {db}.usage_ledger AS b ON 1 = 1",
        "WITH x AS (SELECT tenant FROM {db}.statement_lines) SELECT DISTINCT tenant FROM x",
        "SELECT DISTINCT tenant FROM {db}.credit_draws UNION DISTINCT SELECT tenant FROM {db}.statements FINAL",
        "SELECT DISTINCT tenant FROM {db}.usage_ledger PREWHERE tenant != 'globex' OR true",
        "SELECT DISTINCT (SELECT max(tenant) FROM {db}.usage_ledger) AS tenant FROM {db}.usage_totals",
        "SELECT arrayJoin(groupUniqArray(tenant)) AS tenant FROM {db}.usage_totals",
    ],
)
def test_no_shape_of_a_query_gets_around_it(client: Client, sql: str) -> None:
    rows = scoped(client, GLOBEX).query_rows(sql.format(db=client.configuration.database), doing="trying")
    assert {row["tenant"] for row in rows} <= {"globex", ""}
    rows = client.query_rows(sql.format(db=client.configuration.database), doing="the same as it is")
    assert {row["tenant"] for row in rows} & {"hooli", "initech", "umbra"} or "credit_draws" in sql


@pytest.mark.integration
def test_nothing_can_be_written_through_it_and_the_filter_cannot_be_overruled(client: Client) -> None:
    mine, database = scoped(client, QUILL), client.configuration.database
    with pytest.raises(SinkError, match="readonly"):
        mine.query_rows(f"INSERT INTO {database}.dead_letters SELECT * FROM {database}.dead_letters", doing="x")
    with pytest.raises(PermissionError):
        mine.command(f"DROP TABLE {database}.usage_ledger", doing="x")
    with pytest.raises(PermissionError):
        mine.insert_arrow("usage_ledger", pa.table({"a": [1]}), doing="x")
    sql = f"SELECT count() AS n FROM {database}.dead_letters"
    with pytest.raises(PermissionError):
        mine.query_rows(f"{sql} SETTINGS additional_table_filters = {{}}", doing="x")
    answer = mine.query_arrow(sql, doing="x", settings={"additional_table_filters": "{}", "readonly": "0"})
    assert answer.to_pylist() == [{"n": 0}]


@pytest.mark.integration
def test_the_sort_key_is_used_for_it(client: Client) -> None:
    sql = f"EXPLAIN indexes = 1 SELECT count() FROM {client.configuration.database}.usage_ledger FINAL WHERE id != ''"
    plan = scoped(client, GLOBEX).query_bytes(sql, fmt="TSVRaw", doing="explaining").decode()
    keys = re.search(r"PrimaryKey.*?Condition: ([^\n]*)", plan, re.DOTALL)
    assert keys is not None
    assert "'globex'" in keys[1]
    assert "'quill'" in keys[1]


def test_no_page_and_no_query_of_the_console_uses_another_client() -> None:
    """What reads for pages is handed a client that has the filter; only the doorkeeper has the other one."""
    folder = ROOT / "tollstream" / "console"
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name not in ("web.py", "serving.py", "scope.py"):
            assert "Client.connect" not in text, path
            assert "HOUSE" not in text, path
    assert (folder / "web.py").read_text(encoding="utf-8").count("(house.client") == 3
