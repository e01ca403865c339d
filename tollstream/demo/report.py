"""What the demonstration tells a person, with rich, and a program, as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from billing.surcharges import RuleBooks
from tollstream.demo.checks import OUTCOMES
from tollstream.demo.run import Outcome
from tollstream.demo.settlement_report import print_settlement, settlement_record
from tollstream.demo.store import AMOUNTS
from topics.meters import MeterCatalogue, MeterKind

CENTS = Decimal("0.01")
PLAIN_OUTCOMES = {
    "published": "events published",
    "accepted": "accepted: in the ledger, once",
    "duplicates": "duplicates: sent again, billed once",
    "dead_lettered": "dead-lettered: kept aside with the reason",
    "voided": "of the accepted: voids, which take an event back",
    "unpriced": "of the accepted: waited for a price, never billed as 0",
}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The whole outcome; money as strings, to the last digit."""
    money = {name: f"{outcome.sums[name]:.12f}" for name in AMOUNTS}
    oracle = outcome.oracle.sums
    return {
        "holds": outcome.holds,
        **{name: outcome.stored[name] for name in OUTCOMES},
        "workers_killed": int(outcome.killing is not None and outcome.killing.exit_code == -9),
        **money,
        **{f"oracle_{name}": f"{oracle[name]:.12f}" for name in AMOUNTS},
        "residual": f"{outcome.comparison.residual:.12f}",
        "differences": list(outcome.comparison.differences[:20]),
        "dead_letters": outcome.dead_letters,
        "checks": [{"name": check.name, "holds": check.holds, "detail": check.detail} for check in outcome.checks],
        "rated_later": outcome.rated_later,
        **(settlement_record(outcome.settlement, datetime.now(UTC)) if outcome.settlement else {}),
        "seconds": round(outcome.seconds, 1),
    }


def print_report(console: Console, outcome: Outcome, rules: RuleBooks, meters: MeterCatalogue) -> None:
    """Counts, one tenant's lines, the three sides, the Builders' earnings, the closed month, the checks."""
    console.print(_outcomes(outcome))
    console.print(_tenant(outcome, rules, meters))
    console.print(_split(outcome))
    console.print(_earnings(outcome))
    console.print(_reconciliation(outcome))
    if outcome.settlement is not None:
        print_settlement(console, outcome.settlement, outcome.tenant, datetime.now(UTC))
    for check in outcome.checks:
        mark = Text("✓", "green") if check.holds else Text("✗", "bold red")
        console.print(mark, Text(check.name), Text(f"({check.detail})", "dim"))


def how_to_query(folder: Path, clickhouse_url: str, database: str) -> str:
    """What to type while the stack stays up."""
    return "\n".join(
        [
            "The stack stays up until you press Ctrl-C. In another terminal:",
            f"  export TOLLSTREAM_CONFIG={folder / 'tollstream.toml'}",
            "  tollstream reconcile",
            "  tollstream statement deskline/globex",
            f"  curl '{clickhouse_url}/?database={database}' -d 'SELECT * FROM billable_totals LIMIT 5 FORMAT Pretty'",
            "docs/analysts.md has more queries; what was published, in the order of the log, is in",
            f"  {folder / 'published.jsonl'}",
        ]
    )


def _outcomes(outcome: Outcome) -> Table:
    table = _table("What became of the events", "outcome", "stored", "recomputed")
    adjusted = f"{outcome.oracle.outcomes['adjusted']:,}"
    for name, words in PLAIN_OUTCOMES.items():
        table.add_row(words, f"{outcome.stored[name]:,}", f"{outcome.oracle.outcomes[name]:,}")
    table.add_row("of the accepted: rated later, when there was one", f"{outcome.rated_later:,}", adjusted)
    for reason, count in outcome.dead_letters.items():
        table.add_row(Text(f"    {reason}", "dim"), Text(f"{count:,}", "dim"), "")
    return table


def _tenant(outcome: Outcome, books: RuleBooks, meters: MeterCatalogue) -> Table:
    """Labels and reasons are the rules' own: what a customer is told."""
    rules = {rule.id: rule for book in books.versions for rule in book.rules}
    builder, tenant = outcome.tenant
    table = _table(f"What {tenant} pays to {builder}", "charge", "for", "amount", "why")
    for line in outcome.tenant_lines:
        rule = rules.get(line["rule_id"])
        units, uses = _units(line["usage"], meters), "use" if line["net_events"] == 1 else "uses"
        waiting = f", {line['unpriced_events']} waiting for a price" if line["unpriced_events"] else ""
        amount = _cents(line["customer_charge"], line["currency"])
        label, reason = (rule.label, rule.reason) if rule else (line["feature"], "no price or rule yet")
        table.add_row(label, f"{line['net_events']:,} {uses} ({units}){waiting}", amount, reason)
    return table


def _units(usage: Mapping[str, Decimal], meters: MeterCatalogue) -> str:
    """What a customer counts: the business meters, or else the tokens."""
    business = [meter for meter in usage if meters[meter].kind == MeterKind.BUSINESS]
    shown = business or list(usage)
    return ", ".join(
        f"{usage[meter]:,.0f} {meters[meter].unit if usage[meter] == 1 else meters[meter].label.lower()}"
        for meter in shown
    )


def _split(outcome: Outcome) -> Table:
    table = _table("Who gets what of every cent", "", "amount", "share")
    charge = outcome.sums["customer_charge"]
    for name in AMOUNTS:
        share = outcome.sums[name] / charge if charge else Decimal(0)
        table.add_row(name.replace("_", " "), f"{outcome.sums[name]:,.12f}", f"{share:.1%}")
    return table


def _earnings(outcome: Outcome) -> Table:
    table = _table("Builder earnings", "Builder", "events", "customers pay", "AI costs", "Builder earns")
    for row in outcome.split:
        cost = row["provider_reward"] + row["platform_fee"]
        cells = (row["customer_charge"], cost, row["builder_earnings"])
        table.add_row(row["builder"], f"{row['net_events']:,}", *(_cents(cell, row["currency"]) for cell in cells))
    return table


def _reconciliation(outcome: Outcome) -> Table:
    table = _table("Reconciliation with an independent recomputation", "", "store", "recomputed")
    oracle = outcome.oracle.sums
    for name in AMOUNTS:
        table.add_row(name.replace("_", " "), f"{outcome.sums[name]:,.12f}", f"{oracle[name]:,.12f}")
    colour = "bold green" if outcome.comparison.equal else "bold red"
    table.add_row(Text("residual", colour), Text(f"{outcome.comparison.residual:.12f}", colour), "")
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="left" if other in ("for", "why") else "right")
    return table


def _cents(amount: Decimal, currency: str) -> str:
    return f"{amount.quantize(CENTS, ROUND_HALF_EVEN):,} {currency}".strip()
