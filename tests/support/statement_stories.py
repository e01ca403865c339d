"""Golden statements: what happened to one tenant, period by period, and the statements of it, as text people can check.

    offer OFFER    builder NAME    tenant NAME    plans FILE    the rule template, and the plan books beside the story
    rate DAY USD EUR 0.92                                        an exchange rate
    period 2026-12                                               what follows happens in it
    usage RULE PROVIDER tasks=12,events=12 charge=.. reward=.. fee=..      earnings are what these leave
    late|void|rerate 2026-12 RULE PROVIDER ...                   a change of a closed period, signed
    grant ID TOP-UP TIME [settled]                               a top-up of the plan, bought
    gift ID KIND UNIT QUANTITY TIME [until TIME]                 a grant that costs nothing; UNIT may be a currency
    statement                                                    up to the next period: what comes of it

A line of a statement is kind, label, count, amount, the exact amount, and after `=` how a person gets there: written by
hand, worked out again by the test. `make golden` writes everything else below `statement` again. An unknown word fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from billing.credits import Grant
from billing.fx import FxRates, Rate
from billing.loading import parse_version
from billing.periods import Period, parse_period
from billing.plans import PlanBooks
from billing.plans.book import PlanBook
from billing.statements import Statement, UsageLine
from billing.surcharges import Rule, RuleBook
from billing.surcharges.templates import load_template
from tests.support.closings import Closings

GAP = re.compile(r"\s{2,}")
REASONS = ("late", "void", "rerate")
INPUTS = {"offer", "builder", "tenant", "plans", "rate", "period", "usage", "grant", "gift", *REASONS}


class Story:
    """One file: what it says, and what comes of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.statements: list[Statement] = []
        self.hands: list[dict[str, str]] = []  # for each statement: key of the line -> how a person gets there
        self._head: dict[str, str] = {}
        self._rates: list[Rate] = []
        self._closings: Closings | None = None
        self._period: Period | None = None
        self._rules: dict[str, Rule] = {}
        self._books = PlanBooks([])

    def told(self) -> str:
        """The whole text, with what really comes of what it says."""
        out: list[str] = []
        for inputs, hands in _parts(self.text):
            out += inputs
            for number, line in enumerate(inputs):
                self._read(line, number)
            if self._period is not None and inputs[-1:] == ["statement"]:
                out += self._close(hands)
        return "\n".join(out).rstrip("\n") + "\n"

    def _read(self, line: str, number: int) -> None:
        words = line.split("#")[0].split()
        if not words or words == ["statement"]:
            return
        if words[0] not in INPUTS:
            raise ValueError(f"{self.path.name}: {words[0]} is none of {', '.join(sorted(INPUTS))}: {line}")
        if words[0] in ("offer", "builder", "tenant", "plans"):
            self._head[words[0]] = words[1]
        elif words[0] == "rate":
            self._rates.append(Rate(date.fromisoformat(words[1]), words[2], words[3], Decimal(words[4])))
        elif words[0] == "period":
            self._open(words[1])
        elif words[0] == "usage":
            self._state.usage(self._now, [self._usage(words[1:])])
        elif words[0] in REASONS:
            self._state.change(self._named(words[1]), words[0], [self._usage(words[2:])])  # type: ignore[arg-type]
        elif words[0] == "grant":
            self._buy(words[1:])
        else:
            self._give(words[1:])

    def _open(self, label: str) -> None:
        if self._closings is None:
            books = self.path.parent / "plans" / self._head["plans"]
            self._books = PlanBooks.load(books)
            start = datetime(2026, 1, 1, tzinfo=UTC)
            text = load_template(self._head["offer"], builder=self._head["builder"], version="1", effective_from=start)
            rules = parse_version(text, ".toml", self._head["offer"], RuleBook).rules
            self._rules = {rule.id: rule for rule in rules}
            self._closings = Closings(self._head["builder"], self._head["tenant"], self._book.currency)
            self._closings.fx = FxRates(self._rates)
        self._period = self._named(label)

    @property
    def _book(self) -> PlanBook:
        return self._books.versions[0]

    @property
    def _state(self) -> Closings:
        assert self._closings is not None, "the first period comes first"
        return self._closings

    @property
    def _now(self) -> Period:
        assert self._period is not None, "a period comes first"
        return self._period

    def _named(self, label: str) -> Period:
        return parse_period(self._book.billing_cycle, label)

    def _usage(self, words: list[str]) -> UsageLine:
        rule = self._rules[words[0]]
        counts = {name: Decimal(number) for name, number in (part.split("=") for part in words[2].split(","))}
        amounts = {name: Decimal(number) for name, number in (part.split("=") for part in words[3:])}
        charge, reward, fee = (amounts.pop(name, Decimal(0)) for name in ("charge", "reward", "fee"))
        assert not amounts, amounts
        events = int(counts.pop("events"))
        return UsageLine(
            rule.id, rule.label, rule.unit, rule.reason, "" if words[1] == "-" else words[1], "", self._book.currency,
            counts, events, charge, reward, fee, charge - reward - fee, rule.meter or "",
        )  # fmt: skip

    def _buy(self, words: list[str]) -> None:
        terms = self._books.terms(self._head["tenant"], self._now)
        assert terms is not None
        [top_up] = [each for each in terms.segments[-1].plan.top_ups if each.id == words[1]]
        when = datetime.fromisoformat(words[2])
        bought = top_up.bought(
            words[0], tenant=self._head["tenant"], currency=self._book.currency, at=when, settled="settled" in words
        )
        self._state.grant(bought)

    def _give(self, words: list[str]) -> None:
        grant_id, kind, unit, quantity, granted = words[:5]
        until = datetime.fromisoformat(words[6]) if words[5:6] == ["until"] else None
        money = unit == self._book.currency
        self._state.grant(
            Grant(
                grant_id, self._head["tenant"], kind, "" if money else unit, self._book.currency,  # type: ignore[arg-type]
                Decimal(quantity), Decimal(0), datetime.fromisoformat(granted), until,
            )
        )  # fmt: skip

    def _close(self, hands: dict[tuple[str, str], str]) -> list[str]:
        terms = self._books.terms(self._head["tenant"], self._now)
        assert terms is not None
        self._state.statement_currency, self._state.tax = terms.currency, terms.tax
        made = self._state.close(self._now, terms.segments)
        self.statements.append(made)
        self.hands.append({line.key: hands.get((line.kind, line.label), "?") for line in made.lines})
        return list(_written(made, self.hands[-1]))


