"""`tollstream explain` on the real engine: the page of documentation, every way to ask, and what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.readers import events
from sinks.tables import AMOUNTS
from tests.golden.explanation.pages import billed
from tests.support import explained, rows
from tollstream import cli
from tollstream.explanation import reading

PAGE = Path(__file__).parents[3] / "docs" / "explain.md"
EXAMPLE = re.compile(r"```console\n\$ (?P<command>tollstream [^\n]*)\n(?P<answer>.*?)```", re.DOTALL)
LINE = ("acme/globex", "--period", "2026-02")
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def configuration(clickhouse_url: str) -> Iterator[ClickHouseConfiguration]:
    """A database of its own, with the schema."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


@pytest.fixture(scope="module")
def day(configuration: ClickHouseConfiguration) -> ClickHouseConfiguration:
    """The database with the day in it; tests that add rows take a tenant of their own."""

    async def fill() -> None:
        sink = await ClickHouseSink.connect(configuration)
        await explained.seed(sink)
        await sink.close()

    asyncio.run(fill())
    return configuration


@pytest.fixture
def explain(day: ClickHouseConfiguration, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The verb, in this process: (exit code, output, errors)."""
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", f"http://{day.host}:{day.port}")
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", day.database)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["explain", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
async def sink(day: ClickHouseConfiguration) -> AsyncIterator[ClickHouseSink]:
    """For rows that a test adds."""
    sink = await ClickHouseSink.connect(day)
    yield sink
    await sink.close()


def test_golden_the_page_prints_what_its_commands_answer(explain: Any) -> None:
    page = PAGE.read_text(encoding="utf-8")

    def answered(example: re.Match[str]) -> str:
        code, out, err = explain(*shlex.split(example["command"])[2:])
        assert (code, err) == (0, ""), example["command"]
        return f"```console\n$ {example['command']}\n{out}```"

    rewritten = EXAMPLE.sub(answered, page)
    if os.environ.get("GOLDEN") == "write":
        PAGE.write_text(rewritten, encoding="utf-8")
        page = rewritten
    assert rewritten.splitlines() == page.splitlines()
    assert page.count("```console") == len(EXAMPLE.findall(page)) >= 6


def answer(explain: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    exited, out, err = explain(*arguments, "--json")
    assert (exited, err) == (code, "")
    document: dict[str, Any] = json.loads(out)
    return document


@pytest.mark.parametrize("row", explained.a_day(), ids=lambda row: f"{row['kind']} {row['id']} {row['source']}")
def test_every_event_holds_and_shows_what_the_ledger_holds(explain: Any, row: dict[str, Any]) -> None:
    document = answer(explain, row["id"], "--source", row["source"])
    assert document["holds"]
    [found] = document["rows"]
    expected = {name: None if row[name] is None else f"{row[name]:.12f}" for name in ("base_cost", *AMOUNTS)}
    assert found["amounts"] == expected
    assert found["place"]["offset"] == row["source_offset"]
    if row["kind"] == "usage":
        assert found["explained"]["arithmetic"]["amounts"] == (expected if row["pricing"] == "rated" else None)
    else:
        assert row["id"] in [each["id"] for each in found["explained"]["corrections"]]


def test_the_short_form_and_the_long_form_are_one(explain: Any) -> None:
    assert explain("event", "call-2") == explain("call-2")
    assert explain("line", *LINE) == explain(*LINE)


def test_an_id_of_several_sources_is_refused_with_their_names(explain: Any) -> None:
    code, out, err = explain("call-1")
    assert (code, out) == (2, "")
    assert "gateway/eu-1, gateway/us-1" in err
    assert "tollstream explain event call-1 --source gateway/eu-1" in err


def test_an_id_is_not_looked_for_under_more_sources_than_can_be(explain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (events, reading):
        monkeypatch.setattr(module, "SOURCES_MAX", 1)
    code, out, err = explain("call-2")
    assert (code, out) == (2, "")
    assert "The ledger has more than 1 sources, too many to look for call-2 under each" in err
    assert explain("call-2", "--source", "gateway/eu-1")[0] == 0


def test_what_is_unknown_is_said_in_a_sentence(explain: Any) -> None:
    code, out, err = explain("call-99")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "No event call-99 is in the ledger, and no dead letter names it." in err
    assert explain("call-2", "--source", "gateway/us-1")[0] == 2


@pytest.mark.parametrize(
    ("letter", "is_it", "source"),
    [
        ("call-20", True, "gateway/eu-1"),
        ("call-header", True, "gateway/eu-1"),
        ("call-24", True, "gateway/eu-1"),
        ("call-22", False, ""),
    ],
)
def test_a_dead_letter_is_found_by_the_id_in_its_value_or_its_headers(
    explain: Any, letter: str, is_it: bool, source: str
) -> None:
    document = answer(explain, letter)
    assert document["rows"] == []
    [found] = document["dead_letters"]
    assert (found["is_the_event"], found["source"]) == (is_it, source)
    assert "was not billed" in explain(letter)[1]


def test_a_dead_letter_beside_the_billed_event_is_mentioned(explain: Any) -> None:
    document = answer(explain, "call-2")
    assert [each["reason"] for each in document["dead_letters"]] == ["conflicting_duplicate"]
    assert answer(explain, "call-3")["dead_letters"] == []


def test_a_line_adds_up_in_its_windows_and_in_what_rated_it(explain: Any) -> None:
    document = answer(explain, *LINE)
    mine = [row for row in explained.a_day() if row["tenant"] == "globex"]
    for name in AMOUNTS:
        expected = sum(row[name] or 0 for row in mine)
        assert Decimal(document["sums"]["USD"]["totals"][name]) == expected
        assert Decimal(document["sums"]["USD"]["ledger"][name]) == expected
        assert sum(Decimal(window["totals"][name]) for window in document["windows"]) == expected
        assert sum(Decimal(each["sums"][name]) for each in document["rated_by"]) == expected
    assert document["sums"]["USD"]["totals"]["ledger_rows"] == len(mine)
    assert document["sums"]["USD"]["totals"]["unpriced_events"] == 1
    assert document["holds"]


@pytest.mark.parametrize(
    ("option", "value", "column"),
    [
        ("--feature", "pages", "feature"), ("--model", "nw-new", "model"), ("--rule", "globex-pages", "rule_id"),
        ("--provider", "northwind", "provider"), ("--mode", "standard", "mode"), ("--workspace", "", "workspace"),
        ("--currency", "USD", "currency"),
    ],
)  # fmt: skip
def test_a_line_is_narrowed_by_each_option(explain: Any, option: str, value: str, column: str) -> None:
    mine = [row for row in explained.a_day() if row["tenant"] == "globex" and row[column] == value]
    document = answer(explain, *LINE, option, value)
    assert sum(each["sums"]["ledger_rows"] for each in document["rated_by"]) == len(mine) > 0
    assert answer(explain, *LINE, option, value)["narrowed"] == {column: value}


@pytest.mark.parametrize(("skip", "limit"), [(0, 1), (0, 3), (1, 2), (2, 50), (9, 2)])
def test_the_events_shown_and_the_rest_add_up_to_the_window(explain: Any, skip: int, limit: int) -> None:
    window = ("acme/globex", "--window", "2026-02-01T12:00:00Z")
    everything = answer(explain, *window)
    [whole] = everything["pages"]
    assert whole["not_shown"]["ledger_rows"] == 0
    [page] = answer(explain, *window, "--skip", str(skip), "--limit", str(limit))["pages"]
    assert page["events"] == whole["events"][skip : skip + limit]
    for name in AMOUNTS:
        shown = sum(Decimal(each["amounts"][name] or 0) for each in page["events"])
        assert shown + Decimal(page["not_shown"][name]) == Decimal(page["all_events"][name])
        assert page["all_events"][name] == everything["sums"]["USD"]["totals"][name]
    assert page["not_shown"]["ledger_rows"] + len(page["events"]) == page["all_events"]["ledger_rows"] == 6
    code, out, _ = explain(*window, "--skip", str(skip), "--limit", str(limit))
    amounts = [Decimal(found) for found in re.findall(r" ([-\d.]+\d)$", out.split("────")[0], re.MULTILINE)]
    assert (code, sum(amounts)) == (0, Decimal(everything["sums"]["USD"]["totals"]["customer_charge"]))


def test_windows_left_out_stand_in_one_row_with_their_sum(explain: Any) -> None:
    _, out, _ = explain(*LINE, "--limit", "1")
    assert "and 1 window more" in out
    _, out, _ = explain(*LINE, "--skip", "1")
    assert "1 window before" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("acme/globex",), "is a tenant with usage in 2026-02: a line needs its period, such as --period 2026-02."),
        (("acme/globex", "--period", "2026-05"), "has no usage from 2026-05-01T00:00Z to 2026-06-01T00:00Z; it has"),
        (("acme/nobody", "--period", "2026-02"), "Nothing is known of acme/nobody"),
        (("acme/globex", "--window", "2026-02-01T12:30:00Z"), "in a window starting 2026-02-01T12:30:00Z"),
        (("acme/globex", "--period", "2026-02", "--feature", "x"), "has no usage with feature x"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_there_is_answered_with_what_is(
    explain: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = explain(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err


async def test_a_total_that_is_not_its_ledger_rows_is_told_loudly(explain: Any, sink: ClickHouseSink) -> None:
    row = explained.stored(rows.ledger_row(30, tenant="wrong", id="w1"))
    [total] = rows.totals_of([row])
    await sink.write_ledger(rows.ledger([row]))
    await sink.write_totals(rows.totals([total | {"customer_charge": Decimal("1.000000000001")}]))
    asked = ("acme/wrong", "--period", "2026-01")
    code, out, _ = await asyncio.to_thread(explain, *asked)
    assert (code, "ATTENTION" in out, "1.000000000001" in out) == (1, True, True)
    document = await asyncio.to_thread(answer, explain, *asked, code=1)
    assert (document["holds"], document["windows"][0]["holds"]) == (False, False)


async def test_an_amount_that_the_books_do_not_give_is_told_loudly(explain: Any, sink: ClickHouseSink) -> None:
    row = explained.stored(billed(31, {"input_tokens": "1000"}, tenant="cent"))
    row |= {"customer_charge": row["customer_charge"] + Decimal("0.000000000001")}
    row |= {"builder_earnings": row["builder_earnings"] + Decimal("0.000000000001")}
    await sink.write_ledger(rows.ledger([row]))
    code, out, _ = await asyncio.to_thread(explain, row["id"])
    assert (code, out.startswith("ATTENTION")) == (1, True)
    document = await asyncio.to_thread(answer, explain, row["id"], code=1)
    assert [each["name"] for each in document["rows"][0]["explained"]["differences"]] == [
        "customer_charge", "builder_earnings",
    ]  # fmt: skip


async def test_rows_of_a_flush_under_way_are_counted_apart(explain: Any, sink: ClickHouseSink) -> None:
    stored = explained.stored(rows.ledger_row(40, tenant="busy", id="b1"))
    arriving = explained.stored(rows.ledger_row(50, tenant="busy", id="b2"))
    await sink.write_ledger(rows.ledger([stored, arriving]))
    await sink.write_totals(rows.totals(rows.totals_of([stored])))
    document = await asyncio.to_thread(answer, explain, "acme/busy", "--period", "2026-01")
    assert document["sums"]["USD"]["ledger"]["ledger_rows"] == 1
    assert document["sums"]["USD"]["pending"]["ledger_rows"] == 1
    _, out, _ = await asyncio.to_thread(explain, "acme/busy", "--window", "2026-01-15T10:00:00Z")
    assert "1 ledger row just stored and in no total yet" in out


async def test_amounts_of_two_currencies_are_never_added_up(explain: Any, sink: ClickHouseSink) -> None:
    both = [
        explained.stored(rows.ledger_row(offset, tenant="two", id=f"c{offset}", currency=currency))
        for offset, currency in ((60, "USD"), (61, "EUR"))
    ]
    await sink.write_ledger(rows.ledger(both))
    await sink.write_totals(rows.totals(rows.totals_of(both)))
    document = await asyncio.to_thread(answer, explain, "acme/two", "--window", "2026-01-15T10:00:00Z")
    assert {page["currency"]: page["all_events"]["customer_charge"] for page in document["pages"]} == {
        "EUR": "1.000000000000", "USD": "1.000000000000",
    }  # fmt: skip
    _, out, _ = await asyncio.to_thread(explain, "acme/two", "--period", "2026-01")
    assert ("1.000000000000 USD" in out, "1.000000000000 EUR" in out, "2.000000000000" in out) == (True, True, False)


async def test_names_that_look_like_sql_are_names(explain: Any, sink: ClickHouseSink) -> None:
    name = "o'neil\\') OR 1=1 --"
    row = explained.stored(rows.ledger_row(70, tenant=name, id=name, feature=name))
    await sink.write_ledger(rows.ledger([row]))
    await sink.write_totals(rows.totals(rows.totals_of([row])))
    document = await asyncio.to_thread(answer, explain, f"acme/{name}", "--period", "2026-01", "--feature", name)
    assert document["sums"]["USD"]["totals"]["ledger_rows"] == 1
    code, out, _ = await asyncio.to_thread(explain, "event", name)
    assert (code, f"event       {name} from gateway-1" in out) == (1, True)  # its books were never published
