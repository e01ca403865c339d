"""What rules are called by customers: from the newest published rule book that has the rule."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from billing.errors import BillingError
from billing.publication import RULES, BookDigest
from billing.published import read_record
from billing.surcharges import RuleBook
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.books import read_books

Label = tuple[str, str, str]  # label, unit, reason


def labels(client: Client, rule_ids: Iterable[str]) -> dict[str, Label]:
    """By rule id; what no published book has is left out."""
    wanted = {rule_id for rule_id in rule_ids if rule_id}
    found: dict[str, Label] = {}
    if not wanted:
        return found
    for book in sorted(read_books(client, (RULES,)), key=lambda book: book.sequence, reverse=True):
        words = _words(book)
        found.update({rule_id: words[rule_id] for rule_id in wanted - found.keys() if rule_id in words})
        if len(found) == len(wanted):
            break
    return found


@lru_cache(maxsize=16)
def _read(book: BookDigest) -> dict[str, Label]:
    read = read_record(book)
    return {rule.id: (rule.label, rule.unit, rule.reason) for rule in read.rules} if isinstance(read, RuleBook) else {}


def _words(book: BookDigest) -> dict[str, Label]:
    """Of one version; a text that cannot be read names nothing."""
    try:
        return _read(book)
    except BillingError:
        return {}
