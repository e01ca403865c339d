"""The oracle against examples worked by hand: a scenario is a table, the money stands in it.

A row is `what key=value…`; usage, void, adjust and raw rows are records in the order of the log, on one partition.
Under a record stands what must become of it: `-> rated charge reward fee earnings`, `-> unpriced reason`,
`-> duplicate` or `-> dead reason`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.tollstream.demo.scenarios import SCENARIOS
from tollstream.demo.oracle import OracleResult, Published, compare, read_published, recompute, write_published
from tollstream.demo.oracle.ledger import Line

HOUR = 3_600
NOON = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z in microseconds

PRICES = """
version = "p1"
effective_from = 2026-01-01T00:00:00Z
currency = "USD"
default_reward_share = "0.70"
[[rewards]]
provider = "anthropic"
share = "0.75"
[[prices]]
provider = "openai"
model = "gpt-a"
[prices.meters]
input_tokens = { price = "2.50", per = 1_000_000 }   # 0.0000025
output_tokens = { price = "10", per = 1_000_000 }    # 0.00001
[[prices]]
provider = "openai"
model = "gpt-a"
region = "eu"
meters = { input_tokens = { price = "2.75", per = 1_000_000 } }
[[prices]]
provider = "openai"
model = "gpt-a"
mode = "batch"
meters = { input_tokens = { price = "1.25", per = 1_000_000 } }
[[prices]]
provider = "anthropic"
model = "claude-b"
meters = { input_tokens = { price = "3", per = 1_000_000 } }
[[prices]]
provider = "openai"
model = "gpt-odd"
meters = { input_tokens = "0.000000000001" }         # the smallest price there is
"""

RULES = """
version = "r1"
effective_from = 2026-01-01T00:00:00Z
[model_classes]
premium = ["claude-b"]
[[rules]]
id = "passed"
kind = "pass_through"
match = { builder = "b-pass" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "half"
kind = "markup"
percent = "50"
match = { builder = "b-markup" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "agency"
kind = "margin"
percent = "20"
match = { builder = "b-margin" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "third"
kind = "margin"
percent = "70"
match = { builder = "b-third" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "pages"
kind = "per_unit"
amount = "0.01"
meter = "pages"
match = { builder = "b-pages" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "talks"
kind = "unit_price"
amount = "0.05"
meter = "conversations"
match = { builder = "b-talks" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "plan"
kind = "included"
match = { builder = "b-plan" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "bounded"
kind = "markup"
percent = "0"
floor = "0.01"
cap = "0.02"
match = { builder = "b-bounded" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "premium"
kind = "markup"
percent = "100"
match = { builder = "b-markup", model_class = "premium" }
label = "x"
unit = "x"
reason = "x"
[[rules]]
id = "vip"
kind = "pass_through"
match = { tenant = "vip" }
label = "x"
unit = "x"
reason = "x"
"""

METERS = {"in": "input_tokens", "out": "output_tokens"}


def record(offset: int, words: str) -> Published:
    what, *pairs = words.split()
    fields = dict(pair.split("=", 1) for pair in pairs)
    seconds = int(fields.pop("time", "0"))
    data = {"tenant": "t", "provider": "openai", "model": "gpt-a"} if what == "usage" else {"tenant": "t"}
    identifier, target = fields.pop("id"), fields.pop("target", None)
    if target:
        data |= {"target_source": "s", "target_id": target, "reason": "why"}
    if what == "adjust":
        names = {"charge": "customer_charge", "reward": "provider_reward", "fee": "platform_fee"}
        values = [(name, fields.pop(name)) for name in ("charge", "reward", "fee", "earnings")]
        data["amounts"] = {names.get(name, "builder_earnings"): value for name, value in values}  # type: ignore[assignment]
        if "by" in fields:
            texts = fields.pop("by").split(":")
            data["pricing"] = dict(zip(("price_version", "rule_version", "rule_id", "currency"), texts, strict=True))  # type: ignore[assignment]
    tags = {"builder", "tenant", "provider", "model", "mode", "region", "feature"}
    data |= {name: value for name, value in fields.items() if name in tags}
    if what == "usage":
        data["usage"] = {METERS.get(name, name): fields[name] for name in fields if name not in tags}  # type: ignore[assignment]
    moment = NOON // 1_000_000 + seconds
    kind = {"usage": "ai.usage.v1", "void": "ai.usage.void.v1", "adjust": "ai.usage.adjustment.v1"}[what]
    subject = f"{data['builder']}/{data['tenant']}"
    event = {"specversion": "1.0", "type": kind, "id": identifier, "source": "s", "subject": subject, "data": data}
    event["time"] = datetime.fromtimestamp(moment, UTC).isoformat()
    return Published(0, offset, 0, NOON, subject, json.dumps(event))


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("books")
    (folder / "prices.toml").write_text(PRICES)
    (folder / "rules.toml").write_text(RULES)
    return folder / "prices.toml", folder / "rules.toml"


def run(scenario: str, books: tuple[Path, Path]) -> tuple[list[str], OracleResult]:
    """The expected outcomes, and what the oracle says."""
    rows = [line for line in map(str.strip, scenario.splitlines()) if line and not line.startswith("#")]
    records = [record(offset, row.split("->")[0]) for offset, row in enumerate(rows)]
    return [row.split("->")[1].strip() for row in rows], recompute(records, *books, window_seconds=HOUR)


def said(result: OracleResult, offset: int) -> str:
    place = (0, offset, 0)
    if place in result.dead_letters:
        return f"dead {result.dead_letters[place]}"
    line: Line | None = result.lines.get(place)
    if line is None:
        return "duplicate"
    if line.amounts is None:
        return f"unpriced {line.rating.unpriced_reason}"
    return "rated " + " ".join(map(shown, line.amounts))


def shown(amount: Decimal) -> str:
    """Plain, without trailing zeros; the very small in units of the last place."""
    if 0 < abs(amount) < Decimal("1e-10"):
        return f"{amount.scaleb(12):f}".removesuffix(".000000000000") + "e-12"
    return f"{amount.normalize():f}" if amount else "0"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_oracle_says_what_was_worked_by_hand(name: str, books: tuple[Path, Path]) -> None:
    expected, result = run(SCENARIOS[name], books)
    assert [said(result, offset) for offset in range(len(expected))] == expected
    outcomes = result.outcomes
    assert outcomes["published"] == outcomes["accepted"] + outcomes["duplicates"] + outcomes["dead_lettered"]


def test_a_void_is_counted_in_its_targets_window(books: tuple[Path, Path]) -> None:
    _, result = run(
        """
        usage id=1 builder=b-pass in=1000 time=-7200 -> x
        usage id=2 builder=b-pass in=1000 time=-7199 -> x
        void  id=3 builder=b-pass target=1           -> x
        """,
        books,
    )
    [(key, total)] = result.totals.items()
    assert key == ("b-pass", "t", NOON // 1_000_000 - 7200, "USD")
    assert total.amounts == [Decimal("0.0025"), Decimal("0.00175"), Decimal("0.00075"), Decimal(0)]
    assert (total.ledger_rows, total.net_events, total.unpriced_events) == (3, 1, 0)


def test_usage_that_was_rated_later_waits_no_longer_and_its_money_stands_where_the_re_rating_said(
    books: tuple[Path, Path],
) -> None:
    _, result = run(SCENARIOS["re-ratings"], books)
    assert [line.pricing for line in result.lines.values()] == [
        "unpriced", "rated_later", "rerated", "rated", "rated", "rerated",
    ]  # fmt: skip
    assert {line.rating.rule_id for line in result.lines.values() if line.rating.currency == "EUR"} == {"up"}
    eur = next(total for key, total in result.totals.items() if key[-1] == "EUR")
    assert (eur.amounts, eur.unpriced_events, eur.net_events) == ([Decimal(0)] * 4, -1, -1)
    assert sum(total.unpriced_events for total in result.totals.values()) == 0


def stored(result: OracleResult) -> tuple[list[dict[str, object]], list[dict[str, object]], list[dict[str, object]]]:
    """What a store that agrees would answer."""
    names = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
    totals: list[dict[str, object]] = [
        dict(zip(("builder", "tenant", "window_start", "currency"), key, strict=True))
        | dict(zip(names, total.amounts, strict=True))
        | {name: getattr(total, name) for name in ("ledger_rows", "net_events", "unpriced_events")}
        for key, total in result.totals.items()
    ]
    ledger: list[dict[str, object]] = [
        {"source_partition": place[0], "source_offset": place[1], "batch_index": place[2], "kind": line.kind}
        | {"builder": line.builder, "tenant": line.tenant, "window_start": line.window_start}
        | {"currency": line.rating.currency, "pricing": line.pricing}
        | dict(zip(names, line.amounts or (None,) * 4, strict=True))
        for place, line in result.lines.items()
    ]
    letters: list[dict[str, object]] = [
        {"source_partition": place[0], "source_offset": place[1], "batch_index": place[2], "reason": reason}
        for place, reason in result.dead_letters.items()
    ]
    return totals, ledger, letters


@pytest.fixture
def agreed(books: tuple[Path, Path]) -> OracleResult:
    return run(SCENARIOS["every kind of rule"] + SCENARIOS["what cannot be billed"].replace("id=", "id=x"), books)[1]


def test_a_store_that_agrees_has_no_differences(agreed: OracleResult) -> None:
    totals, ledger, letters = stored(agreed)
    comparison = compare(agreed, totals=totals, ledger=ledger, dead_letters=letters)
    assert comparison.equal
    assert comparison.residual == 0


def test_two_differences_that_cancel_each_other_out_still_show(agreed: OracleResult) -> None:
    totals, ledger, _ = stored(agreed)
    ledger[0]["customer_charge"] = Decimal("0.0045") + Decimal("0.000000000001")
    ledger[1]["customer_charge"] = Decimal("0.00675") - Decimal("0.000000000001")
    comparison = compare(agreed, totals=totals, ledger=ledger)
    assert comparison.residual == Decimal("0.000000000002")
    assert len(comparison.differences) == 2
    assert "ledger row at (0, 0, 0), customer_charge" in comparison.differences[0]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda totals, ledger, letters: totals.pop(), "total of "),
        (lambda totals, ledger, letters: totals.append(totals[0]), "total of "),
        (lambda totals, ledger, letters: ledger.pop(), "missing in the store"),
        (lambda totals, ledger, letters: ledger.append(ledger[0]), "unknown to the oracle, or there twice"),
        (lambda totals, ledger, letters: ledger[0].update(window_start=0), "key: the oracle says"),
        (lambda totals, ledger, letters: ledger[0].update(customer_charge=None, pricing="unpriced"), "pricing"),
        (lambda totals, ledger, letters: letters.pop(), "dead letter at"),
        (lambda totals, ledger, letters: letters[0].update(reason="too_late"), "dead letter at"),
    ],
)
def test_whatever_the_store_has_otherwise_is_named(agreed: OracleResult, spoil: object, sentence: str) -> None:
    totals, ledger, letters = stored(agreed)
    spoil(totals, ledger, letters)  # type: ignore[operator]
    comparison = compare(agreed, totals=totals, ledger=ledger, dead_letters=letters)
    assert not comparison.equal
    assert any(sentence in difference for difference in comparison.differences), comparison.differences


def test_what_was_published_survives_being_written_to_a_file(tmp_path: Path) -> None:
    published = [
        Published(1, 0, 0, NOON, None, None),
        Published(0, 5, 1, NOON, "b/ü", '{"a": "\u2028"}'),
        Published(0, 5, 0, NOON, "b/t", b"\xff{".decode("utf-8", "surrogateescape"), "text/plain"),
    ]
    write_published(tmp_path / "published.jsonl", published)
    assert list(read_published(tmp_path / "published.jsonl")) == [published[2], published[1], published[0]]
