"""One contract, two sinks: what the meter relies on, asked of memory and of ClickHouse alike."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from sinks import tables
from sinks.contract import BackfillGrant, BookDigest, EpochParameters, Sink
from sinks.errors import RowsRefusedError
from sinks.frames import frame_schema
from tests.support import rows
from tests.support.rows import WINDOW, ledger_row, void_row

LATER = WINDOW + timedelta(hours=1)
NEXT_MONTH = datetime(2026, 2, 1, tzinfo=UTC)


def as_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as the helpers make them: usage as a mapping without zeros."""
    return [
        row | {"usage": {entry["key"]: entry["value"] for entry in row["usage"]}} if "usage" in row else row
        for row in frame.iter_rows(named=True)
    ]


async def test_a_ledger_row_comes_back_as_it_was_written(sink: Sink) -> None:
    first = ledger_row(
        3,
        event_time=WINDOW + timedelta(microseconds=1),
        record_time=WINDOW + timedelta(microseconds=999_999),
        batch_index=2**32 - 1,
        source_partition=2**16 - 1,
        payload_hash=2**64 - 1,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        workspace="Zürich \U0001f4a7",
        customer_charge=Decimal("99999999999999999999999999.999999999999"),
        builder_earnings=Decimal("-0.000000000001"),
        usage={"input_tokens": Decimal("1000000000000.000001"), "requests": Decimal(1)},
    )
    await sink.write_ledger(rows.ledger([first]))
    found = await sink.find_rows(1, [2**16 - 1], rows.identities("e3"))
    assert found.schema == pl.Schema(frame_schema(tables.LEDGER))
    assert as_rows(found) == [first]


async def test_an_unpriced_row_keeps_null_amounts_apart_from_zero(sink: Sink) -> None:
    free = ledger_row(1, **dict.fromkeys(("base_cost", *tables.AMOUNTS), Decimal(0)))
    unpriced = ledger_row(2, pricing="unpriced", unpriced_reason="no_price", **rows.NULL_AMOUNTS)
    await sink.write_ledger(rows.ledger([free, unpriced]))
    found = {
        row["id"]: row["customer_charge"] for row in as_rows(await sink.find_rows(1, [0], rows.identities("e1", "e2")))
    }
    assert found == {"e1": Decimal(0), "e2": None}


async def test_a_ledger_row_written_again_stands_once(sink: Sink) -> None:
    block = rows.ledger([ledger_row(1), ledger_row(2)])
    for _ in range(3):
        await sink.write_ledger(block)
    assert (await sink.find_rows(1, [0], rows.identities("e1", "e2"))).height == 2
    found = await sink.find_identities(1, [0], rows.identities("e1"))
    assert found.unique().height == 1


async def test_events_of_one_batch_record_are_told_apart_by_their_index(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([ledger_row(1, batch_index=0, id="a"), ledger_row(1, batch_index=1, id="b")]))
    found = await sink.find_rows(1, [0], rows.identities("a", "b"))
    assert sorted(found["id"]) == ["a", "b"]


async def test_rows_that_target_an_event_are_found_with_it(sink: Sink) -> None:
    usage = ledger_row(1)
    await sink.write_ledger(rows.ledger([usage, void_row(2, usage), ledger_row(3)]))
    found = await sink.find_rows(1, [0], rows.identities("e1"))
    assert sorted(found["id"]) == ["e1", "v2"]


async def test_a_row_that_is_asked_for_and_targets_another_one_asked_for_is_answered_once(sink: Sink) -> None:
    usage = ledger_row(1)
    await sink.write_ledger(rows.ledger([usage, void_row(2, usage)]))
    found = await sink.find_rows(1, [0], rows.identities("e1", "v2"))
    assert sorted(found["id"]) == ["e1", "v2"]


async def test_an_identity_is_both_of_its_halves(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([ledger_row(1)]))
    known = rows.identities("e1")
    other_high = known ^ np.array([[1, 0]], dtype=np.uint64)
    assert (await sink.find_identities(1, [0], other_high)).is_empty()
    assert (await sink.find_rows(1, [0], other_high)).is_empty()
    assert (await sink.find_identities(1, [0], known)).height == 1


