"""`tollstream schema` and `tollstream reconcile`: what they print, and what they exit with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import load_migrations
from tests.support import analysts, rows
from tollstream import cli

pytestmark = pytest.mark.integration


@pytest.fixture
def configuration(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    """A database of its own, which the settings of this process name."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


async def seed(configuration: ClickHouseConfiguration) -> None:
    sink = await ClickHouseSink.connect(configuration)
    await analysts.seed(sink)
    await sink.close()


def test_a_database_is_shown_as_incomplete_until_it_is_migrated(
    configuration: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [migration.name for migration in load_migrations()]
    code, shown, _ = run(capsys, "schema", "show")
    assert (code, "not yet" in shown, f"{len(names)} missing" in shown) == (1, True, True)
    code, shown, _ = run(capsys, "schema", "migrate")
    assert code == 0
    assert [line.removeprefix("applied ") for line in shown.splitlines()[:-1]] == names
    code, shown, _ = run(capsys, "schema", "migrate")
    assert (code, shown.count("\n"), "0 of them new" in shown) == (0, 1, True)
    code, shown, _ = run(capsys, "schema", "show")
    assert (code, "not yet" in shown) == (0, False)
    code, shown, _ = run(capsys, "schema", "show", "--json")
    answer = json.loads(shown)
    assert (code, answer["complete"], [each["name"] for each in answer["migrations"]]) == (0, True, names)


def test_reconcile_without_a_schema_cannot_tell(
    configuration: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "reconcile")
    assert (code, out) == (2, "")
    assert "tollstream schema migrate" in err


async def test_reconcile_says_yes_then_no_with_the_figures(
    configuration: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(cli.main, ["schema", "migrate"])
    code, shown, _ = await asyncio.to_thread(run, capsys, "reconcile")
    assert (code, "no partition has a checkpoint" in shown) == (0, True)
    await seed(configuration)
    code, shown, _ = await asyncio.to_thread(run, capsys, "reconcile")
    assert (code, "Residual 0: everything agrees to the last digit." in shown) == (0, True)
    code, shown, _ = await asyncio.to_thread(run, capsys, "reconcile", "--json")
    answer = json.loads(shown)
    assert (code, answer["holds"], answer["residual"], answer["findings"]) == (0, True, "0", [])
    assert answer["amounts"] == {
        "USD": {
            "customer_charge": "0.1645",
            "provider_reward": "0.088900000007",
            "platform_fee": "0.038100000003",
            "builder_earnings": "0.03749999999",
        }
    }
    sink = await ClickHouseSink.connect(configuration)
    await sink.write_ledger(rows.ledger([rows.ledger_row(1, source_partition=1, id="stray")]))
    await sink.close()
    code, shown, _ = await asyncio.to_thread(run, capsys, "reconcile")
    assert (code, "failure" in shown, "partition 1" in shown) == (1, True, True)
    code, shown, _ = await asyncio.to_thread(run, capsys, "reconcile", "--json")
    answer = json.loads(shown)
    assert (code, answer["holds"]) == (1, False)
    assert {finding["check"] for finding in answer["findings"]} == {"ledger_is_complete", "totals_equal_ledger"}


def test_reconcile_without_a_store_cannot_tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:1")
    code, out, err = run(capsys, "reconcile")
    assert (code, out) == (2, "")
    assert "cannot be reached" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["reconcile"], ["schema"], ["schema", "migrate"], ["schema", "show"]], ids=" ".join
)
def test_help_ends_with_an_example(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, shown, _ = run(capsys, *arguments, "--help")
    assert (code, "Example: tollstream " in shown) == (0, True)
