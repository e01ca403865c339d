"""`tollstream rules explain`: the answer in words and as JSON, from files and from what is published."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from billing.publication import BookDigest
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.publishing import publish
from tollstream import cli

DEMO = Path(__file__).parents[3] / "tollstream" / "demo" / "books"
QUILL = ["--builder", "quill", "--tenant", "okapi-press"]
PRICES = """
version = "p"
effective_from = 2026-01-01T00:00:00Z
currency = "USD"
[[prices]]
provider = "openai"
model = "gpt-5"
meters = { input_tokens = "0.00000125" }
[[aliases]]
provider = "openai"
model = "gpt-5"
names = ["gpt-5-2025-08-07"]
"""


def explain(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    code = cli.main(["rules", "explain", *options])
    said = capsys.readouterr()
    return code, said.out, said.err


def of_demo(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    code, shown, _ = explain(capsys, *options, "--rules", str(DEMO / "rules.toml"), "--json")
    return {"code": code, **json.loads(shown)}


def test_the_winner_the_losers_and_the_near_misses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--builder", "deskline", "--tenant", "globex", "--feature", "chat", "--rules", str(DEMO / "rules.toml")]
    code, shown, _ = explain(capsys, *options, "--all")
    assert code == 0
    general = "deskline-conversations"
    for line in (
        "  deskline-globex-conversations applies: tenant globex, builder deskline,",
        "    unit_price 0.008 for each of conversations",
        "    Support conversations, volume price, per conversation: Your contract: 0.8",
        "    cents for every conversation.",
        f"  {general}: deskline-globex-conversations names the tenant",
        f"    (globex), {general} does not",
        "  deskline-triage: it wants feature triage, not chat",
        "All rules, the first that matches applies:",
    ):
        assert line in shown.splitlines(), shown
    assert max(map(len, shown.splitlines())) <= 80, shown


def test_json_has_the_same_and_the_order_of_all_rules(capsys: pytest.CaptureFixture[str]) -> None:
    answer = of_demo(capsys, "--builder", "deskline", "--tenant", "globex", "--feature", "chat")
    assert (answer["code"], answer["version"]) == (0, "demo-rules-1")
    assert answer["winner"]["id"] == "deskline-globex-conversations"
    assert answer["winner"]["amount"] == "0.008"
    assert [(each["rule"], each["field"]) for each in answer["lost"]] == [("deskline-conversations", "tenant")]
    assert answer["nearest"][0]["differences"][0] == {
        "field": "feature", "wanted": "triage", "found": "chat", "because": "it wants feature triage, not chat",
    }  # fmt: skip
    assert answer["precedence"][0] == "deskline-globex-conversations"
    assert len(answer["precedence"]) == 10
    assert answer["usage"]["mode"] == "standard"


def test_every_tag_that_a_rule_can_match_can_be_asked_about(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tags = {
        "workspace": "w", "feature": "f", "workflow": "g", "action": "a", "provider": "p", "model": "m",
        "mode": "batch", "route": "fallback",
    }  # fmt: skip
    for name, value in tags.items():
        (tmp_path / "rules.toml").write_text(
            'version = "v"\neffective_from = 2026-01-01T00:00:00Z\n[[rules]]\nid = "r"\nkind = "included"\n'
            f'match = {{ {name} = "{value}" }}\nlabel = "l"\nunit = "u"\nreason = "r"\n'
        )
        rules = ["--rules", str(tmp_path / "rules.toml")]
        assert explain(capsys, *QUILL, *rules)[0] == 1, name
        assert explain(capsys, *QUILL, *rules, f"--{name}", value)[0] == 0, name


def test_usage_without_a_rule_is_said_to_wait_and_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = explain(
        capsys, "--builder", "quil", "--tenant", "t", "--feature", "drafting", "--rules", str(DEMO / "rules.toml")
    )
    assert code == 1
    assert "No rule matches: this usage would wait unpriced (no_rule)." in shown
    assert "quill-drafting: it wants builder quill, not quil" in shown
    answer = of_demo(capsys, "--builder", "quil", "--tenant", "t")
    assert (answer["code"], answer["winner"], answer["lost"]) == (1, None, [])


def test_a_dated_model_is_looked_up_in_the_price_book(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    asked = [*QUILL, "--feature", "premium-drafting", "--provider", "openai", "--model", "gpt-5-2025-08-07"]
    assert of_demo(capsys, *asked)["winner"]["id"] == "quill-rest"
    prices = ["--prices", str(tmp_path / "prices.toml")]
    answer = of_demo(capsys, *asked, *prices)
    assert (answer["winner"]["id"], answer["usage"]["canonical_model"]) == ("quill-premium", "gpt-5")
    _, shown, _ = explain(capsys, *asked, *prices, "--rules", str(DEMO / "rules.toml"))
    assert "(the price book knows it as gpt-5)" in " ".join(shown.split())


def test_another_name_of_a_model_is_found_without_its_provider_unless_two_mean_different_models(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    asked = [*QUILL, "--feature", "premium-drafting", "--prices", str(tmp_path / "prices.toml")]
    answer = of_demo(capsys, *asked, "--model", "gpt-5-2025-08-07")
    assert (answer["winner"]["id"], answer["usage"]["canonical_model"]) == ("quill-premium", "gpt-5")
    assert of_demo(capsys, *asked, "--model", "gpt-5")["usage"]["canonical_model"] == "gpt-5"
    assert of_demo(capsys, *asked, "--model", "nobody's")["usage"]["canonical_model"] == "nobody's"
    assert of_demo(capsys, *asked)["usage"]["canonical_model"] == ""
    other = PRICES.partition("[[prices]]")[2].replace("openai", "azure").replace('"gpt-5"', '"gpt-five"')
    (tmp_path / "prices.toml").write_text(f"{PRICES}[[prices]]{other}")
    rules = ["--rules", str(DEMO / "rules.toml")]
    code, _, said = explain(capsys, *asked, *rules, "--model", "gpt-5-2025-08-07")
    assert (code, "is gpt-five of azure, gpt-5 of openai in price book p: name the --provider" in said) == (2, True)


def test_the_version_is_that_of_the_moment_asked_about(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (DEMO / "rules.toml").read_text()
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "b.toml").write_text(text.replace("demo-rules-1", "later").replace("2020-01-01", "2990-01-01"))
    folder = ["--rules", str(tmp_path), "--json"]
    assert json.loads(explain(capsys, *QUILL, *folder)[1])["version"] == "demo-rules-1"
    assert json.loads(explain(capsys, *QUILL, *folder, "--at", "2990-01-01T00:00:00Z")[1])["version"] == "later"
    future = ["--rules", str(tmp_path / "b.toml"), "--json"]
    assert json.loads(explain(capsys, *QUILL, *future)[1])["version"] == "later"
    code, _, said = explain(capsys, *QUILL, *future, "--at", "2026-01-01T00:00:00Z")
    assert code == 2
    assert "No rule book applies at 2026-01-01T00:00:00+00:00: the first, later, starts at 2990-01-01" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tenant", "t"], "Missing option '--builder'"),
        (["--builder", "b", "--tenant", "t", "--mode", "slow"], "'slow' is not one of 'standard', 'batch', 'flex'"),
        (
            ["--builder", "b", "--tenant", "t", "--at", "2026-01-01"],
            "has no offset: write 2026-01-01T00:00:00Z if it is UTC",
        ),
        (["--builder", "b", "--tenant", "t", "--rules", "no-such-file.toml"], "no such file or folder"),
    ],
)
def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    code, _, said = explain(capsys, *options)
    assert code == 2
    assert words in said


@pytest.fixture
def store(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    """A migrated database of its own, which the settings of this process name."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    migrate(configuration)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


async def _publish(configuration: ClickHouseConfiguration, kind: str, version: str, content: str) -> None:
    sink = await ClickHouseSink.connect(configuration)
    try:
        digest = hashlib.sha256(content.encode()).hexdigest()
        book = BookDigest(kind, version, datetime(2026, 1, 1, tzinfo=UTC), digest, content)
        based_on = (await sink.read_book_records()).newest_place
        await publish(sink, [book], based_on=based_on, published_by="ada", reason="test")
    finally:
        await sink.close()


@pytest.mark.integration
def test_without_files_the_published_books_answer(
    store: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*QUILL, "--feature", "premium-drafting", "--provider", "openai", "--model", "gpt-5-2025-08-07", "--json"]
    code, _, said = explain(capsys, *asked)
    assert code == 2
    assert "publish" in said
    rules = (DEMO / "rules.toml").read_text().replace("2020-01-01", "2026-01-01")
    asyncio.run(_publish(store, "prices", "p", PRICES))
    asyncio.run(_publish(store, "rules", "demo-rules-1", rules))
    code, shown, _ = explain(capsys, *asked)
    answer = json.loads(shown)
    assert (code, answer["winner"]["id"], answer["usage"]["canonical_model"]) == (0, "quill-premium", "gpt-5")