async def test_identities_are_those_of_the_partitions_asked_and_of_every_earlier_epoch(sink: Sink) -> None:
    await sink.write_ledger(
        rows.ledger(
            [
                ledger_row(1, id="old-epoch", topic_epoch=1, source_partition=5),
                ledger_row(1, id="here", topic_epoch=2, source_partition=0),
                ledger_row(1, id="elsewhere", topic_epoch=2, source_partition=1),
                ledger_row(1, id="to-come", topic_epoch=3, source_partition=0),
            ]
        )
    )
    everyone = rows.identities("old-epoch", "here", "elsewhere", "to-come")
    expected = {tuple(pair) for pair in rows.identities("old-epoch", "here").tolist()}
    read = await sink.read_identities(2, [0], WINDOW)
    assert read.dtype == np.uint64
    assert {tuple(pair) for pair in read.tolist()} == expected
    found = await sink.find_identities(2, [0], everyone)
    assert set(zip(found["identity_high"], found["identity_low"], strict=True)) == expected
    assert set((await sink.find_rows(2, [0], everyone))["id"]) == {"old-epoch", "here"}


async def test_identities_are_read_from_the_very_microsecond_on(sink: Sink) -> None:
    since = WINDOW + timedelta(microseconds=500_001)
    before, at = since - timedelta(microseconds=1), since
    await sink.write_ledger(rows.ledger([ledger_row(1, event_time=before), ledger_row(2, event_time=at)]))
    assert (await sink.read_identities(1, [0], since)).tolist() == rows.identities("e2").tolist()


async def test_a_late_void_is_read_by_its_own_time_and_not_by_its_targets_window(sink: Sink) -> None:
    usage = ledger_row(1)
    await sink.write_ledger(rows.ledger([usage, void_row(2, usage, event_time=NEXT_MONTH)]))
    assert (await sink.read_identities(1, [0], NEXT_MONTH)).tolist() == rows.identities("v2").tolist()


async def test_an_empty_store_answers_with_empty_columns(sink: Sink) -> None:
    nobody = np.empty((0, 2), dtype=np.uint64)
    assert (await sink.read_identities(1, [0], WINDOW)).shape == (0, 2)
    for wanted in (nobody, rows.identities("e1")):
        assert (await sink.find_identities(1, [0], wanted)).is_empty()
        assert (await sink.find_rows(1, [0], wanted)).schema == pl.Schema(frame_schema(tables.LEDGER))
    assert (await sink.read_totals(1, {0: [WINDOW]})).schema == pl.Schema(frame_schema(tables.TOTALS))
    assert (await sink.read_totals(1, {})).schema == pl.Schema(frame_schema(tables.TOTALS))
    assert (await sink.read_checkpoints(1, [0])).schema == pl.Schema(frame_schema(tables.CHECKPOINTS))
    assert (await sink.read_checkpoints(1, [])).is_empty()
    assert await sink.read_backfill_grants() == []


async def test_more_identities_than_fit_in_one_query_are_all_looked_up(sink: Sink) -> None:
    ids = [f"many-{number}" for number in range(9_001)]
    await sink.write_ledger(rows.ledger([ledger_row(1, id=ids[0]), ledger_row(2, id=ids[-1])]))
    found = await sink.find_identities(1, [0], rows.identities(*ids))
    assert sorted(found["source_offset"]) == [1, 2]


async def test_the_total_with_the_greatest_offset_is_the_truth_whatever_the_order_of_writing(sink: Sink) -> None:
    early, late = rows.totals_of([ledger_row(1)]), rows.totals_of([ledger_row(1), ledger_row(2)])
    for order in ([early, late], [late, early], [early, early]):
        for total in order:
            await sink.write_totals(rows.totals(total))
    assert as_rows(await sink.read_totals(1, {0: [WINDOW]})) == late


