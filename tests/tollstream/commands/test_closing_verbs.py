"""`tollstream plans`, `fx`, `grants`, `close` and `statement`: what they print, refuse, and exit with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.client import Client
from tests.support.closing_desk import PLANS, TENANT, ClosingDesk, emptied, migrated
from tollstream import cli
from tollstream.closing.steps import read_entries

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
WHO = ("--by", "ada", "--reason", "a test")
UNREACHABLE = ("--accept-lag", *WHO)  # no broker here


class Terminal:
    """Runs verbs; answers what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        found = cli.main(list(words))
        said = self._capsys.readouterr()
        assert found == code, said
        return said.out if code != 2 else said.err

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture(scope="module")
def schema(clickhouse_url: str) -> Iterator[Client]:
    with migrated(clickhouse_url) as client:
        yield client


@pytest.fixture
def desk(schema: Client, monkeypatch: pytest.MonkeyPatch) -> ClosingDesk:
    configuration = schema.configuration
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", configuration.url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    monkeypatch.setenv("TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    return ClosingDesk(emptied(schema))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def plan_file(folder: Path, *tenants: str, version: str = "plans-1", since: str = "2020-01-01", more: str = "") -> str:
    named = "".join(TENANT.format(tenant=tenant, more=more) for tenant in tenants)
    text = PLANS.format(version=version, since=f"{since}T00:00:00Z", kind="month", zone="UTC", tenants=named)
    file = folder / f"{version}.toml"
    file.write_text(text)
    return str(file)


def test_a_plan_book_is_checked_published_shown_and_listed(desk: ClosingDesk, run: Terminal, tmp_path: Path) -> None:
    file = plan_file(tmp_path, "globex")
    assert run.json("plans", "check", file)["ok"] is True
    assert "Nothing was recorded" in run("plans", "publish", file, *WHO, "--dry-run")
    assert "[]" in run("plans", "history", "--builder", "acme", "--json")
    assert run.json("plans", "publish", file, *WHO)["number"] == 1
    assert run.json("plans", "publish", file, *WHO)["stood_before"] is True
    assert "is published, by ada" in run("plans", "publish", file, *WHO)
    assert "published by ada" in run("plans", "check", file)
    later = plan_file(tmp_path, "globex", "zeta", version="plans-2", since="2026-03-01")
    run("plans", "publish", later, *WHO)
    assert [each["version"] for each in run.json("plans", "history", "--builder", "acme")] == ["plans-1", "plans-2"]
    assert run("plans", "show", "plans-1", "--builder", "acme") == Path(file).read_text()
    assert "has no version of its plans published as 'x'" in run("plans", "show", "x", "--builder", "acme", code=2)


