"""What a statement costs: milliseconds of processor time for tenants of several kinds, on one thread.

`python -m bench.statements`. No store and no process but this one: the arithmetic of `billing.statements.statement`.
"""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import click

from billing.credits import Grant, GrantBalance
from billing.fx import FxRates, Rate
from billing.periods import MONTHS, parse_period
from billing.plans import Plan, TaxRate, whole
from billing.statements import Change, EarlierPeriod, Statement, StatementInput, UsageLine, statement

OCTOBER, NOVEMBER = parse_period(MONTHS, "2026-10"), parse_period(MONTHS, "2026-11")
UNITS = [{"meter": "tasks", "one": "task", "many": "tasks"}]
PLAN = Plan.model_validate(
    {
        "id": "pro",
        "label": "Pro",
        "fee": "19",
        "units": UNITS,
        "allowances": [{"id": "tasks", "label": "Included", "unit": "tasks", "quantity": "10"}],
        "tiers": [{"rule": "rule-1", "kind": "graduated", "steps": [{"above": "0", "price": "0.1"}]}],
        "minimum": "5",
        "cap": {"amount": "100", "then": "builder"},
    }
)
PLAIN = Plan.model_validate({"id": "basic", "label": "Basic", "fee": "9", "units": UNITS})
VAT = TaxRate.model_validate({"id": "vat", "label": "VAT", "rate": "0.21"})
RATES = FxRates([Rate(day, "USD", "EUR", Decimal("0.92")) for day in (OCTOBER.last_day, NOVEMBER.last_day)])
TOP_UP = Grant(
    "top-up", "globex", "top_up", "tasks", "USD", Decimal(50), Decimal("3.5"), datetime(2026, 10, 3, tzinfo=UTC)
)


def _usage(lines: int) -> tuple[UsageLine, ...]:
    charge, reward, fee = Decimal("1.234567890123"), Decimal("0.5"), Decimal("0.2")
    return tuple(
        UsageLine(
            f"rule-{number}", f"Tasks {number}", "task", "A task costs.", ("north", "lumen")[number % 2], "chat", "USD",
            {"tasks": Decimal(7 + number), "input_tokens": Decimal(120_000)}, 12,
            charge, reward, fee, charge - reward - fee,
        )
        for number in range(lines)
    )  # fmt: skip


def _inputs() -> dict[str, StatementInput]:
    base = StatementInput("acme", "globex", NOVEMBER, "USD", "USD", usage=_usage(5))

    def of(**fields: object) -> StatementInput:
        return replace(base, **fields)  # type: ignore[arg-type]

    changed = EarlierPeriod(OCTOBER, (whole(OCTOBER, PLAN),), _usage(5), (Change("late", _usage(1)[0]),))
    full = {"segments": (whole(NOVEMBER, PLAN),), "grants": (GrantBalance(TOP_UP, sold=True),), "tax": VAT}
    return {
        "5 lines, a fee": of(segments=(whole(NOVEMBER, PLAIN),)),
        "5 lines, fee, allowance, tier, bounds, top-up, tax": of(**full),
        "the same in another currency": of(**full, statement_currency="EUR", fx=RATES),
        "the same with a correction of last month": of(**full, earlier=(changed,)),
        "50 lines, a fee": of(segments=(whole(NOVEMBER, PLAIN),), usage=_usage(50)),
    }


@click.command(help=__doc__)
@click.option("--statements", default=2_000, show_default=True, help="How many of each kind.")
def main(statements: int) -> None:
    """Print a table."""
    click.echo(f"{'tenant':52s} {'ms each':>8s} {'100,000 in s':>13s}")
    for name, given in _inputs().items():
        assert isinstance(statement(given), Statement)
        gc.collect()
        best = min(_seconds(given, statements // 4) for _ in range(4))
        click.echo(f"{name:52s} {best * 1e3:8.3f} {best * 1e5:13.1f}")


def _seconds(given: StatementInput, times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        statement(given)
    return (time.process_time() - began) / times


if __name__ == "__main__":
    main()
