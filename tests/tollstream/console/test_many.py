"""A hundred thousand tenants: pages stay as short as they are, lists go on, and the last page is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sinks.clickhouse.client import Client
from tests.support.console import World, asking, running

pytestmark = [pytest.mark.integration, pytest.mark.slow]
TENANTS = 100_000
ROWS = re.compile(r'<th scope="row"')


@pytest.fixture(scope="module")
def crowd(world: World) -> Iterator[World]:
    """A Builder beside the two of the world, whose every tenant has usage and a statement; taken away again."""
    client = Client.connect(world.configuration)
    database = world.configuration.database
    name = "concat('tenant-', leftPad(toString(number), 6, '0'))"
    start, end = "toDateTime('2026-10-01 00:00:00', 'UTC')", "toDateTime('2026-11-01 00:00:00', 'UTC')"
    client.command(
        f"""
        INSERT INTO {database}.usage_totals SELECT 'huge', {name}, {end} + 3600 * (number % 500), '',
            ['chat', 'summary'][number % 2 + 1], 'northwind', 'nw-large', 'standard', 'folio-other', 'USD', 1, 0,
            number, 1, 1, 0, map('input_tokens', toDecimal128(number % 1000, 6)), 0.03, 0.01, 0.01, 0.01
        FROM numbers({TENANTS})
        """,
        doing="making a crowd",
    )
    client.command(
        f"""
        INSERT INTO {database}.statements SELECT 'huge', {name}, {start}, number + 1, 'huge-1',
            concat('huge-', leftPad(toString(number + 1), 6, '0')), '2026-10', {end}, now64(6), 'USD', 'USD',
            10, 2, 12, 0, 12, 3, '{{}}'
        FROM numbers({TENANTS})
        """,
        doing="making its statements",
    )
    columns = "period, period_start, period_end, cycle, overrides, cut, inputs, frozen_rows, frozen_checksum, sums"
    client.command(
        f"""
        INSERT INTO {database}.closings (builder, sequence, closing_id, state, statements, tenants, attempt, {columns})
        SELECT 'huge', 1, 'huge-1', 'closed', {TENANTS}, {TENANTS}, 1, {columns}
        FROM {database}.closings WHERE builder = 'quill' AND state = 'closed'
        """,
        doing="closing it",
    )
    yield world
    for table in ("usage_totals", "statements", "closings"):
        client.command(
            f"ALTER TABLE {database}.{table} DELETE WHERE builder = 'huge' SETTINGS mutations_sync = 2",
            doing="taking the crowd away",
        )
    client.close()


@pytest.mark.parametrize(
    ("path", "shown", "words"),
    [
        ("/usage?builder=huge", 50, "1–50"),
        ("/usage?builder=huge&page=2000", 50, "99,951–100,000"),
        ("/usage?builder=huge&search=tenant-09999", 10, "tenant-099990"),
        ("/statements?builder=huge&period=2026-10&page=2000", 50, "tenant-099999"),
        ("/statements?builder=huge&search=tenant-0000", 50, "tenant-000000"),
        ("/earnings?builder=huge&by=customer", 50, "3,000.00"),
        ("/?builder=huge", 1, "3,000.00"),
    ],
)
async def test_a_list_shows_a_page_of_it(path: str, shown: int, words: str, crowd: World) -> None:
    async with running(crowd.configuration) as console, asking(console, crowd)(path, "operator") as answer:
        text = await answer.text()
        assert answer.status == 200
        assert words in text
        assert len(ROWS.findall(text)) == shown
        assert len(text) < 100_000
