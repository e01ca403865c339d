"""The document of a payout or reward: JSON, amounts as text, keys in one order. It is what is paid by, for good.

Postings stand in it, too: what a document has posted never depends on who computes it later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.payouts import Payout, PayoutPolicy
from billing.periods import Period
from billing.postings import Posting
from billing.rewards import RewardStatement

PAYOUT_FORMAT = "tollstream.payout/1"
REWARD_FORMAT = "tollstream.reward/1"


def payout_document(
    number: str, payout: Payout, period: Period, terms: str, policy: PayoutPolicy, statements: int
) -> str:
    """Of a payout; `terms` is the version that `policy` comes from, "" where none was published."""
    parts = ("gross", "funded", "refunds", "chargebacks", "carried_in", "net", "amount", "carried")
    return written(
        {
            "format": PAYOUT_FORMAT,
            "number": number,
            "kind": "payout",
            "builder": payout.builder,
            "party": payout.builder,
            "period": period_record(period),
            "statements": statements,
            "currency": payout.currency,
            **{name: text(getattr(payout, name)) for name in parts},
            "lines": [
                {"kind": line.kind, "refers_to": line.refers_to, "exact": text(line.exact), "amount": text(line.amount)}
                for line in payout.lines
            ],
            "terms": {"version": terms, "threshold": text(payout.threshold), "hold_days": policy.hold_days},
            "due_at": instant(payout.due_at),
            "postings": postings_record(payout.postings),
        }
    )


def reward_document(number: str, made: RewardStatement, period: Period, covers: Mapping[str, str]) -> str:
    """Of a reward; `covers` says up to which closed period each Builder's statements are in it."""
    return written(
        {
            "format": REWARD_FORMAT,
            "number": number,
            "kind": "reward",
            "party": made.provider,
            "period": period_record(period),
            "covers": dict(sorted(covers.items())),
            "currency": made.currency,
            "net": text(made.exact),
            "amount": text(made.amount),
            "carried": text(made.carried),
            "lines": [
                {
                    "builder": line.builder,
                    "refers_to": line.refers_to,
                    "exact": text(line.exact),
                    "amount": text(line.amount),
                }
                for line in made.lines
            ],
            "due_at": instant(period.end),
            "postings": postings_record(made.postings),
        }
    )


def written(document: Mapping[str, Any]) -> str:
    """Compact JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def without_postings(document: str) -> dict[str, Any]:
    """For people and programs that read it; postings are in the view `postings`."""
    read: dict[str, Any] = json.loads(document)
    read.pop("postings", None)
    return read


def postings_of(document: str) -> tuple[Posting, ...]:
    """What the document posts."""
    return tuple(
        Posting(account, party, currency, refers_to, Decimal(amount))
        for account, party, currency, refers_to, amount in json.loads(document)["postings"]
    )


def postings_record(postings: Iterable[Posting]) -> list[list[str]]:
    """[account, party, currency, refers_to, amount]"""
    return [[*posting[:4], text(posting.amount)] for posting in postings]


def period_record(period: Period) -> dict[str, str]:
    """Its days are those of the Builder's calendar."""
    return {
        "label": period.label,
        "start": instant(period.start),
        "end": instant(period.end),
        "first_day": period.first_day.isoformat(),
        "last_day": period.last_day.isoformat(),
    }


def text(amount: Decimal) -> str:
    """Without exponent, all places as they are."""
    return f"{amount:f}"


def instant(moment: datetime) -> str:
    """2026-11-15T00:00:00Z"""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