def _parts(text: str) -> Iterator[tuple[list[str], dict[tuple[str, str], str]]]:
    """Up to and with each `statement` what is given, and how a person gets to the lines below it."""
    inputs: list[str] = []
    hands: dict[tuple[str, str], str] | None = None
    for line in text.splitlines():
        if hands is not None and (line.startswith(("period", "#"))):
            yield inputs, hands
            inputs, hands = [], None
        if hands is None:
            inputs.append(line)
            if line == "statement":
                hands = {}
            continue
        cells = GAP.split(line.strip())
        if " = " in line and len(cells) >= 5:
            hands[cells[0], cells[1]] = line.split(" = ", 1)[1].strip()
    yield inputs, hands or {}


def _written(made: Statement, hands: dict[str, str]) -> Iterator[str]:
    rows = []
    for line in made.lines:
        count = "-" if line.quantity is None else f"{_plain(line.quantity)} {line.unit}"
        count += f" at {_plain(line.unit_price)}" if line.unit_price is not None else ""
        rows.append((line.kind, line.label, count, f"{line.amount:f}", f"{line.exact:.12f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)] if rows else []
    for line, row in zip(made.lines, rows, strict=True):
        cells = [
            cell.rjust(width) if column > 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}  = {hands[line.key]}"
        yield f"      {line.reason}"
    totals = made.totals
    yield (
        f"  due {totals.due:f} {made.currency}: net {totals.net:f}, tax {totals.tax:f}, paid {totals.paid:f}; "
        f"before rounding {totals.exact:.12f}"
    )
    for posting in made.postings:
        yield (
            f"  posting   {posting.account:19s} {posting.party:10s} {posting.refers_to:20s} {posting.currency} "
            f"{posting.amount:24.12f}"
        )
    for draw in made.draws:
        yield (
            f"  draw      {draw.grant_id} {draw.kind} {draw.period} {draw.line or '-'} {_plain(draw.quantity)} worth "
            f"{draw.amount:.12f} earned {draw.earned:.12f}"
        )
    for grant in made.carried_over:
        yield f"  carried   {grant.id} {_plain(grant.quantity)} {grant.unit}"
    for standing in made.standings:
        used = f"{_plain(standing.used)} of {_plain(standing.limit)} {standing.unit}"
        yield f"  standing  {standing.kind} {standing.key}: {used}"
    yield ""


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
