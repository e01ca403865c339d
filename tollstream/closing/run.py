"""A closing from the question to numbered statements: `preview` only looks, `close` closes.

Any step may break off: the same call goes on where it was, and what it writes again is what stands already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa

from billing.fx import MissingRate
from billing.periods import Cycle, Period
from billing.statements import Refusal, Statement
from billing.surcharges import RuleBooks
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import ABANDONED, CLOSED, FROZEN, NUMBERED, PLANNED, WRITTEN, Closing, TenantRange
from tollstream.closing import checks
from tollstream.closing.agreed import Agreements, read_agreements
from tollstream.closing.basis import Basis, basis_of, scope_of
from tollstream.closing.checks import Accepted, Problem
from tollstream.closing.freezing import charge_currency, freeze, inputs_of, portions, read_cut
from tollstream.closing.lag import Log
from tollstream.closing.periods import closed, closed_entry, named_period, refuse_out_of_turn, refuse_windows
from tollstream.closing.portions import TENANTS, all_tenants, statements_of
from tollstream.closing.refusal import CloseRefusedError
from tollstream.closing.rows import SUMS, Rows, add_up, is_empty
from tollstream.closing.steps import AFTER_FREEZE, advance, attempts, read_entries, under_way
from tollstream.closing.told import Told

Sums = Mapping[str, Mapping[str, Decimal]]
LATEST = datetime(2100, 1, 1, tzinfo=UTC)  # all usage lies before
NAMED = 10  # of many missing rates so many are named


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it reads and writes."""

    store: ClickHouseStatementStore
    rules: RuleBooks
    log: Log
    window_seconds: int  # of epochs that have pinned none yet
    portion: int = TENANTS
    patience_seconds: float = 10.0  # so long records may wait before nobody seems to store them


@dataclass(frozen=True, slots=True)
class Result:
    """A period that is closed."""

    entry: Closing
    stood: bool  # it was closed before
    resumed: bool  # an earlier attempt had frozen it
    problems: tuple[Problem, ...] = ()  # that were accepted


@dataclass(slots=True)
class Preview:
    """What closing would come to."""

    builder: str
    period: Period
    problems: tuple[Problem, ...]
    tenants: int = 0
    first_number: int = 1
    count: int = 0
    sums: Sums = field(default_factory=dict)
    first: list[Statement] = field(default_factory=list)
    missing: tuple[MissingRate, ...] = ()


async def close(
    installation: Installation, builder: str, label: str, accepted: Accepted, told: Told | None = None
) -> Result:
    """Close a period, or answer what stands. Raises `CloseRefusedError`, `PeriodError`, and what the store raises."""
    told, store = told or Told(), installation.store
    agreements, entries = await read_agreements(store, builder), await read_entries(store, builder)
    period, cycle = named_period(agreements.plans(agreements.plans_place), label)
    standing = closed_entry(entries, period.label)
    if standing is not None:
        return Result(standing, stood=True, resumed=False)
    newest = under_way(entries)
    if newest is not None and newest.state in AFTER_FREEZE:
        if newest.period.label != period.label:
            raise CloseRefusedError(
                f"Closing {builder} {newest.period.label} was begun by {newest.by} and is not finished: finish it "
                f"first with `tollstream close --builder {builder} --period {newest.period.label}`."
            )
        return Result(await _finish(installation, agreements, entries, newest, accepted, told), False, True)
    await _refuse(installation, agreements, entries, period, cycle)
    found = await checks.problems(
        store, builder, period, installation.log, closed(entries), installation.patience_seconds
    )
    overrides = checks.accept(found, accepted)
    entry = await advance(
        store,
        entries,
        Closing(
            builder,
            "",
            period,
            cycle,
            attempts(entries, period.label) + 1,
            PLANNED,
            accepted.by,
            accepted.reason,
            overrides=overrides,
        ),
    )
    await told.step(PLANNED)
    copy = await freeze(store, agreements, installation.rules, entries, period, told)
    entry = replace(
        entry,
        state=FROZEN,
        closing_id=copy.closing_id,
        cut=copy.cut,
        inputs=copy.inputs,
        frozen_rows=copy.frozen.rows,
        frozen_checksum=copy.frozen.checksum,
    )
    entry = await advance(store, entries, entry)
    await told.step(FROZEN)
    return Result(await _finish(installation, agreements, entries, entry, accepted, told), False, False, tuple(found))