@pytest.mark.parametrize(
    ("zone", "cut"),
    [
        (
            "Asia/Kolkata",
            "cuts windows of 3600 seconds: close it in another time zone, or count in windows of 1800, 900",
        ),
        ("Australia/Lord_Howe", "cuts windows of 3600 seconds"),  # only while its clocks are at +10:30
        ("Europe/Madrid", ""),
    ],
)
def test_a_plan_book_whose_periods_cut_windows_is_refused_before_anything_hangs_on_it(
    desk: ClosingDesk, run: Terminal, tmp_path: Path, zone: str, cut: str
) -> None:
    file = Path(plan_file(tmp_path, "globex"))
    file.write_text(file.read_text().replace("UTC", zone))
    if cut:
        assert cut in run("plans", "publish", str(file), *WHO, code=2)
        assert cut in run.json("plans", "check", str(file), code=1)["errors"][0]
        assert run.json("plans", "history", "--builder", "acme") == []
    else:
        assert run.json("plans", "check", str(file))["ok"] is True
        run("plans", "publish", str(file), *WHO)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": "plans-1", "since": "2020-02-01"}, "is published with another text, by ada"),
        ({"version": "plans-2", "since": "2020-01-01"}, "both start at 2020-01-01"),
        ({"version": "plans-2", "since": "2026-01-31"}, "periods are closed until 2026-02-01T00:00:00"),
    ],
)
async def test_a_plan_book_that_would_change_the_past_is_refused(
    desk: ClosingDesk, run: Terminal, tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    run_file = plan_file(tmp_path, "globex")
    await desk.plan("globex")
    assert run_file
    if "2026-01-31" in change["since"]:
        desk.store_rows(desk.usage("globex", JANUARY))
        await desk.close("2026-01")
    changed = plan_file(tmp_path, "globex", **change)
    assert sentence in await asyncio.to_thread(run, "plans", "publish", changed, *WHO, code=2)
    assert sentence in (await asyncio.to_thread(run.json, "plans", "check", changed, code=1))["errors"][0]


def test_a_rate_is_recorded_once_and_never_changed(desk: ClosingDesk, run: Terminal, tmp_path: Path) -> None:
    one = ("fx", "add", "--day", "2026-01-30", "--base", "USD", "--quote", "EUR", "--source", "ECB", *WHO)
    assert run(*one, "--rate", "0.9182") == "1 recorded.\n"
    assert run(*one, "--rate", "0.91820") == "0 recorded, 1 stood already.\n"
    assert "is 0.9182 on record, by ada (ECB): a rate is never changed" in run(*one, "--rate", "0.92", code=2)
    file = tmp_path / "rates.csv"
    file.write_text("day,base,quote,rate\n2026-01-30,USD,EUR,0.9182\n2026-01-31,USD,EUR,0.9\n2026-01-31,USD,JPY,155\n")
    assert run.json("fx", "add", "--file", str(file), "--source", "ECB", *WHO)["recorded"][1]["rate"] == "155"
    assert [each["rate"] for each in run.json("fx", "list", "--quote", "EUR")] == ["0.9", "0.9182"]
    assert "0.9182" in run("fx", "list")
    for text, sentence in (
        ("day,base,quote\n", "no column rate"),
        ("day,base,quote,rate\n2026-01-32,USD,EUR,1\n", "line 2: '2026-01-32' is no day"),
        ("day,base,quote,rate\n2026-01-31,USD,EU,1\n", "'EU' is no currency code"),
        ("day,base,quote,rate\n2026-01-31,USD,EUR,-1\n", "line 2: rate: -1 is outside"),
        ("day,base,quote,rate\n2026-02-01,USD,EUR,1\n2026-02-01,USD,EUR,2\n", "stands twice, as 1 and 2"),
    ):
        file.write_text(text)
        assert sentence in run("fx", "add", "--file", str(file), "--source", "ECB", *WHO, code=2)
    assert len(run.json("fx", "list")) == 3


async def test_a_grant_with_an_id_is_granted_once_however_often_it_is_asked_for(
    desk: ClosingDesk, run: Terminal
) -> None:
    await desk.plan("globex")

    def grant(*words: str, code: int = 0) -> Any:
        return run("grants", "add", "acme/globex", *words, *WHO, code=code)

    gift = ("--kind", "goodwill", "--quantity", "3", "--unit", "requests", "--id", "sorry-1")
    assert "sorry-1: 3 requests (goodwill) granted, by ada" in await asyncio.to_thread(grant, *gift)
    assert "stands already" in await asyncio.to_thread(grant, *gift)
    other = ("--kind", "goodwill", "--quantity", "4", "--unit", "requests", "--id", "sorry-1")
    assert "has a grant sorry-1 with other terms, by ada" in await asyncio.to_thread(grant, *other, code=2)
    sentences = {
        ("--kind", "promotional", "--quantity", "3", "--price", "1"): "A promotional credit is given, it has no price",
        ("--kind", "prepaid", "--quantity", "3", "--currency", "EUR"): "plans are in USD: a credit cannot be in EUR",
        ("--kind", "prepaid", "--quantity", "0"): "a quantity is above 0",
        ("--kind", "prepaid", "--quantity", "1.5e"): "is no decimal number",
        ("--top-up", "none"): "globex cannot buy top-up 'none': the tenant's plan offers none",
        ("--kind", "goodwill", "--quantity", "3", "--unit", "request"): "'request' is no meter, such as requests:",
        ("--top-up", "none", "--id", "x" * 257): "--id is longer than 256 bytes",
        ("--top-up", "none", "--label", "two\nlines"): "--label is longer than 256 bytes, or more than one line",
        (): "Say what is granted",
    }
    for words, sentence in sentences.items():
        assert sentence in await asyncio.to_thread(grant, *words, code=2)
    [listed] = await asyncio.to_thread(run.json, "grants", "list", "acme/globex")
    assert (listed["id"], listed["quantity"], listed["used"], listed["by"]) == ("sorry-1", "3", "0", "ada")


def test_a_period_is_tried_closed_and_its_statements_are_shown(
    desk: ClosingDesk, run: Terminal, tmp_path: Path
) -> None:
    asyncio.run(desk.publish_rules())
    run("plans", "publish", plan_file(tmp_path, "globex"), *WHO)
    desk.store_rows(*(desk.usage("globex", JANUARY + timedelta(hours=hour), "0.50") for hour in range(4)))
    desk.store_rows(desk.usage("zeta", JANUARY, "0.25"))
    close = ("close", "--builder", "acme", "--period", "2026-01")
    tried = run.json(*close, "--dry-run", code=1)
    assert [each["kind"] for each in tried["problems"]] == ["lag"]
    assert (tried["statements"], tried["totals"]["USD"]["net"]) == (2, "9.75")
    assert "2 statements of 2 tenants" in run(*close, "--dry-run", code=1)
    assert "127.0.0.1:9 does not say where topic usage.raw ends" in run(*close, "--by", "ada", code=2)
    assert "say who and why with --by NAME --reason TEXT" in run(*close, "--accept-lag", code=2)
    assert "has no statements" in run("statement", "acme", code=2)

    closed = run.json(*close, *UNREACHABLE)
    assert (closed["state"], closed["statements"], closed["first"], closed["last"]) == (
        "closed", 2, "acme-000001", "acme-000002",
    )  # fmt: skip
    assert closed["accepted"]["lag"]["by"] == "ada"
    assert run.json(*close)["stood_before"] is True
    assert "was closed by ada" in run(*close)

    document = run.json("statement", "acme-000001")
    assert document == run.json("statement", "acme/globex", "--period", "2026-01")
    lines = {line["key"]: line for line in document["lines"]}
    explain = "tollstream explain acme/globex --period 2026-01 --rule markup-43"
    assert lines["usage/markup-43"]["explain"] == explain
    assert lines["subscription/2026-01-01/team"]["explain"] is None
    text = run("statement", "acme/globex")
    assert explain in text
    assert "acme-000001" in text
    windows = run.json(*explain.split()[1:])["windows"]  # the command that it names, run
    assert sum(Decimal(each["ledger"]["customer_charge"]) for each in windows) == Decimal("2.00")
    assert lines["usage/markup-43"]["amount"] == "2.00"
    page = tmp_path / "statement.html"
    run("statement", "acme-000001", "--format", "html", "--output", str(page))
    assert b"acme-000001" in page.read_bytes()
    listed = run.json("statement", "acme", "--period", "2026-01")
    assert [(each["reference"], each["tenant"], each["due"]) for each in listed] == [
        ("acme-000001", "globex", "9.50"),
        ("acme-000002", "zeta", "0.25"),
    ]
    assert "acme has no statements for 2026-02" in run("statement", "acme", "--period", "2026-02", code=2)
    assert "There is no statement acme/nobody" in run("statement", "acme/nobody", code=2)
    assert "There is no statement acme-000009" in run("statement", "acme-000009", code=2)


def test_a_period_that_is_written_wrongly_is_told_how_it_is_written(desk: ClosingDesk, run: Terminal) -> None:
    said = run("close", "--builder", "acme", "--period", "October", code=2)
    assert said == "tollstream: period 'October': a month is written like 2026-10. Nothing was closed.\n"
    long = run("close", "--builder", "acme", "--period", "2026-01", "--reason", "two\nlines", code=2)
    assert "or more than one line: shorten it" in long


@pytest.mark.parametrize("name", ["amce", ""])
def test_a_builder_that_nobody_has_heard_of_is_not_closed(desk: ClosingDesk, run: Terminal, name: str) -> None:
    desk.store_rows(desk.usage("globex", JANUARY))
    for words in ((), ("--dry-run",), UNREACHABLE):
        said = run("close", "--builder", name, "--period", "2026-01", *words, code=2)
        assert f"{name!r} is no Builder that has usage, plans or credits: check the name. Nothing was closed." in said
    assert asyncio.run(read_entries(desk.store, name)) == []


def test_a_builder_with_plans_and_without_usage_is_closed(desk: ClosingDesk, run: Terminal, tmp_path: Path) -> None:
    run("plans", "publish", plan_file(tmp_path, "globex"), *WHO)
    closed = run.json("close", "--builder", "acme", "--period", "2026-01", *UNREACHABLE)
    assert (closed["state"], closed["statements"]) == ("closed", 1)
