"""Does the money add up? The figures of one store, and the checks over them; nothing here reads anything.

Checks  per partition, up to the checkpoint's next_offset:
          events = accepted + duplicates + dead_lettered        (the checkpoint in itself)
          accepted = ledger rows, dead_lettered = dead letters  (the checkpoint and the tables)
          ledger sum = totals sum of every amount and meter     (the two tables, key by key, to the last digit)
          customer_charge = provider_reward + platform_fee + builder_earnings   (every ledger row)
          no identity accepted at two places
        Across partitions: an identity accepted in two of them is a warning; the key should have kept it in one.
Units   amounts in the line's currency, quantities in the meter's unit, all Decimal; counts are int.

A ledger row counts if its offset is covered by the total of its key or lies below the checkpoint: rows of a flush
under way (ledger written, totals not yet) are not a difference, rows that the totals should hold and do not are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
METER_PREFIX = "usage."  # a line "usage.input_tokens" compares that meter


@dataclass(frozen=True, slots=True)
class SumLine:
    """One figure as the ledger has it and as the totals have it, over the keys of one partition."""

    topic_epoch: int
    source_partition: int
    currency: str
    name: str  # ledger_rows | net_events | unpriced_events | an amount | usage.<meter>
    ledger: Decimal
    totals: Decimal
    difference: Decimal  # sum over keys of |ledger - totals|: differences that cancel each other out still show


@dataclass(frozen=True, slots=True)
class Residual:
    """How far ledger and totals are apart: zero, or something is wrong."""

    lines: tuple[SumLine, ...]
    imbalance: Decimal  # sum over ledger rows of |customer_charge - its three parts|

    @property
    def rows(self) -> Decimal:
        """Ledger rows, events and unpriced events that the totals count otherwise."""
        return sum((line.difference for line in self.lines if line.name in COUNTS), ZERO)

    @property
    def usage(self) -> Decimal:
        """Quantities that differ, over all meters."""
        return sum((line.difference for line in self.lines if line.name.startswith(METER_PREFIX)), ZERO)

    @property
    def amounts(self) -> Decimal:
        """Money that differs, over the four amounts and all currencies, with the ledger's own imbalance."""
        money = (x for x in self.lines if x.name not in COUNTS and not x.name.startswith(METER_PREFIX))
        return sum((line.difference for line in money), self.imbalance)

    @property
    def is_zero(self) -> bool:
        """True when every figure agrees to the last digit."""
        return not self.imbalance and not any(line.difference for line in self.lines)


COUNTS = ("ledger_rows", "net_events", "unpriced_events")


@dataclass(frozen=True, slots=True)
class PartitionAccount:
    """One partition of one epoch: what its newest checkpoint claims, and what the tables hold below it."""

    topic_epoch: int
    source_partition: int
    next_offset: int
    events: int
    accepted: int
    duplicates: int
    dead_lettered: int
    ledger_rows: int
    dead_letter_rows: int
    billed_twice: int  # identities standing at two places of this partition
    residual: Residual


@dataclass(frozen=True, slots=True)
class Accounts:
    """Every partition that has a checkpoint, and what can only be seen across them."""

    partitions: tuple[PartitionAccount, ...]
    shared_identities: int  # identities accepted in more than one partition or epoch


class Level(StrEnum):
    """A failure makes `tollstream reconcile` exit 1; a warning does not."""

    FAILURE = "failure"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that does not hold; `partition` is None for what concerns the whole store."""

    level: Level
    check: str
    topic_epoch: int | None
    partition: int | None
    sentence: str


def _checkpoint_adds_up(account: PartitionAccount) -> str | None:
    parts = account.accepted + account.duplicates + account.dead_lettered
    if account.events == parts:
        return None
    return (
        f"{account.events} events passed, but {account.accepted} accepted + {account.duplicates} duplicates + "
        f"{account.dead_lettered} dead-lettered = {parts} ({account.events - parts:+})"
    )


def _ledger_is_complete(account: PartitionAccount) -> str | None:
    if account.ledger_rows == account.accepted:
        return None
    difference = account.ledger_rows - account.accepted
    return f"{account.accepted} accepted, {account.ledger_rows} ledger rows below the checkpoint ({difference:+})"


def _dead_letters_are_complete(account: PartitionAccount) -> str | None:
    if account.dead_letter_rows == account.dead_lettered:
        return None
    difference = account.dead_letter_rows - account.dead_lettered
    return f"{account.dead_lettered} dead-lettered, {account.dead_letter_rows} stored ({difference:+})"


def _totals_equal_ledger(account: PartitionAccount) -> str | None:
    apart = [line for line in account.residual.lines if line.difference]
    if not apart:
        return None
    shown = "; ".join(
        f"{line.name}{' ' + line.currency if line.currency else ''}: "
        f"ledger {line.ledger}, totals {line.totals}, off by {line.difference}"
        for line in apart[:5]
    )
    return shown + (f"; and {len(apart) - 5} more" if len(apart) > 5 else "")


def _ledger_balances(account: PartitionAccount) -> str | None:
    if not account.residual.imbalance:
        return None
    return (
        "customer_charge differs from provider_reward + platform_fee + builder_earnings "
        f"by {account.residual.imbalance} over its rows"
    )


def _billed_once(account: PartitionAccount) -> str | None:
    if not account.billed_twice:
        return None
    return f"{account.billed_twice} identities stand at two places: these events are billed twice"


PARTITION_CHECKS: tuple[tuple[str, Callable[[PartitionAccount], str | None]], ...] = (
    ("checkpoint_adds_up", _checkpoint_adds_up),
    ("ledger_is_complete", _ledger_is_complete),
    ("dead_letters_are_complete", _dead_letters_are_complete),
    ("totals_equal_ledger", _totals_equal_ledger),
    ("ledger_balances", _ledger_balances),
    ("billed_once", _billed_once),
)


def _partition_findings(accounts: Iterable[PartitionAccount]) -> Iterator[Finding]:
    for account in accounts:
        for check, judge in PARTITION_CHECKS:
            sentence = judge(account)
            if sentence is not None:
                yield Finding(Level.FAILURE, check, account.topic_epoch, account.source_partition, sentence)


def findings(accounts: Accounts) -> list[Finding]:
    """Everything that does not hold, failures first; empty when the money adds up."""
    found = list(_partition_findings(accounts.partitions))
    if accounts.shared_identities:
        sentence = (
            f"{accounts.shared_identities} identities are accepted in more than one partition or epoch: "
            "a sender changed its subject or key between two attempts"
        )
        found.append(Finding(Level.WARNING, "identity_in_one_partition", None, None, sentence))
    return found


def total_residual(accounts: Sequence[PartitionAccount]) -> Decimal:
    """Money over all partitions on which ledger and totals, or the ledger itself, disagree."""
    return sum((account.residual.amounts for account in accounts), ZERO)