async def preview(
    installation: Installation, builder: str, label: str, shown: int, told: Told | None = None
) -> Preview:
    """What closing would come to now, and what stands in its way; nothing is written."""
    told, store = told or Told(), installation.store
    agreements, entries = await read_agreements(store, builder), await read_entries(store, builder)
    period, cycle = named_period(agreements.plans(agreements.plans_place), label)
    if closed_entry(entries, period.label) is not None:
        raise CloseRefusedError(
            f"Period {period.label} of {builder} is closed: `tollstream statement {builder}/TENANT --period "
            f"{period.label}` shows its statements."
        )
    await _refuse(installation, agreements, entries, period, cycle)
    found = await checks.problems(
        store, builder, period, installation.log, closed(entries), installation.patience_seconds
    )
    scope = scope_of(entries, builder, period, await read_cut(store))
    moved, counted = await store.has_moved(scope), await store.read_tenants(scope)
    used: set[tuple[object, str]] = set()
    currencies: set[str] = set()
    for tenants in portions(counted):
        rows = await store.read_current(scope, tenants, moved)
        currencies.update(rows.column("currency").unique().to_pylist())
        for second, rule in set(zip(rows["period_start"].to_pylist(), rows["rule_id"].to_pylist(), strict=True)):
            used.add((second, rule))
    starts = {int(each.start.timestamp()): each.start for each in (period, *(done.period for done in closed(entries)))}
    inputs = inputs_of(
        agreements,
        installation.rules,
        entries,
        period,
        [(starts[second], rule) for second, rule in used if isinstance(second, int)],
        charge_currency(agreements, period, sorted(currencies)),
    )
    basis = basis_of(agreements, entries, period, cycle, inputs)
    everybody = await all_tenants(store, basis, [name for name, _ in counted])
    view = Preview(builder, period, tuple(found), len(everybody), _next_number(entries))
    missing: set[MissingRate] = set()

    async def read(within: TenantRange) -> pa.Table:
        return await store.read_current(scope, within, moved)

    done = 0
    async for portion in statements_of(store, basis, everybody, read, installation.portion):
        made = [each for each in portion.statements if not is_empty(each)]
        view.count += len(made)
        view.first += made[: shown - len(view.first)]
        view.sums = add_up([view.sums, *({each.currency: _amounts(each)} for each in made)])
        missing.update(rate for refusal in portion.refusals for rate in refusal.missing)
        done += len(portion.tenants)
        told.wrote(done, len(everybody))
    view.missing = tuple(sorted(missing))
    return view


async def _refuse_stranger(store: ClickHouseStatementStore, agreements: Agreements, entries: Sequence[Closing]) -> None:
    """A name with nothing behind it is a slip of the pen: closing it would look like success, and stand for ever."""
    builder = agreements.builder
    if builder and (entries or agreements.plans_place or agreements.grants_place):
        return
    if not builder or await store.first_usage(builder, LATEST, {}) is None:
        raise CloseRefusedError(
            f"{builder!r} is no Builder that has usage, plans or credits: check the name. Nothing was closed."
        )


async def _refuse(
    installation: Installation, agreements: Agreements, entries: Sequence[Closing], period: Period, cycle: Cycle
) -> None:
    """Builders that nobody knows, and periods that run, or are not next, or cut windows."""
    store = installation.store
    await _refuse_stranger(store, agreements, entries)
    refuse_out_of_turn(entries, period, cycle, await store.clock())
    pinned = await store.read_epochs()
    for seconds in {each.window_seconds for each in pinned.values()} or {installation.window_seconds}:
        refuse_windows(period, seconds)


async def _finish(
    installation: Installation,
    agreements: Agreements,
    entries: list[Closing],
    entry: Closing,
    accepted: Accepted,
    told: Told,
) -> Closing:
    """From the frozen input to the closed period."""
    store = installation.store
    basis = basis_of(agreements, entries, entry.period, entry.cycle, entry.inputs)
    while entry.state != CLOSED:
        following = replace(entry, by=accepted.by, reason=accepted.reason)
        if entry.state == FROZEN:
            following = replace(following, state=NUMBERED, first_number=_next_number(entries))
        elif entry.state == NUMBERED:
            count, tenants, sums = await _write(installation, basis, entries, entry, told)
            following = replace(following, state=WRITTEN, statements=count, tenants=tenants, sums=sums)
        else:
            await _verify(store, entry)
            following = replace(following, state=CLOSED)
        entry = await advance(store, entries, following)
        await told.step(entry.state)
    return entry


