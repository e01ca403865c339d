"""Live balances on the real engine: the same as a closing comes to, whatever is open, closed or still granted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.periods import MONTHS, period_of
from billing.statements import Statement
from tests.support.running_usage import BUILDER, PLANS_TEXT, RunningUsage
from tollstream import cli
from tollstream.balances.reading import Balance, LiveBalances, portions

NOW = datetime.now(UTC)
THIS = period_of(MONTHS, NOW)
LAST = MONTHS.previous(THIS)
BEFORE = MONTHS.previous(LAST)


@pytest.fixture
async def usage(clickhouse_url: str) -> AsyncIterator[RunningUsage]:
    running = await RunningUsage.open(clickhouse_url)
    yield running
    running.end()


async def balance(usage: RunningUsage, tenant: str) -> Balance:
    live = LiveBalances(usage.client)
    outlook = await live.outlook(BUILDER)
    [[found]] = [portion async for portion in live.read(outlook, [tenant])]
    return found


def standings(found: Balance) -> dict[str, Any]:
    """Used and limit by key."""
    assert found.statement is not None, found.refusal
    return {standing.key: (standing.used, standing.limit) for standing in found.statement.standings}


async def test_allowance_cap_and_credit_so_far(usage: RunningUsage) -> None:
    await usage.plan(included="10", cap="100")
    await usage.grant("gift", "globex", "20")
    usage.use("globex", "37")
    usage.use("globex", "-2")
    usage.use("initech", "3")
    await usage.flush()
    found = await balance(usage, "globex")
    assert standings(found) == {"pro/included": (10, 10), "gift": (20, 20), "cap": (25, 100)}
    assert found.past_cap == "stop"
    assert standings(await balance(usage, "initech")) == {"pro/included": (3, 10), "cap": (0, 100)}


async def test_what_an_open_period_has_drawn_is_gone_before_it_is_closed_and_after_it_alike(
    usage: RunningUsage,
) -> None:
    await usage.plan(included="10", cap="100")
    await usage.grant("gift", "globex", "50")
    usage.use("globex", "30", LAST.start + timedelta(days=3))
    usage.use("globex", "15", NOW)
    await usage.flush()
    before = await balance(usage, "globex")
    assert standings(before) == {"pro/included": (10, 10), "gift": (25, 50), "cap": (5, 100)}
    await usage.close(LAST.label)
    after = await balance(usage, "globex")
    assert standings(after) == standings(before)
    assert before.statement is not None
    assert after.statement is not None
    assert after.statement.lines == before.statement.lines


async def test_late_usage_of_a_closed_period_draws_credits_in_the_running_one(usage: RunningUsage) -> None:
    await usage.plan(included="10", cap="100")
    await usage.grant("gift", "globex", "50")
    usage.use("globex", "30", LAST.start)
    await usage.flush()
    await usage.close(LAST.label)
    usage.use("globex", "7", LAST.start)
    await usage.flush()
    found = await balance(usage, "globex")
    assert standings(found) == {"pro/included": (0, 10), "gift": (27, 50), "cap": (0, 100)}
    assert found.statement is not None
    assert [line.kind for line in found.statement.lines] == ["adjustment", "adjustment"]


async def test_a_rollover_that_is_not_granted_yet_is_there(usage: RunningUsage) -> None:
    text = """
version = "plans-1"
effective_from = 2020-01-01T00:00:00Z
builder = "acme"
currency = "USD"
default_plan = "pro"
plans = [{ id = "pro", label = "Pro", units = [{ meter = "tasks", one = "task", many = "tasks" }], allowances = [
    { id = "included", label = "Included", unit = "tasks", quantity = "10", rollover = true } ] }]
