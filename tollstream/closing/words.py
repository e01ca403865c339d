"""What rules say to the customer: label, unit and reason, as they were in force when a period ended.

Rule books are never changed or taken back, so usage whose rule is in none of them comes from a damaged store: nothing
is closed then, for allowances and tiers go by the rule's unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from billing.surcharges import RuleBook, RuleBooks
from sinks.closings import Words
from tollstream.closing.refusal import CloseRefusedError

INSTANT = timedelta(microseconds=1)
CORRECTED = Words("Corrections", "", "Corrected by hand before there was a price.")


def words_of(rules: RuleBooks, used: Iterable[str], end: datetime) -> dict[str, Words]:
    """By rule id, for usage of a period that ended then."""
    books = _books(rules, end)
    return {rule_id: _words(books, rule_id) for rule_id in used}


def _books(rules: RuleBooks, end: datetime) -> list[RuleBook]:
    """In the order in which they are looked at: in force at the end, before it, after it, never by itself."""
    before = [book for book in rules.versions if book.effective_from <= end - INSTANT]
    after = [book for book in rules.versions if book.effective_from > end - INSTANT]
    return [*reversed(before), *after, *rules.retroactive]


def _words(books: Iterable[RuleBook], rule_id: str) -> Words:
    if not rule_id:
        return CORRECTED
    for book in books:
        for rule in book.rules:
            if rule.id == rule_id:
                return Words(rule.label, rule.unit, rule.reason, rule.meter or "")
    raise CloseRefusedError(
        f"Usage is charged under rule {rule_id!r}, which no published rule book has: bring the store's table `books` "
        "back from a backup, for plans go by what the rule counts."
    )


def merged(sources: Iterable[Mapping[str, Mapping[str, Words]]]) -> dict[str, dict[str, Words]]:
    """Period -> rule -> words; of two sources the earlier one has the say: a closed statement keeps its words."""
    found: dict[str, dict[str, Words]] = {}
    for source in sources:
        for period, rules in source.items():
            held = found.setdefault(period, {})
            for rule_id, words in rules.items():
                held.setdefault(rule_id, words)
    return found
