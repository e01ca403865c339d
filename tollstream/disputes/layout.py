"""Notes for people: what was noted, who carries it, and what is left open of the statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from decimal import Decimal

from billing.settled import Settled
from sinks.payouts import NoteRecord
from tollstream.disputes.documents import note_json
from tollstream.disputes.request import NAMES
from tollstream.explanation.layout import Page
from tollstream.rendering.figures import day, money, tidy

Emphasis = Callable[[str], str]
EFFECTS = {
    "credit_note": "The tenant owes so much less.",
    "refund": "Money goes back to the tenant.",
    "write_off": "Nobody will pay it: the platform's loss.",
    "chargeback": "A bank has taken a payment back.",
    "payment": "The tenant has paid so much.",
}


def note_text(record: NoteRecord, left: Settled | None, emphasis: Emphasis = str) -> str:
    """One note."""
    shown, currency = note_json(record), record.currency
    page = Page(emphasis=emphasis)
    page.heading(f"{NAMES[record.kind].capitalize()} {record.note_id} on {record.statement} of {tidy(record.tenant)}")
    page.amount(EFFECTS[record.kind], f"{money(record.amount, currency)} {currency}")
    if Decimal(shown["tax"]):
        page.amount("of which tax", f"{money(Decimal(shown['tax']), currency)} {currency}")
    if record.fee:
        page.amount("The bank's fee for it", f"{money(record.fee, currency)} {currency}")
    page.say(_carried(record, shown), 4)
    page.say(f"{tidy(record.reason)} ({tidy(record.recorded_by)}, {day(record.recorded_at.astimezone(UTC).date())})", 4)
    if left is not None:
        page.amount(f"Open on {record.statement} after it", f"{money(left.open, currency)} {currency}")
    return page.text()


def list_text(records: Sequence[NoteRecord], emphasis: Emphasis = str) -> str:
    """Many of them, a line each."""
    page = Page(emphasis=emphasis)
    rows = [
        (
            record.note_id,
            NAMES[record.kind],
            record.statement,
            f"{record.recorded_at.astimezone(UTC).date()}",
            record.currency,
            money(record.amount, record.currency),
        )
        for record in records
    ]
    page.table(("number", "", "statement", "recorded", "", "amount"), rows, left=5)
    return page.text()


def _carried(record: NoteRecord, shown: dict[str, object]) -> str:
    policy = shown["policy"]
    if record.kind == "credit_note":
        if shown["carried_by"] == "builder":
            return "Out of the Builder's earnings, in the next payout; tax is no longer owed."
        return "Out of the platform's pocket; tax is no longer owed."
    if record.kind == "chargeback" and isinstance(policy, dict):
        version = f"version {policy['version']} of the payout terms" if policy["version"] else "no terms are published"
        return f"{policy['builder_share']} of it, the fee included, is the Builder's, in the next payout ({version})."
    return "No Builder's and no provider's earnings change."
