"""What a worker bills is explained to the last digit: every event of a log, and the lines that they add up to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.emitter import Encoding
from tests.support.workers import PRICES, Installation
from tollstream import cli
from tollstream.settings import CONFIG_VARIABLE
from topics.events import AdjustmentEvent, Amounts, UsageEvent, VoidEvent

NOW = datetime.now(UTC).replace(microsecond=0)
SOURCE = "gateway/test"
WHO = {"source": SOURCE, "builder": "acme", "tenant": "globex"}


def usage(number: int, **changes: Any) -> UsageEvent:
    fields: dict[str, Any] = {
        "id": f"event-{number}",
        "time": NOW - timedelta(seconds=100 * number),
        "feature": f"feature-{number % 2}",
        "provider": "openai",
        "model": "gpt-5-mini",
        "usage": {"input_tokens": Decimal(number % 1000 + 1), "output_tokens": Decimal(number * 7) / 1000},
    }
    return UsageEvent(**(WHO | fields | changes))


@pytest.fixture
async def billed(bootstrap_servers: str, clickhouse_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """A log of every kind of event, billed by one worker."""
    installation = Installation(bootstrap_servers, clickhouse_url, tmp_path)
    await installation.prepare()
    ends: dict[int, int] = {}

    async def publish(events: list[Any], encoding: Encoding) -> None:
        async with installation.emitter(encoding=encoding) as emitter:
            futures = [await emitter.submit(each) for each in events]
            await emitter.flush()
            for receipt in await asyncio.gather(*futures):
                ends[receipt.partition] = max(ends.get(receipt.partition, 0), (receipt.offset or 0) + 1)

    await publish([usage(number) for number in range(60)], Encoding.JSON)
    await publish([usage(number) for number in range(60, 120)], Encoding.COLUMNAR)
    about: dict[str, Any] = {**WHO, "time": NOW, "target_source": SOURCE}
    amounts = dict(zip(Amounts.model_fields, map(Decimal, ("-0.000003", "-0.000001", "0", "-0.000002")), strict=True))
    await publish(
        [
            usage(200, model="unheard-of"),
            usage(7, usage={"input_tokens": Decimal(1)}),  # the id of another event, with other content
            AdjustmentEvent(**about, id="goodwill", target_id="event-7", reason="goodwill", amounts=Amounts(**amounts)),
            VoidEvent(**about, id="void", target_id="event-7", reason="sent twice"),
        ],
        Encoding.JSON,
    )
    worker = installation.worker()
    try:
        await asyncio.to_thread(installation.wait_caught_up, ends, worker)
        yield installation
    finally:
        worker.end()


async def test_every_event_and_every_line_of_a_log_is_explained_to_the_last_digit(
    billed: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(billed.settings_file))

    async def explain(*arguments: str) -> dict[str, Any]:
        code = await asyncio.to_thread(cli.main, ["explain", *arguments, "--json"])
        said = capsys.readouterr()
        assert (code, said.err) == (0, ""), arguments
        document: dict[str, Any] = json.loads(said.out)
        return document

    ledger = billed.rows("SELECT id, kind, customer_charge FROM usage_ledger FINAL ORDER BY source_offset, batch_index")
    assert len(ledger) == 123
    for row in ledger[::4] + ledger[-3:]:
        [found] = (await explain(row["id"]))["rows"]
        charge = None if row["customer_charge"] is None else f"{row['customer_charge']:.12f}"
        assert (found["row"], found["amounts"]["customer_charge"]) == (row["kind"], charge)
        if row["kind"] == "usage":
            told = found["explained"]["arithmetic"]["amounts"]
            assert (told and told["customer_charge"]) == charge

    corrected = await explain("event-7")
    [found] = corrected["rows"]
    assert [each["id"] for each in found["explained"]["corrections"]] == ["goodwill", "void"]
    assert set(found["explained"]["standing"].values()) == {"0.000000000000"}
    assert [each["reason"] for each in corrected["dead_letters"]] == ["conflicting_duplicate"]

    line = ("acme/globex", "--from", "2020-01-01", "--to", "2100-01-01")
    whole = await explain(*line)
    assert whole["holds"]
    charged = sum((row["customer_charge"] or Decimal(0) for row in ledger), Decimal(0))
    assert Decimal(whole["sums"]["USD"]["totals"]["customer_charge"]) == charged == billed.totals()["customer_charge"]
    parts = [await explain(*line, "--feature", f"feature-{each}") for each in range(2)]
    assert sum(Decimal(part["sums"]["USD"]["totals"]["customer_charge"]) for part in parts) == charged

    events = 0
    for window in whole["windows"]:
        document = await explain("acme/globex", "--window", window["window_start"])
        [page] = document["pages"]
        assert page["all_events"]["customer_charge"] == window["totals"]["customer_charge"]
        shown = sum(Decimal(each["amounts"]["customer_charge"] or 0) for each in page["events"])
        assert shown == Decimal(window["totals"]["customer_charge"])
        events += len(page["events"])
    assert events == len(ledger)


async def test_what_was_rated_again_is_explained_by_the_books_that_it_was_rated_with(
    billed: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(billed.settings_file))
    book = tmp_path / "corrected.toml"
    book.write_text(
        PRICES.replace("test-prices-1", "corrected").replace('"0.25"', '"0.20"')
        .replace('currency = "USD"', 'currency = "USD"\nretroactive = true')
        + '[[prices]]\nprovider = "openai"\nmodel = "unheard-of"\nmeters = { input_tokens = "0.000001", '
        'output_tokens = "0.000002" }\n'
    )  # fmt: skip
    by = ("--by", "ana", "--reason", "openai lowered its price")

    async def run(*arguments: str) -> dict[str, Any]:
        code = await asyncio.to_thread(cli.main, [*arguments, "--json"])
        said = capsys.readouterr()
        assert code == 0, (arguments, said.out, said.err)
        document: dict[str, Any] = json.loads(said.out)
        return document

    await run("prices", "publish", str(book), *by)
    span = ("--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")
    await run("rerate", *span, "--prices", "corrected", "--apply", "--wait", *by)
    for number, pricing in ((3, "rerated"), (100, "rerated"), (200, "rated_later")):
        [found] = (await run("explain", f"event-{number}"))["rows"]
        [correction] = found["explained"]["corrections"]
        assert (correction["pricing"], correction["price_version"]) == (pricing, "corrected")
        assert correction["by_these_books"]["amounts"] == found["explained"]["standing"]
        assert correction["note"] == "openai lowered its price"
    line = await run("explain", "acme/globex", *span)
    assert line["holds"]
    assert line["sums"]["USD"]["totals"]["unpriced_events"] == 0
