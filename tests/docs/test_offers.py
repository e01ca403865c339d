"""docs/offers: each worked example is rated by the rater, and worked out again in the page's own steps.

The page is the test's input: its price book, the template that it names, its events; and its expected outcome, twice:
as a table of amounts, and as steps of plain arithmetic which share no code with rating.
"""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from billing.surcharges.lints import lint
from billing.surcharges.precedence import names, precedence, terms
from billing.surcharges.templates import OFFERS
from tests.support import pages
from tests.support.rating import frames
from tollstream import cli
from tollstream.commands.rate import command as rate
from tollstream.commands.rules.new import command as new_rules
from topics.meters import load_catalogue

FOLDER = pages.DOCS / "offers"
WHEN = datetime(2026, 12, 15, 10, tzinfo=UTC)
COLUMNS = {
    "AI costs": "base_cost",
    "customer pays": "customer_charge",
    "Builder earns": "builder_earnings",
    "provider gets": "provider_reward",
    "platform keeps": "platform_fee",
}
STEPS = dict(zip(("costs", "pays", "earns", "provider", "platform"), COLUMNS, strict=True))
STEP = re.compile(r"^(\w+) (costs|pays|earns|provider|platform) += (.+?) += (-?[\d.]+)$")

every_offer = pytest.mark.parametrize("offer", sorted(OFFERS))


def _page(offer: str) -> str:
    return (FOLDER / f"{offer}.md").read_text(encoding="utf-8")


def _prices(page: str) -> PriceBook:
    return parse_version(pages.block(page, "toml"), ".toml", "the page's price book", PriceBook)


