"""Period after period for one tenant, keeping what a closing has to keep: what was billed, draws, grants carried over.

The plainest thing that can stand in for a store: lists. `usage`, `change` and `grant` say what happened, `close` makes
the statement of a period and remembers what it billed; `live` makes the same statement and remembers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from billing.credits import Draw, Grant, balances
from billing.fx import NO_RATES, FxRates
from billing.periods import Period
from billing.plans import Segment, TaxRate
from billing.statements import Change, EarlierPeriod, Reason, Statement, StatementInput, UsageLine, statement


@dataclass
class Closings:
    """The statements of one tenant so far, and all that the next one needs of them."""

    builder: str = "acme"
    tenant: str = "globex"
    currency: str = "USD"
    statement_currency: str = "USD"
    fx: FxRates = field(default=NO_RATES)
    tax: TaxRate | None = None
    grants: list[Grant] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    _periods: dict[str, Period] = field(default_factory=dict)
    _segments: dict[str, tuple[Segment, ...]] = field(default_factory=dict)
    _pending: dict[str, list[UsageLine]] = field(default_factory=dict)  # of periods that are not closed yet
    _billed: dict[str, list[UsageLine]] = field(default_factory=dict)
    _changes: dict[str, list[Change]] = field(default_factory=dict)  # of closed ones, since their last billing

    def usage(self, period: Period, lines: Iterable[UsageLine]) -> None:
        """Usage of a period that is still open."""
        assert period.label not in self._billed, f"{period.label} is closed: usage of it is a change"
        self._pending.setdefault(period.label, []).extend(lines)

    def change(self, period: Period, reason: Reason, lines: Iterable[UsageLine]) -> None:
        """Usage of a closed period that arrives late (or is taken back, or rated again): the next statement's."""
        assert period.label in self._billed, f"{period.label} is open: it has no adjustments"
        self._changes.setdefault(period.label, []).extend(Change(reason, line) for line in lines)

    def grant(self, *grants: Grant) -> None:
        """Something that may be drawn from now on."""
        self.grants.extend(grants)

    def given(
        self, period: Period, segments: tuple[Segment, ...] = (), as_of: datetime | None = None
    ) -> StatementInput:
        """What the statement of a period is made from, as things stand."""
        earlier = tuple(
            EarlierPeriod(
                self._periods[label],
                self._segments[label],
                tuple(self._billed[label]),
                tuple(changes),
                tuple(draw for draw in self.draws if draw.kind == "drawn" and draw.period == label),
            )
            for label, changes in self._changes.items()
            if changes
        )
        return StatementInput(
            self.builder,
            self.tenant,
            period,
            self.currency,
            self.statement_currency,
            segments,
            tuple(self._pending.get(period.label, ())),
            earlier,
            balances(self.grants, self.draws),
            self.fx,
            self.tax,
            as_of,
        )

    def live(self, period: Period, segments: tuple[Segment, ...] = (), as_of: datetime | None = None) -> Statement:
        """The statement as it would be now."""
        made = statement(self.given(period, segments, as_of))
        assert isinstance(made, Statement), made
        return made

    def close(self, period: Period, segments: tuple[Segment, ...] = ()) -> Statement:
        """The statement of a period, and from now on the period is closed."""
        made = self.live(period, segments)
        self.statements.append(made)
        self.draws.extend(made.draws)
        self.grants.extend(made.carried_over)
        self._periods[period.label], self._segments[period.label] = period, segments
        self._billed[period.label] = self._pending.pop(period.label, [])
        for label, changes in self._changes.items():
            self._billed[label].extend(change.usage for change in changes)
            changes.clear()
        return made