async def test_totals_are_those_of_the_windows_asked_of_each_partition(sink: Sink) -> None:
    everything = rows.totals_of(
        ledger_row(number, source_partition=partition, window_start=start, topic_epoch=epoch)
        for number, (epoch, partition, start) in enumerate(
            (epoch, partition, start)
            for epoch in (1, 2)
            for partition in (0, 1)
            for start in (WINDOW, LATER, NEXT_MONTH)
        )
    )
    await sink.write_totals(rows.totals(everything))
    found = as_rows(await sink.read_totals(1, {0: [WINDOW, NEXT_MONTH], 1: [LATER], 7: [WINDOW], 8: []}))
    places = sorted((row["topic_epoch"], row["source_partition"], row["window_start"]) for row in found)
    assert places == [(1, 0, WINDOW), (1, 0, NEXT_MONTH), (1, 1, LATER)]


async def test_totals_of_different_tags_do_not_replace_each_other(sink: Sink) -> None:
    some = [ledger_row(number, **{name: f"other-{name}"}) for number, name in enumerate(
        ("builder", "tenant", "workspace", "feature", "provider", "model", "mode", "rule_id", "currency")
    )]  # fmt: skip
    await sink.write_totals(rows.totals(rows.totals_of([*some, ledger_row(99)])))
    assert (await sink.read_totals(1, {0: [WINDOW]})).height == len(some) + 1


async def test_the_furthest_checkpoint_of_a_partition_is_the_truth(sink: Sink) -> None:
    for next_offset in (10, 30, 20):  # a zombie writes last
        await sink.write_checkpoints(rows.checkpoints([rows.checkpoint_row(next_offset)]))
    await sink.write_checkpoints(rows.checkpoints([rows.checkpoint_row(5, source_partition=1)]))
    found = as_rows(await sink.read_checkpoints(1, [0, 1, 2]))
    assert [row["next_offset"] for row in found] == [30, 5]
    assert found[0] == rows.checkpoint_row(30)
    assert (await sink.read_checkpoints(2, [0])).is_empty()


async def test_dead_letters_are_counted_once_and_kept_byte_for_byte(sink: Sink) -> None:
    letter = rows.dead_letter_row(0, record_value=bytes(range(256)), record_key=None)
    for _ in range(2):
        await sink.write_dead_letters(rows.dead_letters([letter]))
    await sink.write_checkpoints(rows.checkpoints([rows.checkpoint_row(1, accepted=0, dead_lettered=1)]))
    (account,) = (await sink.read_accounts()).partitions
    assert account.dead_letter_rows == 1


async def test_no_rows_are_no_write(sink: Sink) -> None:
    for write, schema in (
        (sink.write_ledger, tables.LEDGER),
        (sink.write_totals, tables.TOTALS),
        (sink.write_dead_letters, tables.DEAD_LETTERS),
        (sink.write_checkpoints, tables.CHECKPOINTS),
    ):
        await write(schema.empty_table())


async def test_plain_strings_are_as_good_as_dictionaries(sink: Sink) -> None:
    block = rows.ledger([ledger_row(1)])
    plain = pa.schema(
        [
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in block.schema
        ]
    )
    await sink.write_ledger(block.cast(plain))
    assert as_rows(await sink.find_rows(1, [0], rows.identities("e1"))) == [ledger_row(1)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda block: block.drop_columns(["tenant"]), "tenant"),
        (lambda block: block.append_column("surprise", block["tenant"]), "surprise"),
        (lambda block: block.select(block.column_names[::-1]), "another order"),
        (lambda block: block.set_column(5, "source_offset", block["source_offset"].cast(pa.int32())), "int32"),
    ],
    ids=["missing", "unknown", "order", "type"],
)
async def test_rows_that_do_not_fit_are_refused_whole(sink: Sink, change: Any, said: str) -> None:
    with pytest.raises(RowsRefusedError, match=said):
        await sink.write_ledger(change(rows.ledger([ledger_row(1)])))
    assert (await sink.find_rows(1, [0], rows.identities("e1"))).is_empty()


async def test_the_first_parameters_of_an_epoch_stand(sink: Sink) -> None:
    first = EpochParameters(1, "usage.raw", 8, 3600, 3_024_000, 300)
    other = EpochParameters(1, "usage.raw", 16, 60, 1, 1)
    second_epoch = EpochParameters(2, "usage.raw.2", 16, 60, 1, 1)
    assert await sink.pin_epoch(first) == first
    assert await sink.pin_epoch(other) == first
    assert await sink.pin_epoch(second_epoch) == second_epoch
    assert await sink.pin_epoch(other) == first


