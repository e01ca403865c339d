"""Past usage rated again on a real broker, store and worker: killed half way, resumed, corrected, voided."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.publication import PRICES as PRICES_KIND
from billing.publication import BookDigest
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.publishing import publish
from tests.support.workers import PRICES, REPOSITORY, Installation, WorkerProcess
from topics.events import AnyEvent, UsageEvent, VoidEvent

NOW = datetime.now(UTC).replace(microsecond=0)
RANGE = ("--from", (NOW - timedelta(days=1)).isoformat(), "--to", (NOW + timedelta(days=1)).isoformat())
WHO = ("--by", "ada", "--reason", "gpt-next has a price")
COUNT = 400
OLD, NEW, CORRECTED = Decimal("0.00000025"), Decimal("0.000005"), Decimal("0.0000002")
MARKUP = Decimal("1.25")


def call(number: int, model: str = "gpt-next") -> UsageEvent:
    return UsageEvent(
        id=f"{model}-{number}",
        source="gateway/test",
        time=NOW - timedelta(seconds=number % 7200),
        builder="acme",
        tenant=f"tenant-{number % 7}",
        provider="openai",
        model=model,
        usage={"input_tokens": Decimal(number % 1000 + 1)},
    )


def charge(number: int, price: Decimal) -> Decimal:
    return (number % 1000 + 1) * price * MARKUP


def charges(price: Decimal) -> Decimal:
    return sum((charge(number, price) for number in range(COUNT)), Decimal(0))


class Office:
    """An installation with a worker, and a terminal beside it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.ends: dict[int, int] = {}
        self.worker: WorkerProcess = installation.worker()

    async def take(self, *events: AnyEvent) -> None:
        async with self.installation.emitter() as emitter:
            futures = [await emitter.submit(event) for event in events]
            await emitter.flush()
            for receipt in await asyncio.gather(*futures):
                self.ends[receipt.partition] = max(self.ends.get(receipt.partition, 0), (receipt.offset or 0) + 1)
        await asyncio.to_thread(self.installation.wait_caught_up, self.ends, self.worker)

    async def publish_prices(self, version: str, effective_from: datetime, prices: str, **more: Any) -> None:
        head = f'version = "{version}"\neffective_from = {effective_from.isoformat()}\n'
        head += "retroactive = true\n" if more.get("retroactive") else ""
        content = head + prices
        digest = hashlib.sha256(content.encode()).hexdigest()
        book = BookDigest(PRICES_KIND, version, effective_from, digest, content, **more)
        sink = await ClickHouseSink.connect(
            ClickHouseConfiguration(self.installation.clickhouse_url, database=self.installation.name)
        )
        try:
            place = (await sink.read_book_records()).newest_place
            await publish(sink, [book], based_on=place, published_by="ada", reason="a test")
        finally:
            await sink.close()

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
        environment |= {"TOLLSTREAM_CONFIG": str(self.installation.settings_file), "PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(
            [sys.executable, "-m", "tollstream", *words], env=environment, cwd=self.installation.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    async def run(self, *words: str, code: int = 0) -> Any:
        process = self.start(*words, "--json")
        out, err = await asyncio.to_thread(process.communicate, timeout=100)
        assert process.returncode == code, (out, err)
        return json.loads(out) if out else err

    def charge(self) -> Decimal:
        found: Decimal = self.installation.totals()["customer_charge"]
        return found

    def stored(self) -> int:
        [row] = self.installation.rows("SELECT count() AS rows FROM usage_ledger FINAL WHERE kind = 'adjustment'")
        return int(row["rows"])


@pytest.fixture
async def office(bootstrap_servers: str, clickhouse_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    settings = {"future_skew_seconds": 30}
    installation = Installation(bootstrap_servers, clickhouse_url, tmp_path, partitions=3, settings=settings)
    await installation.prepare()
    office = Office(installation)
    try:
        yield office
    finally:
        office.worker.end()


def priced(model: str, price: Decimal, *others: str) -> str:
    """The body of a price book."""
    rest = PRICES.partition("[[prices]]")
    head = "\n".join(line for line in rest[0].splitlines() if line.startswith(("currency", "default")))
    own = f'[[prices]]\nprovider = "openai"\nmodel = "{model}"\nmeters = {{ input_tokens = "{price:f}" }}\n'
    return f"{head}\n{own}" + "".join(others)


@pytest.mark.timeout(420)
async def test_unpriced_usage_is_billed_exactly_once_a_price_exists_however_often_that_is_interrupted(
    office: Office,
) -> None:
    await office.take(*(call(number) for number in range(COUNT)), *(call(number, "gpt-5-mini") for number in range(50)))
    rated = office.charge()
    [waiting] = await office.run("unpriced")
    assert (waiting["events"], waiting["reason"], waiting["model"]) == (COUNT, "no_price", "gpt-next")
    assert waiting["since"] == (NOW - timedelta(seconds=COUNT - 1)).isoformat()
    assert waiting["usage"] == {"input_tokens": str(sum(number % 1000 + 1 for number in range(COUNT)))}
    assert len(waiting["tenants"]) == 7
    before = await office.run("rerate", "--unpriced")
    assert (before["adjustments"], before["events"]["waiting"]) == (0, COUNT)

    # A price that applies from tomorrow on is the first one that there is for usage of today.
    await office.publish_prices("test-prices-2", NOW + timedelta(days=1), priced("gpt-next", NEW))
    dry = await office.run("rerate", *RANGE)
    assert dry["events"] | {"same": 50, "rated_later": COUNT} == dry["events"]
    assert sum(dry["events"].values()) == COUNT + 50
    assert Decimal(dry["totals"]["USD"]["difference"]["customer_charge"]) == charges(NEW)
    assert sum(Decimal(line["difference"]["customer_charge"]) for line in dry["lines"]) == charges(NEW)
    assert (office.stored(), office.charge()) == (0, rated)

    apply = ("rerate", "--unpriced", "--apply", *WHO, "--portion-rows", "20")
    process = office.start(*apply)
    assert process.stderr is not None
    while "published" not in (line := await asyncio.to_thread(process.stderr.readline)):
        assert line, process.wait()
    process.send_signal(signal.SIGKILL)
    assert await asyncio.to_thread(process.wait) == -9
    [planned] = await office.run("rerate", "--history")
    assert (planned["state"], planned["adjustments"]) == ("planned", COUNT)
    assert Decimal(planned["differences"]["USD"]["customer_charge"]) == charges(NEW)
    refused = await office.run("rerate", *RANGE, "--apply", *WHO, code=2)
    assert f"--resume {planned['rerate_id']}" in refused

    again = await office.run(*apply, "--wait")
    assert (again["resumed"], again["rerate_id"], again["stored"]) == (True, planned["rerate_id"], COUNT)
    [counts] = office.installation.rows("SELECT sum(duplicates) AS copies FROM checkpoints FINAL")
    assert 0 < counts["copies"] < COUNT, "it was not killed half way"
    assert office.charge() == rated + charges(NEW)
    assert await office.run("unpriced") == []
    assert (await office.run("reconcile"))["residual"] == "0"
    [view] = office.installation.rows("SELECT sum(unpriced_events) AS waiting FROM billable_totals")
    assert view["waiting"] == 0
    [history] = await office.run("rerate", "--history")
    assert [entry["state"] for entry in history["entries"]] == ["planned", "resumed", "published"]

    for words in (apply, ("rerate", *RANGE, "--apply", *WHO)):
        nothing = await office.run(*words)
        assert (nothing["applied"], nothing["adjustments"]) == (False, 0)
    assert office.stored() == COUNT

    # A wrong price: all of the range is rated with a version made for it, and keeps that version.
    await office.publish_prices(
        "test-prices-1-corrected", NOW - timedelta(days=30), priced("gpt-5-mini", CORRECTED), retroactive=True
    )
    correct = ("rerate", *RANGE, "--prices", "test-prices-1-corrected")
    dry = await office.run(*correct)
    assert dry["events"] | {"changed": 50, "unrated": COUNT} == dry["events"]
    corrected = await office.run(*correct, "--apply", *WHO, "--wait")
    expected = sum((charge(number, CORRECTED) for number in range(50)), Decimal(0))
    assert (corrected["stored"], office.charge()) == (50, expected + charges(NEW))
    assert (await office.run("rerate", *RANGE))["events"]["same"] == COUNT + 50
    assert (await office.run("rerate", *RANGE, "--timeline"))["events"]["changed"] == 50

    # A void of each kind takes back all that stands, where it stands.
    fields: dict[str, Any] = {"source": "office", "time": NOW, "builder": "acme", "target_source": "gateway/test"}
    await office.take(
        VoidEvent(id="v1", tenant="tenant-3", target_id="gpt-next-3", **fields),
        VoidEvent(id="v2", tenant="tenant-4", target_id="gpt-5-mini-4", **fields),
    )
    assert office.charge() == expected + charges(NEW) - charge(3, NEW) - charge(4, CORRECTED)
    lines = office.installation.rows(
        "SELECT rule_id, currency, sum(customer_charge) AS left FROM usage_ledger FINAL "
        "WHERE (tenant, model) IN (('tenant-3', 'gpt-next'), ('tenant-4', 'gpt-5-mini')) AND "
        "(id IN ('gpt-next-3', 'gpt-5-mini-4', 'v1', 'v2') OR (target_high, target_low) IN "
        "(SELECT identity_high, identity_low FROM usage_ledger WHERE id IN ('gpt-next-3', 'gpt-5-mini-4'))) "
        "GROUP BY rule_id, currency"
    )
    assert [line["left"] for line in lines] == [0]
    assert (await office.run("reconcile"))["residual"] == "0"


@pytest.mark.timeout(300)
async def test_of_two_who_apply_overlapping_re_ratings_at_once_one_is_refused_and_nothing_is_doubled(
    office: Office,
) -> None:
    await office.take(*(call(number) for number in range(COUNT)))
    await office.publish_prices("test-prices-2", NOW + timedelta(days=1), priced("gpt-next", NEW))
    # Nothing is stored before all have answered: whoever comes late is refused too, and does not find it all done.
    assert await asyncio.to_thread(office.worker.stop) == 0
    everything = ("rerate", "--unpriced", "--apply", *WHO)
    tenants = ("rerate", *RANGE, "--builder", "acme", "--apply", *WHO)
    processes = [office.start(*words, "--json") for words in (everything, everything, tenants, tenants)]
    answers = await asyncio.gather(*(asyncio.to_thread(each.communicate, timeout=100) for each in processes))
    codes = [each.returncode for each in processes]
    assert set(codes) == {0, 2}, answers
    assert all("re-rating" in err for code, (_, err) in zip(codes, answers, strict=True) if code == 2)
    ids = {json.loads(out)["rerate_id"] for code, (out, _) in zip(codes, answers, strict=True) if code == 0}
    assert len(ids) == 1  # the same command twice is one re-rating, whoever finishes it
    history = await office.run("rerate", "--history")
    assert [each["state"] for each in history] == ["published"]
    office.worker.start()
    ends = {int(place): end for place, end in history[0]["entries"][-1]["ends"].items()}
    await asyncio.to_thread(office.installation.wait_caught_up, ends, office.worker)
    stored = await office.run("rerate", *RANGE)
    assert (stored["events"]["same"], office.stored(), office.charge()) == (COUNT, COUNT, charges(NEW))
    assert (await office.run("reconcile"))["residual"] == "0"


@pytest.mark.timeout(300)
async def test_what_workers_have_not_stored_yet_is_not_rated_again_over_it(office: Office) -> None:
    await office.take(*(call(number) for number in range(20)))
    await office.publish_prices("test-prices-2", NOW + timedelta(days=1), priced("gpt-next", NEW))
    assert await asyncio.to_thread(office.worker.stop) == 0
    applied = await office.run("rerate", "--unpriced", "--apply", *WHO, "--wait", "--wait-seconds", "1", code=1)
    assert (applied["applied"], applied["stored"]) == (True, None)
    dry = await office.run("rerate", "--unpriced")
    assert (dry["adjustments"], len(dry["notes"])) == (20, 1)
    refused = await office.run("rerate", "--unpriced", "--apply", *WHO, code=2)
    assert "is not stored yet: workers are 20 records short" in refused
    office.worker.start()
    await asyncio.to_thread(office.installation.wait_caught_up, {}, office.worker)
    deadline = asyncio.get_running_loop().time() + 60
    while office.stored() < 20:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.2)
    assert (await office.run("rerate", "--unpriced", "--apply", *WHO))["applied"] is False
    assert office.charge() == sum((charge(number, NEW) for number in range(20)), Decimal(0))