"""
    await usage.publish_plans(text)
    usage.use("globex", "4", LAST.start)
    usage.use("globex", "12", NOW)
    await usage.flush()
    expected = {"pro/included": (10, 10), f"rollover/pro/included/{LAST.label}": (2, 6)}
    assert standings(await balance(usage, "globex")) == expected
    await usage.close(LAST.label)
    assert standings(await balance(usage, "globex")) == expected


async def test_a_balance_at_the_end_of_a_period_is_the_statement_that_closes_it(usage: RunningUsage) -> None:
    """The arithmetic of both is one function; here both read it out of the store."""
    await usage.plan(included="10", cap="40")
    for number in range(20):
        usage.use(f"t{number}", str(number * 3), LAST.start + timedelta(hours=number))
        await usage.grant(f"g{number}", f"t{number}", "9.5") if number % 3 == 0 else None
    await usage.flush()
    live = LiveBalances(usage.client)
    known = await live.known(BUILDER)
    from tollstream.balances.outlook import outlook_of
    from tollstream.closing.freezing import read_cut

    outlook = outlook_of(known, await read_cut(usage.store), LAST.end - timedelta(microseconds=1))
    names = await live.tenants(outlook)
    found = {each.given.tenant: each.statement async for some in live.read(outlook, names) for each in some}
    await usage.close(LAST.label)
    from sinks.statements import StatementQuery

    heads = await usage.store.read_heads(StatementQuery(BUILDER, period=LAST.label))
    assert len(heads) >= 13
    for head in heads:
        made = found[head.tenant]
        assert isinstance(made, Statement)
        assert (made.totals.net, made.totals.due) == (head.net, head.due)


async def test_whoever_has_a_plan_has_a_balance_before_anything_is_used(usage: RunningUsage) -> None:
    await usage.publish_plans(
        PLANS_TEXT.format(version="plans-1", since="2020-01-01T00:00:00Z", builder=BUILDER, cap="100", included="10")
        + '[[tenants]]\ntenant = "globex"\nplan = "pro"\nsince = 2020-01-01\n'
        + '[[tenants]]\ntenant = "gone"\nplan = "pro"\nsince = 2020-01-01\nuntil = 2020-06-01\n'
    )
    live = LiveBalances(usage.client)
    assert await live.tenants(await live.outlook(BUILDER)) == ["globex"]
    assert standings(await balance(usage, "globex")) == {"pro/included": (0, 10), "cap": (0, 100)}


async def test_an_installation_that_never_closes_goes_back_to_its_beginnings(usage: RunningUsage) -> None:
    await usage.plan(included="0.5", cap="1000")
    await usage.grant("gift", "globex", "60", granted_at=BEFORE.start)
    for period in (BEFORE, LAST):
        usage.use("globex", "20.5", period.start)
    usage.use("globex", "10.5")
    await usage.flush()
    assert standings(await balance(usage, "globex"))["gift"] == (50, 60)


async def test_the_view_of_analysts_holds_usage_since_the_last_closed_period(usage: RunningUsage) -> None:
    view = (
        f"SELECT tenant, since, customer_charge, usage FROM {usage.configuration.database}.usage_since_last_statement"
    )

    def ask() -> Any:
        rows = usage.client.query_rows(f"{view} ORDER BY tenant", doing="asking")
        return [(row["tenant"], _utc(row["since"]), row["customer_charge"], dict(row["usage"])) for row in rows]

    await usage.plan(included="10", cap="100")
    usage.use("globex", "30", LAST.start)
    usage.use("globex", "12", NOW)
    usage.use("initech", "5", LAST.start)
    await usage.flush()
    never = datetime(1970, 1, 1, tzinfo=UTC)
    assert ask() == [("globex", never, 42, {"tasks": 42}), ("initech", never, 5, {"tasks": 5})]
    await usage.close(LAST.label)
    assert ask() == [("globex", LAST.end, 12, {"tasks": 12})]
    usage.use("initech", "1", LAST.start)  # late: the next statement's, and not in this view
    await usage.flush()
    assert ask() == [("globex", LAST.end, 12, {"tasks": 12})]


def _utc(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


def test_names_are_asked_about_in_portions_that_fit_into_a_statement() -> None:
    names = [f"tenant-{number:05d}" for number in range(1203)]
    found = portions(names)
    assert [len(some) for some in found] == [500, 500, 203]
    assert sorted(name for some in found for name in some) == names
    assert portions([]) == []
    assert [len(some) for some in portions(["x" * 256 + str(number) for number in range(100)])] == [46, 46, 8]


def run(
    usage: RunningUsage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", usage.configuration.url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", usage.configuration.database)
    code = cli.main(["balance", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def stored(clickhouse_url: str) -> Any:
    """For the command line, which has a loop of its own."""
    import asyncio

    async def prepare() -> RunningUsage:
        usage = await RunningUsage.open(clickhouse_url)
        await usage.plan(included="10", cap="100")
        await usage.grant("gift", "globex", "20")
        usage.use("globex", "35")
        usage.use("initech", "3")
        await usage.flush()
        return usage

    usage = asyncio.run(prepare())
    yield usage
    usage.end()


def test_the_verb_shows_a_tenant(
    stored: RunningUsage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = run(stored, monkeypatch, capsys, "acme/globex")
    assert code == 0
    assert "acme/globex" in said
    assert "Spend cap (stop)" in said
    assert "25.00" in said
    assert max(map(len, said.splitlines())) <= 80
    code, said, _ = run(stored, monkeypatch, capsys, "acme/globex", "--json")
    record = json.loads(said)
    assert record["period"] == THIS.label
    assert record["spent"] == "25"
    assert record["cap"] == {
        "key": "cap", "label": "Spend cap", "unit": "USD", "used": "25", "limit": "100",
        "left": "75", "then": "stop",
    }  # fmt: skip
    assert [each["key"] for each in record["allowances"]] == ["pro/included"]
    assert [each["used"] for each in record["credits"]] == ["20"]
    assert sum(Decimal(line["amount"]) for line in record["lines"]) == Decimal(record["net"]) == 5


def test_the_verb_lists_a_builders_tenants(
    stored: RunningUsage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = run(stored, monkeypatch, capsys, "acme", "--limit", "1")
    assert code == 0
    assert "globex" in said
    assert "and 1 more" in said
    _, said, _ = run(stored, monkeypatch, capsys, "acme", "--json")
    record = json.loads(said)
    assert [each["tenant"] for each in record["tenants"]] == ["globex", "initech"]
    assert "lines" not in record["tenants"][0]


@pytest.mark.parametrize("who", ["acme/nobody", "nobody/at-all", "/x", "acme/"])
def test_nobody_is_a_sentence(
    stored: RunningUsage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], who: str
) -> None:
    code, said, told = run(stored, monkeypatch, capsys, who)
    if who == "acme/nobody":  # everybody has the Builder's default plan
        assert code == 0
        assert "Included tasks" in said
    else:
        assert code == 2
        assert told.startswith("tollstream: ")
