"""What the demonstration tells, for a small outcome worked out by the oracle alone."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from billing.surcharges import RuleBooks
from tollstream.commands.demo import BOOKS
from tollstream.demo.checks import Check, Killing, killing_checks, money_checks, outcome_checks
from tollstream.demo.oracle import Comparison, Published, recompute
from tollstream.demo.report import as_json, how_to_query, print_report
from tollstream.demo.run import Outcome
from topics.meters import load_catalogue

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
EVENT = {
    "specversion": "1.0",
    "type": "ai.usage.v1",
    "id": "1",
    "source": "/gateways/eu-1",
    "time": NOON.isoformat(),
    "subject": "deskline/globex",
    "data": {
        "builder": "deskline",
        "tenant": "globex",
        "feature": "chat",
        "provider": "openai",
        "model": "gpt-5-mini",
        "usage": {"input_tokens": 1000, "conversations": 1},
    },
}
KILLED = Killing(41, -9, (0, 1), stored=3, published=9, unfinished=(1,), taken_over=(1,))


@pytest.fixture
def outcome() -> Outcome:
    moment = int(NOON.timestamp()) * 1_000_000
    published = [Published(0, offset, 0, moment, "deskline/globex", json.dumps(EVENT)) for offset in range(2)]
    oracle = recompute(published, BOOKS / "prices.toml", BOOKS / "rules.toml", 3_600)
    sums = oracle.sums
    line = {
        "feature": "chat",
        "rule_id": "deskline-globex-conversations",
        "currency": "USD",
        "net_events": 1,
        "unpriced_events": 0,
        "customer_charge": sums["customer_charge"],
        "usage": {"input_tokens": Decimal(1000), "conversations": Decimal(1)},
    }
    outcome = Outcome(
        oracle=oracle,
        stored=oracle.outcomes,
        sums=sums,
        killing=KILLED,
        split=[{"builder": "deskline", "currency": "USD", "net_events": 1, **sums}],
        tenant=("deskline", "globex"),
        tenant_lines=[line],
        dead_letters={"not_json": 1},
        seconds=12.34,
    )
    outcome.checks = [
        *killing_checks(KILLED),
        *outcome_checks({"published": 2, "accepted": 1, "duplicates": 1}, outcome.stored, oracle),
        *money_checks(sums, [], outcome.comparison),
    ]
    return outcome


def told(outcome: Outcome) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_report(console, outcome, RuleBooks.load(BOOKS / "rules.toml"), load_catalogue())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_tenants_lines_are_in_plain_words_with_units_and_the_reason(outcome: Outcome) -> None:
    row = next(line for line in told(outcome).splitlines() if "Support conversations" in line)
    assert "1 use (1 conversation)" in row
    assert "0.01 USD" in row
    assert "Your contract: 0.8 cents for every conversation." in row
    assert "input" not in row


def test_the_three_sides_and_the_residual_are_shown_to_the_last_digit(outcome: Outcome) -> None:
    text = told(outcome)
    # 1,000 tokens at 0.25 per million = 0.00025: 70 % to the provider; 0.008 for the conversation
    for amount in ("0.008000000000", "0.000175000000", "0.000075000000", "0.007750000000", "0.000000000000"):
        assert amount in text
    assert "✗" not in text
    assert "not_json" in text


def test_the_object_has_every_key_and_money_as_strings(outcome: Outcome) -> None:
    said = as_json(outcome)
    assert said["holds"] is True
    assert (said["published"], said["accepted"], said["duplicates"], said["workers_killed"]) == (2, 1, 1, 1)
    assert said["customer_charge"] == said["oracle_customer_charge"] == "0.008000000000"
    assert said["residual"] == "0.000000000000"
    assert said["seconds"] == 12.3
    assert json.loads(json.dumps(said)) == said


@pytest.mark.parametrize(
    "killing",
    [
        Killing(41, 0, (0, 1), stored=3, published=9, unfinished=(1,), taken_over=(1,)),
        Killing(41, -9, (0, 1), stored=0, published=9, unfinished=(1,), taken_over=(1,)),
        Killing(41, -9, (0, 1), stored=9, published=9, unfinished=(), taken_over=()),
        Killing(41, -9, (0, 1), stored=3, published=9, unfinished=(0, 1), taken_over=(1,)),
    ],
    ids=["it ended by itself", "it had stored nothing", "it had stored everything", "nobody took over partition 0"],
)
def test_a_killing_that_proves_nothing_fails_its_checks(killing: Killing) -> None:
    assert not all(check.holds for check in killing_checks(killing))


def test_a_difference_of_one_last_digit_fails_the_demonstration(outcome: Outcome) -> None:
    outcome.comparison = Comparison(("total of …",), Decimal("0.000000000001"))
    outcome.checks = money_checks(outcome.sums, [], outcome.comparison)
    assert not outcome.holds
    assert as_json(outcome)["residual"] == "0.000000000001"


@pytest.mark.parametrize("count", ["published", "accepted", "duplicates", "dead_lettered", "voided", "unpriced"])
def test_an_outcome_counted_otherwise_by_the_workers_fails(outcome: Outcome, count: str) -> None:
    stored = {**outcome.stored, count: outcome.stored[count] + 1}
    checks = outcome_checks({"published": 2, "accepted": 1, "duplicates": 1}, stored, outcome.oracle)
    assert next(check.name for check in checks if not check.holds).startswith(count)


def test_an_outcome_without_checks_does_not_hold() -> None:
    assert not Outcome().holds
    assert Outcome(checks=[Check("x", holds=True, detail="")]).holds


def test_how_to_query_names_the_settings_file_and_the_log() -> None:
    text = how_to_query(Path("/data/demo"), "http://127.0.0.1:1", "tollstream")
    assert "export TOLLSTREAM_CONFIG=/data/demo/tollstream.toml" in text
    assert "/data/demo/published.jsonl" in text
