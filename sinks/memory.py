"""A sink in memory that answers as ClickHouse does with FINAL: for simulation and for tests, never for money.

Of rows with equal keys the one with the greatest version stays, of equal versions the one written last. Keys are the
sort keys of the ClickHouse tables. Writing costs one conversion, whatever the number of rows; equal keys are resolved
when somebody reads. Single-threaded, no locks: every method runs to its end without awaiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, localcontext

import numpy as np
import polars as pl
import pyarrow as pa

from billing.publication import BookDigest, Leads
from sinks import tables
from sinks.contract import BackfillGrant, BookRecords, EpochParameters
from sinks.frames import empty_frame, to_frame
from sinks.reconciliation import METER_PREFIX, ZERO, Accounts, PartitionAccount, Residual, SumLine
from sinks.rows import check_rows

PLACE = ("topic_epoch", "source_partition", "source_offset", "batch_index")
TOTAL = (*tables.TOTALS_KEY, "topic_epoch", "source_partition")
EXACT = Context(prec=76, traps=[Inexact])  # Python's own 28 digits would round sums of Decimal(38, 12)


@dataclass(slots=True)
class _Rows:
    """One table: what is resolved, and what was written since."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    version: str | None
    resolved: pl.DataFrame = field(init=False)
    pending: list[pl.DataFrame] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.resolved = empty_frame(self.schema)

    def write(self, rows: pa.Table) -> None:
        check_rows(self.name, rows, self.schema)
        if rows.num_rows:
            self.pending.append(to_frame(rows, self.schema))

    def read(self) -> pl.DataFrame:
        """One row per key, sorted by key."""
        if self.pending:
            rows = pl.concat([self.resolved, *self.pending])
            if self.version is not None:
                rows = rows.sort(self.version, maintain_order=True)
            self.resolved = rows.unique(self.key, keep="last", maintain_order=True).sort(self.key)
            self.pending.clear()
        return self.resolved