async def _write(
    installation: Installation, basis: Basis, entries: list[Closing], entry: Closing, told: Told
) -> tuple[int, int, Sums]:
    """Every statement of the attempt, with everything that belongs to it: how many, of how many tenants, what sums."""
    store = installation.store
    frozen_entry = _frozen_entry(entries, entry)
    stands = await store.frozen(entry.builder, entry.closing_id)
    if (stands.rows, stands.checksum) != (entry.frozen_rows, entry.frozen_checksum):
        raise CloseRefusedError(
            f"The frozen usage of closing {entry.closing_id} is not what it was when it was frozen ({stands.rows} rows "
            f"instead of {entry.frozen_rows}, or others): bring the store's table `closing_usage` back from a backup."
        )
    everybody = await all_tenants(store, basis, await store.frozen_tenants(entry.builder, entry.closing_id))

    async def read(within: TenantRange) -> pa.Table:
        return await store.read_frozen(entry.builder, entry.closing_id, within)

    book = basis.plans.in_force(basis.period)
    number, done = entry.first_number, 0
    sums: Sums = {}
    refusals: list[Refusal] = []
    pending: asyncio.Task[None] | None = None
    async for portion in statements_of(store, basis, everybody, read, installation.portion):
        refusals += portion.refusals
        done += len(portion.tenants)
        if refusals:
            continue  # one pass shows everything that is missing
        rows = Rows(frozen_entry, book)
        for each in portion.statements:
            if not is_empty(each):
                rows.add(each, number)
                number += 1
        sums = add_up([sums, rows.sums])
        if pending is not None:
            await pending
        pending = asyncio.create_task(_store(store, rows, told, done, len(everybody)))
    if pending is not None:
        await pending
    if refusals:
        await _abandon(store, entries, entry, refusals)
    return number - entry.first_number, len(everybody), sums


async def _store(store: ClickHouseStatementStore, rows: Rows, told: Told, done: int, of: int) -> None:
    for table, found in await asyncio.to_thread(lambda: list(rows.tables())):
        await store.write_rows(table, found)
        await told.step(f"{table} {done}")
    told.wrote(done, of)


async def _abandon(
    store: ClickHouseStatementStore, entries: list[Closing], entry: Closing, refusals: Sequence[Refusal]
) -> None:
    missing = sorted({rate for refusal in refusals for rate in refusal.missing})
    said = "; ".join(rate.text for rate in missing[:NAMED])
    more = f"; and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    sentence = (
        f"{len(refusals):,} statements of {entry.builder} {entry.period.label} cannot be made: {said}{more}. Add the "
        "rates with `tollstream fx add`, then close again."
    )
    await advance(store, entries, replace(entry, state=ABANDONED, reason=sentence))
    raise CloseRefusedError(sentence)


async def _verify(store: ClickHouseStatementStore, entry: Closing) -> None:
    """What stands is what was computed, and every statement balances."""
    stands = await store.read_written(entry.builder, entry.closing_id)
    expected = entry.first_number, entry.first_number + entry.statements - 1, entry.statements, entry.statements
    found = stands.first_number, stands.last_number, stands.statements, stands.posting_sets
    if (entry.statements and found != expected) or stands.unbalanced or add_up([stands.sums]) != add_up([entry.sums]):
        raise CloseRefusedError(
            f"What stands of closing {entry.closing_id} is not what was computed: statements {found[0]} to {found[1]}, "
            f"{found[2]} of them with {found[3]} sets of postings, {stands.unbalanced} of these unbalanced; computed "
            f"were {entry.statements} from {entry.first_number} on. Nothing was closed; look at the store's log."
        )


def _frozen_entry(entries: Sequence[Closing], entry: Closing) -> Closing:
    """The entry that froze it: its time is the date of the statements."""
    return next(each for each in entries if each.state == FROZEN and each.closing_id == entry.closing_id)


def _next_number(entries: Sequence[Closing]) -> int:
    done = closed(entries)
    return done[-1].first_number + done[-1].statements if done else 1


def _amounts(statement: Statement) -> dict[str, Decimal]:
    return {name: getattr(statement.totals, name) for name in SUMS}