def _rules(page: str, folder: Path) -> RuleBook:
    """What the command on the page writes."""
    words = shlex.split(pages.block(page, "shell"))
    assert words[:3] == ["tollstream", "rules", "new"]
    file = folder / "rules.toml"
    arguments = [str(file) if word == "rules.toml" else word for word in words[3:]]
    result = CliRunner().invoke(new_rules, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return RuleBooks.load(file).versions[0]


def _builder(page: str) -> str:
    words = shlex.split(pages.block(page, "shell"))
    return words[words.index("--builder") + 1]


def _events(page: str) -> list[dict[str, Any]]:
    rows = []
    for row in pages.table(pages.section(page, "The events")):
        usage = dict(part.split(" ") for part in row.pop("usage").split(", "))
        quantities = {meter: Decimal(quantity) for meter, quantity in usage.items()}
        rows.append({"event": row.pop("event"), "tags": row | {"builder": _builder(page)}, "usage": quantities})
    return rows


def _rated(page: str, folder: Path) -> list[dict[str, Any]]:
    rater = Rater(PriceBooks([_prices(page)]), RuleBooks([_rules(page, folder)]))
    events = _events(page)
    rated = rater.rate(*frames([(WHEN, each["tags"], each["usage"]) for each in events])).to_dicts()
    return [{"event": event["event"], **row} for event, row in zip(events, rated, strict=True)]


def _expected(page: str) -> list[dict[str, str]]:
    return pages.table(pages.section(page, "What each one comes to"))


def test_there_is_a_page_for_every_template_and_a_template_for_every_page() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(OFFERS)


@every_offer
def test_the_rater_says_what_the_table_says(offer: str, tmp_path: Path) -> None:
    page = _page(offer)
    *expected, total = _expected(page)
    rated = _rated(page, tmp_path)
    shown = [
        {"event": row["event"], "rule": row["rule_id"]} | {name: f"{row[column]:f}" for name, column in COLUMNS.items()}
        for row in rated
    ]
    assert shown == expected
    sums = {name: f"{sum(row[column] for row in rated):f}" for name, column in COLUMNS.items()}
    assert total == {"event": "sum", "rule": "", **sums}


@every_offer
def test_the_steps_come_to_what_the_table_says(offer: str) -> None:
    page = _page(offer)
    worked: dict[str, dict[str, str]] = {}
    for line in filter(None, pages.block(page, "text").splitlines()):
        step = STEP.match(line)
        assert step, f"no step: {line}"
        event, name, expression, answer = step.groups()
        assert pages.value(expression) == Decimal(answer), line
        worked.setdefault(event, {})[STEPS[name]] = answer
    *expected, _ = _expected(page)
    assert worked == {row["event"]: {name: row[name] for name in COLUMNS} for row in expected}
    for row in expected:
        parts = [Decimal(row[name]) for name in ("Builder earns", "provider gets", "platform keeps")]
        assert Decimal(row["customer pays"]) == sum(parts)


@every_offer
def test_the_steps_start_from_the_events_and_prices_of_the_page(offer: str) -> None:
    """A step with a wrong quantity or price would agree with itself: its numbers are the event's and the book's."""
    page = _page(offer)
    prices = _prices(page)
    lines = {tuple(line.split()[:2]): line for line in pages.block(page, "text").splitlines() if line}
    for event in _events(page):
        tags = event["tags"]
        sheet = prices.sheet(tags["provider"], tags["model"], tags["mode"], "")
        assert sheet is not None
        entry = sheet.entry
        wanted = {
            (quantity, entry.meters[meter].unit_price)
            for meter, quantity in event["usage"].items()
            if meter in entry.meters
        }
        products = re.findall(r"([\d.]+) x ([\d.]+)", lines[event["event"], "costs"])
        assert {(Decimal(quantity), Decimal(price)) for quantity, price in products} == wanted
        share = lines[event["event"], "provider"].split(" x ")[1].split()[0]
        assert Decimal(share) == prices.reward_share(tags["provider"])


@every_offer
def test_the_page_shows_the_rules_of_the_template_in_order_of_precedence(offer: str, tmp_path: Path) -> None:
    page = _page(offer)
    shown = [
        {
            "rule": rule.id,
            "applies to": names(rule),
            "charges": terms(rule),
            "on the statement": f"{rule.label}, per {rule.unit}",
        }
        for rule in precedence(_rules(page, tmp_path))
    ]
    assert pages.table(pages.section(page, "The rules")) == shown


@every_offer
def test_the_sums_by_label_are_those_of_the_events(offer: str, tmp_path: Path) -> None:
    page = _page(offer)
    labels = {rule.id: rule.label for rule in _rules(page, tmp_path).rules}
    sums: dict[str, list[Decimal]] = {}
    (tmp_path / "again").mkdir()
    for row in _rated(page, tmp_path / "again"):
        sums.setdefault(labels[row["rule_id"]], []).append(row["customer_charge"])
    shown = [
        {"label": label, "events": str(len(charges)), "charge": f"{sum(charges, Decimal(0)):f}"}
        for label, charges in sums.items()
    ]
    assert pages.table(pages.section(page, "What the statement makes of it")) == shown


@every_offer
def test_every_rule_of_a_template_is_met_by_an_event_of_its_page(offer: str, tmp_path: Path) -> None:
    page = _page(offer)
    met = {row["rule"] for row in _expected(page)} - {""}
    assert met == {rule.id for rule in _rules(page, tmp_path).rules}


@every_offer
def test_nobody_objects_to_a_template(offer: str, tmp_path: Path) -> None:
    page = _page(offer)
    book = _rules(page, tmp_path)
    assert lint(book, catalogue=load_catalogue(), prices=_prices(page), last_month=None) == []
    assert lint(book, catalogue=load_catalogue(), prices=None, last_month=None) == []
    assert set(book.model_classes) == {"light", "standard", "premium"}


@every_offer
def test_the_check_of_a_template_has_nothing_to_say(
    offer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _rules(_page(offer), tmp_path)
    assert cli.main(["rules", "check", str(tmp_path / "rules.toml"), "--offline", "--json"]) == 0
    [checked] = json.loads(capsys.readouterr().out)["files"]
    assert checked["findings"] == []


@every_offer
def test_the_command_line_rates_the_example_as_the_page_says(offer: str, tmp_path: Path) -> None:
    """The whole way: files, CloudEvents, `tollstream rate`."""
    page = _page(offer)
    _rules(page, tmp_path)
    (tmp_path / "prices.toml").write_text(pages.block(page, "toml"), encoding="utf-8")
    lines = []
    for event in _events(page):
        tags = event["tags"]
        data = {**tags, "usage": {meter: f"{quantity:f}" for meter, quantity in event["usage"].items()}}
        body = {
            "specversion": "1.0", "type": "ai.usage.v1", "id": event["event"], "source": "/docs",
            "time": WHEN.isoformat(), "subject": f"{tags['builder']}/{tags['tenant']}", "data": data,
        }  # fmt: skip
        lines.append(json.dumps(body))
    books = ["--prices", str(tmp_path / "prices.toml"), "--rules", str(tmp_path / "rules.toml")]
    result = CliRunner().invoke(rate, [*books, "--events", "-"], input="\n".join(lines), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    *expected, _ = _expected(page)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["id"], row["rule_id"], row["customer_charge"]) for row in rows] == [
        (row["event"], row["rule"], row["customer pays"]) for row in expected
    ]