class MemorySink:
    """See `sinks.contract.Sink`. `ledger`, `totals`, `dead_letters` and `checkpoints` show what is stored."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`now` is the store's clock: it stamps what is published, and nothing else."""
        self._ledger = _Rows("usage_ledger", tables.LEDGER, ("builder", "tenant", "window_start", *PLACE), None)
        self._totals = _Rows("usage_totals", tables.TOTALS, TOTAL, "last_offset")
        self._dead_letters = _Rows("dead_letters", tables.DEAD_LETTERS, PLACE, None)
        self._checkpoints = _Rows("checkpoints", tables.CHECKPOINTS, ("topic_epoch", "source_partition"), "next_offset")
        self._now = now
        self._epochs: dict[int, tuple[EpochParameters, datetime]] = {}
        self._books: list[BookDigest] = []
        self._places: set[int] = set()
        self._grants: dict[str, BackfillGrant] = {}

    @property
    def ledger(self) -> pl.DataFrame:
        """Every ledger row once, sorted by builder, tenant, window and place; columns as `frame_schema(LEDGER)`."""
        return self._ledger.read()

    @property
    def totals(self) -> pl.DataFrame:
        """The newest total of every key, sorted by key."""
        return self._totals.read()

    @property
    def dead_letters(self) -> pl.DataFrame:
        """Every dead letter once, sorted by place."""
        return self._dead_letters.read()

    @property
    def checkpoints(self) -> pl.DataFrame:
        """The newest checkpoint of every partition."""
        return self._checkpoints.read()

    async def write_ledger(self, rows: pa.Table) -> None:
        self._ledger.write(rows)

    async def write_dead_letters(self, rows: pa.Table) -> None:
        self._dead_letters.write(rows)

    async def write_totals(self, rows: pa.Table) -> None:
        self._totals.write(rows)

    async def write_checkpoints(self, rows: pa.Table) -> None:
        self._checkpoints.write(rows)

    async def read_checkpoints(self, topic_epoch: int, partitions: Collection[int]) -> pl.DataFrame:
        return self.checkpoints.filter(_of(topic_epoch, partitions))

    async def read_identities(self, topic_epoch: int, partitions: Collection[int], since: datetime) -> np.ndarray:
        known = self.ledger.filter(_of_or_before(topic_epoch, partitions), pl.col("event_time") >= since)
        return known.select("identity_high", "identity_low").to_numpy()

    async def find_identities(
        self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray
    ) -> pl.DataFrame:
        rows = self.ledger.filter(_of_or_before(topic_epoch, partitions))
        return _among(rows, "identity", identities).select(
            "identity_high", "identity_low", "payload_hash", "event_time", *PLACE
        )

    async def find_rows(self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray) -> pl.DataFrame:
        rows = self.ledger.filter(_of_or_before(topic_epoch, partitions))
        found = pl.concat([_among(rows, "identity", identities), _among(rows, "target", identities)])
        return found.unique(self._ledger.key, maintain_order=True)

    async def read_totals(self, topic_epoch: int, windows: Mapping[int, Collection[datetime]]) -> pl.DataFrame:
        wanted = pl.lit(False)
        for partition, starts in windows.items():
            wanted |= (pl.col("source_partition") == partition) & pl.col("window_start").is_in(list(starts))
        return self.totals.filter(pl.col("topic_epoch") == topic_epoch, wanted)

    async def pin_epoch(self, parameters: EpochParameters) -> EpochParameters:
        return self._epochs.setdefault(parameters.topic_epoch, (parameters, self._now()))[0]

    async def record_books(self, books: Sequence[BookDigest]) -> None:
        place = books[0].sequence
        if place not in self._places:
            self._places.add(place)
            now = self._now()
            self._books += [replace(book, recorded_at=now) for book in books]

    async def read_book_records(self) -> BookRecords:
        records = [replace(book, content="") for book in self._books]
        epochs = [(pinned_at, epoch.future_skew_seconds) for epoch, pinned_at in self._epochs.values()]
        return BookRecords(records, Leads(epochs), self._now())

    async def read_book_contents(self, digests: Collection[str]) -> dict[str, str]:
        return {book.digest: book.content for book in reversed(self._books) if book.digest in digests}

    async def read_books(self, kinds: Collection[str]) -> list[BookDigest]:
        records = await self.read_book_records()
        stand = [book for book in records.standing() if book.kind in kinds]
        contents = await self.read_book_contents({book.digest for book in stand})
        return sorted((replace(book, content=contents[book.digest]) for book in stand), key=lambda book: book.name)

    async def write_backfill_grant(self, grant: BackfillGrant) -> None:
        self._grants.setdefault(grant.grant_id, grant)

    async def read_backfill_grants(self) -> list[BackfillGrant]:
        return [grant for _, grant in sorted(self._grants.items())]

    async def reconcile(
        self, topic_epoch: int, partitions: Collection[int], window_start_from: datetime | None = None
    ) -> Residual:
        return self._residual(topic_epoch, partitions, window_start_from)

    async def read_accounts(self) -> Accounts:
        identity = ["identity_high", "identity_low"]
        partition = ["topic_epoch", "source_partition"]
        twice = self.ledger.group_by(*partition, *identity).len().filter(pl.col("len") > 1)
        shared = self.ledger.unique([*partition, *identity]).group_by(identity).len().filter(pl.col("len") > 1)
        accounts = []
        for row in self.checkpoints.iter_rows(named=True):
            here = _of(row["topic_epoch"], [row["source_partition"]])
            below = here & (pl.col("source_offset") < row["next_offset"])
            accounts.append(
                PartitionAccount(
                    topic_epoch=row["topic_epoch"],
                    source_partition=row["source_partition"],
                    next_offset=row["next_offset"],
                    events=row["events"],
                    accepted=row["accepted"],
                    duplicates=row["duplicates"],
                    dead_lettered=row["dead_lettered"],
                    ledger_rows=self.ledger.filter(below).height,
                    dead_letter_rows=self.dead_letters.filter(below).height,
                    billed_twice=twice.filter(here).height,
                    residual=self._residual(row["topic_epoch"], [row["source_partition"]], None),
                )
            )
        return Accounts(tuple(accounts), shared.height)

    async def close(self) -> None:
        """Nothing to release."""

    def _residual(self, topic_epoch: int, partitions: Collection[int], since: datetime | None) -> Residual:
        """The slow way on purpose, with Python's own Decimal: ClickHouse and Polars are checked against this."""
        with localcontext(EXACT):
            return self._exact_residual(topic_epoch, partitions, since)

    def _exact_residual(self, topic_epoch: int, partitions: Collection[int], since: datetime | None) -> Residual:
        here = _of(topic_epoch, partitions)
        if since is not None:
            here &= pl.col("window_start") >= since
        next_offsets = {
            row["source_partition"]: row["next_offset"]
            for row in self.checkpoints.filter(_of(topic_epoch, partitions)).iter_rows(named=True)
        }
        covered: dict[tuple[object, ...], int] = {}
        sums: dict[tuple[tuple[object, ...], str], list[Decimal]] = {}

        def add(key: tuple[object, ...], side: int, figures: Mapping[str, Decimal]) -> None:
            for name, value in figures.items():
                sums.setdefault((key, name), [ZERO, ZERO])[side] += value

        for row in self.totals.filter(here).iter_rows(named=True):
            key = tuple(row[name] for name in TOTAL)
            covered[key] = row["last_offset"]
            counts = {name: Decimal(row[name]) for name in ("ledger_rows", "net_events", "unpriced_events")}
            add(key, 1, counts | _figures(row))
        imbalance = ZERO
        for row in self.ledger.filter(here).iter_rows(named=True):
            key = tuple(row[name] for name in TOTAL)
            if row["source_offset"] >= max(covered.get(key, -1) + 1, next_offsets.get(row["source_partition"], 0)):
                continue
            net = Decimal({"usage": 1, "void": -1}.get(row["kind"], 0))
            unpriced = {"unpriced": net, "rated_later": Decimal(-1)}.get(row["pricing"], ZERO)
            add(key, 0, {"ledger_rows": Decimal(1), "net_events": net, "unpriced_events": unpriced} | _figures(row))
            charge, *parts = (row[name] or ZERO for name in tables.AMOUNTS)
            imbalance += abs(charge - sum(parts, ZERO))
        lines: dict[tuple[int, int, str, str], list[Decimal]] = {}
        for (key, name), (ledger, totals) in sums.items():
            named = dict(zip(TOTAL, key, strict=True))
            currency = str(named["currency"]) if name in tables.AMOUNTS else ""
            place = (int(str(named["topic_epoch"])), int(str(named["source_partition"])), currency, name)
            line = lines.setdefault(place, [ZERO, ZERO, ZERO])
            for index, value in enumerate((ledger, totals, abs(ledger - totals))):
                line[index] += value
        return Residual(tuple(SumLine(*place, *line) for place, line in sorted(lines.items())), imbalance)


