"""Statements on the real engine: what a closed closing wrote counts, and postings that do not balance are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from billing.credits import Draw, Grant
from billing.periods import MONTHS, parse_period
from billing.postings import Posting, PostingsError
from sinks.agreements import CREDIT_GRANTS, GRANTS, GrantRecord, grant_row
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.readers.credits import CreditScope
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import CLOSED, CLOSING_JOURNAL, WRITTEN, Closing
from sinks.errors import StoreRefusedError
from sinks.statements import (
    CREDIT_DRAWS,
    POSTING_SETS,
    STATEMENTS,
    PostingSet,
    StatementQuery,
    number_of,
    posting_sets,
    reference_of,
)

JANUARY, FEBRUARY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))


@pytest.fixture
async def store(database: ClickHouseConfiguration) -> AsyncIterator[ClickHouseStatementStore]:
    store = await ClickHouseStatementStore.connect(database)
    yield store
    await store.close()


def closing(closing_id: str, state: str, sequence: int, label: str = "2026-01") -> Closing:
    return Closing(
        "acme",
        closing_id,
        parse_period(MONTHS, label),
        MONTHS,
        1,
        state,
        "ada",
        sequence=sequence,
        record_id=closing_id,
    )


def statement(number: int, tenant: str, closing_id: str, **given: Any) -> dict[str, Any]:
    row = {
        "builder": "acme", "tenant": tenant, "period_start": JANUARY, "number": number, "closing_id": closing_id,
        "reference": reference_of("acme", number), "period": "2026-01", "period_end": FEBRUARY, "issued_at": FEBRUARY,
        "currency": "USD", "charge_currency": "USD", "net": Decimal(2), "tax": Decimal(1), "total": Decimal(3),
        "paid": Decimal(1), "due": Decimal(2), "lines": 1, "document": f'{{"number":{number}}}',
    }  # fmt: skip
    return row | given


async def write(store: ClickHouseStatementStore, *statements: dict[str, Any]) -> None:
    await store.write_rows("statements", pa.Table.from_pylist(list(statements), schema=STATEMENTS))


def posted(*amounts: tuple[str, str, str]) -> list[Posting]:
    return [Posting(account, "p", currency, "usage", Decimal(amount)) for account, currency, amount in amounts]


async def test_only_what_a_closed_closing_wrote_is_a_statement(store: ClickHouseStatementStore) -> None:
    await write(store, statement(1, "globex", "given-up"), statement(1, "globex", "stands"))
    await store.record(CLOSING_JOURNAL, [closing("stands", WRITTEN, 1)])
    assert await store.read_heads(StatementQuery(builder="acme")) == []
    await store.record(CLOSING_JOURNAL, [closing("stands", CLOSED, 2)])
    await write(store, statement(1, "globex", "stands"))  # again: the same row
    [stored] = await store.read_statements(StatementQuery(builder="acme", number=1))
    assert (stored.head.tenant, stored.head.due, stored.document) == ("globex", Decimal(2), '{"number":1}')
    written = await store.read_written("acme", "stands")
    assert (written.statements, written.first_number, written.last_number) == (1, 1, 1)
    assert written.sums["USD"]["total"] == Decimal(3)


async def test_statements_are_found_by_tenant_period_number_and_page(store: ClickHouseStatementStore) -> None:
    await store.record(CLOSING_JOURNAL, [closing("one", CLOSED, 1)])
    await store.record(CLOSING_JOURNAL, [closing("two", CLOSED, 2, "2026-02")])
    later = {"period": "2026-02", "period_start": FEBRUARY}
    await write(store, *(statement(number, f"t{number}", "one") for number in (1, 2, 3)))
    await write(store, *(statement(number + 3, f"t{number}", "two", **later) for number in (1, 2)))

    async def found(**query: Any) -> list[int]:
        return [head.number for head in await store.read_heads(StatementQuery(builder="acme", **query))]

    assert await found() == [1, 2, 3, 4, 5]
    assert await found(tenant="t2") == [2, 5]
    assert await found(period="2026-02") == [4, 5]
    assert await found(number=3) == [3]
    assert await found(period_start_from=FEBRUARY) == [4, 5]
    assert await found(period_start_to=FEBRUARY) == [1, 2, 3]
    assert await found(limit=2) == [1, 2]
    assert await found(limit=2, after=("acme", JANUARY, "t2")) == [3, 4]
    assert await found(tenant="nobody") == []


async def test_the_engine_refuses_postings_that_do_not_add_up_to_0(store: ClickHouseStatementStore) -> None:
    whole = posting_sets([PostingSet("acme", "refund", "n-1", posted(("a", "USD", "1"), ("b", "USD", "-1")), JANUARY)])
    [row] = whole.to_pylist()
    for wrong in (
        {"amount": [Decimal(1), Decimal("-0.999999999999")]},
        {"currency": ["USD", "EUR"]},
        {"account": ["a"]},
        {"amount": [Decimal(0), Decimal(0)]},
        {"currency": ["usd", "usd"]},
    ):
        with pytest.raises(StoreRefusedError, match=r"Constraint .* is violated"):
            await store.write_rows("posting_sets", pa.Table.from_pylist([row | wrong], schema=POSTING_SETS))
    assert await store.read_posted("acme") == []
    await store.write_rows("posting_sets", whole)
    await store.write_rows("posting_sets", whole)
    assert [(each.account, each.amount) for each in await store.read_posted("acme", ("refund",))] == [
        ("a", Decimal(1)),
        ("b", Decimal(-1)),
    ]


async def test_a_set_that_does_not_balance_is_not_even_sent(store: ClickHouseStatementStore) -> None:
    with pytest.raises(PostingsError, match="postings in USD add up to 1"):
        await store.write_postings([PostingSet("acme", "refund", "n-1", posted(("a", "USD", "1")), JANUARY)])


async def test_postings_of_a_closing_count_once_it_is_closed(store: ClickHouseStatementStore) -> None:
    pair = posted(("a", "USD", "2"), ("b", "USD", "-2"))
    await store.write_postings([PostingSet("acme", "statement", "acme-000001", pair, JANUARY, closing_id="one")])
    await store.write_postings([PostingSet("acme", "refund", "n-1", pair, JANUARY)])
    assert {each.document_kind for each in await store.read_posted("acme")} == {"refund"}
    await store.record(CLOSING_JOURNAL, [closing("one", CLOSED, 1)])
    assert {each.document_kind for each in await store.read_posted("acme")} == {"refund", "statement"}
    assert await store.read_unbalanced() == []


async def test_grants_stand_for_a_closing_up_to_a_place_with_what_closed_statements_drew(
    store: ClickHouseStatementStore,
) -> None:
    def grant(name: str, kind: Any = "promotional") -> Grant:
        return Grant(name, "globex", kind, "tasks", "USD", Decimal(9), Decimal(0), JANUARY)

    for number, name in enumerate(("a", "b"), 1):
        record = GrantRecord("acme", grant(name), "ada", "why", sequence=number, record_id=name)
        await store.record(GRANTS, [record])
    carried = [
        GrantRecord("acme", grant(f"r-{one}", "rollover"), "close", "", closing_id=one) for one in ("one", "two")
    ]
    await store.write_grants(pa.Table.from_pylist([grant_row(each) for each in carried], schema=CREDIT_GRANTS))
    draws = [
        {"builder": "acme", "tenant": "globex", "grant_id": "a", "closing_id": one, "position": 1, "number": 1,
         "kind": "drawn", "period": "2026-01", "line": "r1", "quantity": Decimal(amount), "amount": Decimal(1),
         "earned": Decimal(0)}
        for one, amount in (("one", 2), ("two", 4))
    ]  # fmt: skip
    await store.write_rows("credit_draws", pa.Table.from_pylist(draws, schema=CREDIT_DRAWS))

    async def held(place: int, *closed: str) -> dict[str, Decimal]:
        balances = await store.read_balances(CreditScope("acme", place, closed), ("", "z"))
        return {each.grant.id: each.left for each in balances.get("globex", [])}

    assert await held(1) == {"a": Decimal(9)}
    assert await held(2) == {"a": Decimal(9), "b": Decimal(9)}
    assert await held(2, "one") == {"a": Decimal(7), "b": Decimal(9), "r-one": Decimal(9)}
    assert (await held(2, "one", "two"))["a"] == Decimal(3)
    scope = CreditScope("acme", 2, ("one", "two"))
    drawn = await store.read_draws(scope, ["globex"], ["2026-01"])
    expected = [Draw("a", "drawn", "2026-01", "r1", Decimal(amount), Decimal(1), Decimal(0)) for amount in (2, 4)]
    assert drawn == {("globex", "2026-01"): expected}
    assert await store.read_granted_tenants(scope) == ["globex"]
    await store.record(CLOSING_JOURNAL, [closing("one", CLOSED, 1)])
    assert {each.grant.id for each in await store.read_grants("acme")} == {"a", "b", "r-one"}
    assert await store.read_grants("acme", "nobody") == []


def test_a_reference_is_read_as_it_is_written() -> None:
    assert reference_of("acme-eu", 42) == "acme-eu-000042"
    assert number_of("acme-eu-000042") == ("acme-eu", 42)
    assert number_of(reference_of("a", 1_234_567)) == ("a", 1_234_567)
    for wrong in ("acme", "acme-", "-000001", "acme-x1", "acme/globex", "acme-²"):
        assert number_of(wrong) is None
