"""Statements of payouts and rewards for people: a page of 80 columns, every line that makes up the amount."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tollstream.explanation.layout import Page
from tollstream.payouts.export import totals
from tollstream.payouts.numbering import REWARD
from tollstream.payouts.standing import WORDS, Standing, State
from tollstream.rendering.figures import day, money, tidy

# What the reasons of postings are called, by account; a reason that is in none stands as it is.
KINDS = {
    "gross": "Earnings",
    "funded": "Paid by you",
    "refund": "Credited to customers",
    "chargeback": "Charged back",
    "carried_in": "Carried from before",
    "carried_out": "Carried to the next payout",
}
REASONS = {
    "usage": "usage",
    "subscription": "subscriptions",
    "tier": "prices by quantity",
    "minimum": "minimums",
    "expired credit": "credits that expired unused",
    "allowance": "allowances",
    "cap": "spend caps",
    "credit": "credits",
}
Emphasis = Callable[[str], str]


def statement_text(standing: Standing, now: datetime, emphasis: Emphasis = str) -> str:
    """One payout or reward, line by line."""
    shown = standing.as_json(now)
    page = Page(emphasis=emphasis)
    record, currency = standing.record, standing.record.currency
    noun = "Reward" if record.kind == REWARD else "Payout"
    page.heading(f"{noun} {record.payout_id}: {tidy(record.party)}, {record.period}, in {currency}")
    for line in shown["lines"]:
        page.amount(_words(line, record.kind), money(Decimal(line["amount"]), currency))
    amounts = [money(Decimal(line["amount"]), currency) for line in shown["lines"]]
    page.rule(max(map(len, [*amounts, money(record.amount, currency)])))
    page.amount("To be paid", f"{money(record.amount, currency)}")
    for note in _notes(standing, shown, now):
        page.say(note, 4)
    return page.text()


def list_text(found: Sequence[Standing], now: datetime, emphasis: Emphasis = str) -> str:
    """Many of them, a line each."""
    page = Page(emphasis=emphasis)
    rows = [
        (
            each.record.payout_id,
            tidy(each.record.party),
            each.record.currency,
            money(each.record.amount, each.record.currency),
            f"{each.record.due_at.astimezone(UTC).date()}",
            WORDS[each.state(now)],
        )
        for each in found
    ]
    page.table(("number", "for", "", "amount", "due", "state"), rows, left=3)
    for currency, amount in totals(found).items():
        page.amount(f"All together, in {currency}", money(amount, currency), 0)
    return page.text()


def _words(line: Mapping[str, Any], kind: str) -> str:
    reason = str(line["refers_to"])
    if kind == REWARD:
        return f"{tidy(line['builder'])}: {_reason(reason)}" if line["builder"] else _reason(reason).capitalize()
    heading = KINDS[line["kind"]]
    if line["kind"] in ("carried_in", "carried_out"):
        return heading
    return f"{heading}: {_reason(reason)}"


def _reason(reason: str) -> str:
    if reason.startswith("adjustment "):
        return f"what changed in {reason.removeprefix('adjustment ')}"
    return tidy(REASONS.get(reason, reason))


def _notes(standing: Standing, shown: Mapping[str, Any], now: datetime) -> list[str]:
    record, currency = standing.record, standing.record.currency
    said = []
    terms = shown.get("terms")
    if terms and record.carried and not record.amount:
        threshold = Decimal(terms["threshold"])
        if record.carried < 0:
            said.append("The sum is below 0: it is taken off later payouts.")
        elif record.carried < threshold:
            said.append(f"Below the threshold of {money(threshold, currency)} {currency}: all of it is carried.")
    state = standing.state(now)
    if state == State.HELD:
        said.append(f"Held until {_date(record.due_at)}.")
    elif state == State.DUE:
        said.append(f"Due since {_date(record.due_at)}.")
    elif state == State.UNCONFIRMED:
        said.append("Sent, not confirmed: somebody has to find out whether it was paid.")
    elif standing.mark is not None:
        mark = standing.mark
        said.append(f"Paid on {_date(mark.paid_at)}, reference {tidy(mark.reference)}, says {tidy(mark.recorded_by)}.")
    return said


def _date(moment: datetime) -> str:
    """The day in UTC."""
    return day(date.fromisoformat(f"{moment.astimezone(UTC):%Y-%m-%d}"))