def _figures(row: Mapping[str, object]) -> dict[str, Decimal]:
    """The amounts (null counts as nothing) and meters of a ledger or totals row."""
    amounts = {name: _decimal(row[name]) for name in tables.AMOUNTS}
    usage = row["usage"]
    assert isinstance(usage, list)  # noqa: S101 - narrows Polars' untyped row
    return amounts | {METER_PREFIX + entry["key"]: _decimal(entry["value"]) for entry in usage}


def _decimal(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else ZERO


def _of(topic_epoch: int, partitions: Collection[int]) -> pl.Expr:
    return (pl.col("topic_epoch") == topic_epoch) & pl.col("source_partition").is_in(list(partitions))


def _of_or_before(topic_epoch: int, partitions: Collection[int]) -> pl.Expr:
    return _of(topic_epoch, partitions) | (pl.col("topic_epoch") < topic_epoch)


def _among(rows: pl.DataFrame, prefix: str, identities: np.ndarray) -> pl.DataFrame:
    """Rows whose (`prefix`_high, `prefix`_low) is one of (n, 2) `identities`."""
    columns = [f"{prefix}_high", f"{prefix}_low"]
    wanted = pl.DataFrame(np.asarray(identities, dtype=np.uint64).reshape(-1, 2), schema=columns, orient="row")
    return rows.join(wanted.unique(), on=columns, how="semi", maintain_order="left")
