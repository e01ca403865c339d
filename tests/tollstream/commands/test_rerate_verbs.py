"""`tollstream rerate` and `tollstream unpriced`: what they print, what they refuse, and what they exit with."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from billing.publication import PRICES, RULES, BookDigest
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.publishing import publish
from sinks.rerates import Waiting
from tests.support import analysts
from tollstream import cli
from tollstream.commands.unpriced import unpriced_text

JANUARY = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z")
BOOKS = {
    PRICES: """
version = "2026-02"
effective_from = 2026-02-01T00:00:00Z
currency = "USD"
[[prices]]
provider = "anthropic"
model = "claude-next"
meters = { output_tokens = "0.00004" }
""",
    RULES: """
version = "2026-01"
effective_from = 2026-01-01T00:00:00Z
[[rules]]
id = "everybody"
kind = "markup"
percent = "25"
label = "AI"
unit = "request"
reason = "The AI's cost plus 25 percent."
""",
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Give --from and --to"),
        (("--from", "2026-01-01T00:00:00Z"), "Give --from and --to"),
        (("--from", "2026-02-01", "--to", "2026-01-01T00:00:00Z"), "give a --to after --from"),
        ((*JANUARY, "--apply"), "--by is missing: money changes"),
        ((*JANUARY, "--apply", "--by", "ada"), "--reason is missing"),
        ((*JANUARY, "--apply", "--by", "ada", "--reason", "x" * 257), "--reason is longer than 256 bytes"),
        ((*JANUARY, "--wait"), "add --apply"),
        (("--resume", "r-1"), "add --apply"),
    ],
)
def test_a_mistake_is_a_sentence_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    code, out, err = run(capsys, "rerate", *words)
    assert (code, out) == (2, "")
    assert sentence in err


@pytest.mark.parametrize("verb", ["rerate", "unpriced"])
def test_help_ends_with_an_example(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    code, out, _ = run(capsys, verb, "--help")
    assert code == 0
    assert f"Example: tollstream {verb}" in out


@pytest.fixture
def seeded(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    """A store with a morning of usage, one call of which waits for a price."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    migrate(configuration)
    asyncio.run(_seed(configuration))
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


async def _seed(configuration: ClickHouseConfiguration) -> None:
    sink = await ClickHouseSink.connect(configuration)
    await analysts.seed(sink)
    for kind, content in BOOKS.items():
        version, start = (line.partition(" = ")[2].strip('"') for line in content.strip().splitlines()[:2])
        digest = hashlib.sha256(content.encode()).hexdigest()
        book = BookDigest(kind, version, datetime.fromisoformat(start), digest, content)
        place = (await sink.read_book_records()).newest_place
        await publish(sink, [book], based_on=place, published_by="ada", reason="a test")
    await sink.close()


def test_what_waits_is_listed_with_what_to_do(
    seeded: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "unpriced", "--by-builder", "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "reason": "no_price", "provider": "anthropic", "model": "claude-next", "mode": "standard", "region": "",
            "builder": "brio", "events": 1, "since": "2026-01-15T10:05:00+00:00", "last": "2026-01-15T10:05:00+00:00",
            "usage": {"output_tokens": "700", "requests": "1"}, "tenants": ["brio/west"],
            "remedy": "the price book has no price for this: publish a version that has one "
            "(`tollstream prices publish`)",
        }
    ]  # fmt: skip
    code, out, _ = run(capsys, "unpriced")
    assert code == 0
    for words in (
        "anthropic / claude-next, standard", "1 event of 1 tenant, at 2026-01-15T10:05:00Z",
        "output_tokens 700, requests 1",
        "`tollstream prices publish`", "`tollstream rerate --unpriced` rates", "only where --prices VERSION",
    ):  # fmt: skip
        assert words in out, out
    code, out, _ = run(capsys, "unpriced", "--builder", "acme")
    assert (code, out) == (0, "No usage waits for a price.\n")


def test_a_preview_shows_exact_amounts_and_what_it_leaves(
    seeded: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(capsys, "rerate", "--unpriced", "--json")
    answer = json.loads(out)
    assert (code, answer["applied"], answer["adjustments"], answer["notes"]) == (0, False, 1, [])
    [line] = answer["lines"]
    assert line["difference"] == {
        "customer_charge": "0.035", "provider_reward": "0.0196", "platform_fee": "0.0084", "builder_earnings": "0.007",
    }  # fmt: skip
    assert (line["tenant"], line["model"], line["currency"], line["rated_later"]) == ("west", "claude-next", "USD", 1)
    assert "ledger rows" in err
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(capsys, "rerate", *JANUARY)
    assert code == 0
    for words in ("claude-next", "+0.035", "these books have no price for it", "Nothing was changed: --apply"):
        assert words in out, out
    assert max(map(len, out.splitlines())) <= 80, out


def test_what_waits_is_in_one_piece_at_80_columns_however_much_it_is() -> None:
    waiting = Waiting(
        "no_price", "a-provider-with-a-long-name", "a-model-with-a-name-of-some-length", "standard", "eu-central-1",
        "a-builder", 123_456_789, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        {f"cache_write_{number}h_tokens": Decimal("123456789012345.678901") for number in range(9)}, ("a/b",) * 1234,
    )  # fmt: skip
    text = unpriced_text([replace(waiting, unpriced_reason="new_reason", usage={}), waiting])
    assert max(map(len, text.splitlines())) <= 80, text
    assert text.count("123,456,789,012,345.678901") == 9
    assert "123,456,789 events of 1,234 tenants, from 2026-01-01T00:00:00Z to" in text
    assert text.index("no_price:") < text.index("new_reason: see docs/prices.md.")
    assert "region eu-central-1, Builder a-builder" in " ".join(text.split())


def test_a_version_that_was_never_published_is_a_sentence(
    seeded: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "rerate", *JANUARY, "--prices", "2026-03")
    assert (code, "No version '2026-03' of the prices was ever published" in err) == (2, True)


def test_no_re_rating_is_a_short_history(seeded: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "rerate", "--history", "--json")[:2] == (0, "[]\n")
    assert "0 re-ratings" in run(capsys, "rerate", "--history")[1]
    code, _, err = run(capsys, "rerate", "--resume", "r-9", "--apply", "--by", "ada", "--reason", "x")
    assert (code, "No re-rating 'r-9' is on record" in err) == (2, True)