def record(kind: str, version: str, place: int, start: datetime = WINDOW, **fields: Any) -> BookDigest:
    content = fields.pop("content", f'version = "{version}" # {kind} «ö»\n')
    digest = hashlib.sha256(content.encode()).hexdigest()
    stamp = {"publication_id": f"{kind}-{version}", "published_by": "ada", "reason": "new prices"}
    return BookDigest(kind, version, start, digest, content, sequence=place, **(stamp | fields))


async def recorded(sink: Sink) -> dict[tuple[int, str, str], BookDigest]:
    records = await sink.read_book_records()
    return {(book.sequence, *book.name): book for book in records.records}


async def test_what_was_recorded_is_told_with_who_why_and_when(sink: Sink) -> None:
    before = (await sink.read_book_records()).now
    old = record("prices", "2026-01", 1)
    rules = record("rules", "2026-01", 2, retroactive=True)
    await sink.record_books([old])
    await sink.record_books([rules])
    after = (await sink.read_book_records()).now
    found = await recorded(sink)
    told = found[1, "prices", "2026-01"]
    assert told == replace(old, content="", recorded_at=told.recorded_at)
    assert before <= told.recorded_at <= after
    assert found[2, "rules", "2026-01"].retroactive
    contents = await sink.read_book_contents({old.digest, rules.digest, "0" * 64})
    assert contents == {old.digest: old.content, rules.digest: rules.content}
    assert await sink.read_book_contents(set()) == {}


async def test_a_place_is_given_once_whatever_is_recorded_there_and_a_publication_is_taken_whole(sink: Sink) -> None:
    founding = [record("prices", str(number), number, LATER.replace(year=2020 + number)) for number in (1, 2, 3)]
    founding = [replace(book, publication_id="founding") for book in founding]
    await sink.record_books(founding)
    await sink.record_books([record("prices", "other", 1)])
    await sink.record_books([record("rules", "other", 1)])  # one order for both kinds
    await sink.record_books(founding)  # the answer got lost
    assert sorted(await recorded(sink)) == [(1, "prices", "1"), (2, "prices", "2"), (3, "prices", "3")]
    assert [book.version for book in await sink.read_books(("prices",))] == ["1", "2", "3"]


async def test_books_are_what_stands_with_texts_sorted_by_kind_and_version(sink: Sink) -> None:
    far = datetime.now(UTC) + timedelta(days=1)
    await sink.record_books([record("rules", "b", 1)])
    await sink.record_books([record("prices", "2", 2)])
    await sink.record_books([record("prices", "late", 3, datetime.now(UTC))])  # within the lead: stands for nobody
    await sink.record_books([record("prices", "1", 4, far)])
    books = await sink.read_books(("rules", "prices"))
    assert [book.name for book in books] == [("prices", "1"), ("prices", "2"), ("rules", "b")]
    assert books[0].content == record("prices", "1", 4).content
    assert [book.version for book in await sink.read_books(("prices",))] == ["1", "2"]


async def test_the_lead_grows_with_the_epochs_that_are_pinned(sink: Sink) -> None:
    first = (await sink.read_book_records()).now
    await sink.pin_epoch(EpochParameters(1, "usage.raw", 8, 3600, 3_024_000, 300))
    await sink.pin_epoch(EpochParameters(2, "usage.raw.2", 8, 3600, 3_024_000, 0))
    await sink.pin_epoch(EpochParameters(1, "usage.raw", 8, 3600, 3_024_000, 9_000))  # the first stands
    records = await sink.read_book_records()
    assert records.leads.at(records.now) == timedelta(seconds=360)
    assert records.leads.at(first) == timedelta(seconds=60)


async def test_the_first_grant_of_an_id_stands(sink: Sink) -> None:
    grant = BackfillGrant("g1", "gateway-1", WINDOW, LATER, LATER, NEXT_MONTH, "ada", "outage of the gateway")
    other = BackfillGrant("g1", "gateway-2", WINDOW, LATER, LATER, NEXT_MONTH, "eve", "why not")
    await sink.write_backfill_grant(grant)
    await sink.write_backfill_grant(other)
    assert await sink.read_backfill_grants() == [grant]
