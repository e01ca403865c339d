"""`tollstream prices|rules check, diff, publish, show, history` on a real store: what they say, and how they exit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from tollstream import cli

NOW = datetime.now(UTC)
PAST, FAR = datetime(2020, 1, 1, tzinfo=UTC), (NOW + timedelta(days=30)).replace(microsecond=0)
WIDTH = 80


def prices(version: str, start: datetime = PAST, **price: str) -> str:
    given = {"input_tokens": "0.0000025", "output_tokens": "0.00001"} | price
    meters = ", ".join(f'{meter} = "{value}"' for meter, value in given.items())
    return f"""
version = "{version}"
effective_from = {start.isoformat()}
currency = "USD"
[[prices]]
provider = "openai"
model = "gpt-5"
meters = {{ {meters} }}
"""


def rules(version: str, start: datetime = PAST, *, percent: str = "25", label: str = "Premium drafts") -> str:
    return f"""
version = "{version}"
effective_from = {start.isoformat()}
[[rules]]
id = "drafts"
kind = "markup"
percent = "{percent}"
label = "{label}"
unit = "draft"
reason = "Each draft costs what the AI behind it costs, and {percent} % for the app."
"""


@pytest.fixture
def database(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    """A database with the schema in it, which the settings of this process name."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


class Desk:
    """A folder with book files, and a terminal of 80 columns."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def write(self, text: str, name: str = "book.toml") -> str:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return str(file)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error; no line of text is wider than the page."""
        code = cli.main(arguments)
        said = self._capsys.readouterr()
        if "--json" not in arguments and {"check", "diff", "publish", "history"} & set(arguments):
            assert all(len(line) <= WIDTH for line in said.out.splitlines()), said.out
        assert "Traceback" not in said.err
        return code, said.out, said.err

    def json(self, *arguments: str) -> Any:
        """The answer of a verb that went well."""
        code, out, err = self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    def publish(self, kind: str, text: str, *more: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.json(
            kind, "publish", self.write(text), "--by", "ada", "--reason", "ticket 812", *more
        )
        return answer


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


KINDS = pytest.mark.parametrize(("kind", "book"), [("prices", prices), ("rules", rules)])


@KINDS
def test_from_a_file_to_history_and_back_to_the_same_file(
    desk: Desk, database: ClickHouseConfiguration, kind: str, book: Any
) -> None:
    code, _, err = desk.run(kind, "show")
    assert (code, f"tollstream {kind} publish FILE" in err) == (2, True)
    first = desk.publish(kind, book("one"))
    assert [(each["version"], each["number"], each["published_by"]) for each in first["published"]] == [
        ("one", 1, "ada")
    ]
    second = desk.publish(kind, book("two", FAR))
    assert second["published"][0]["difference"]["against"] == "one"
    history = desk.json(kind, "history")
    assert [(each["version"], each["state"], each["reason"]) for each in history] == [
        ("one", "applies now", "ticket 812"),
        ("two", "to come", "ticket 812"),
    ]
    assert history[0]["effective_until"] == history[1]["effective_from"]
    _, shown, said = desk.run(kind, "show")
    assert shown == book("one")
    assert "by ada: ticket 812" in said
    assert desk.run(kind, "show", "--at", FAR.isoformat())[1] == book("two", FAR)
    assert desk.json(kind, "show", "two")["content"] == book("two", FAR)
    code, out, _ = desk.run(kind, "history")
    assert (code, "applies now" in out, "to come" in out) == (0, True, True)


def test_publishing_the_same_text_again_does_nothing_and_says_who_was_first(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.publish("prices", prices("one"))
    answer = desk.publish("prices", prices("one"), "--dry-run")
    assert (answer["published"], answer["published_before"]) == ([], ["one"])
    code, out, _ = desk.run("prices", "publish", desk.write(prices("one")), "--by", "bob", "--reason", "again")
    assert (code, "Version one of the prices is published already, by ada" in out) == (0, True)
    assert len(desk.json("prices", "history")) == 1


def test_the_first_versions_of_a_folder_are_published_together_and_show_what_each_changes(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.write(prices("b", PAST + timedelta(days=1), input_tokens="0.000003"), "books/b.toml")
    desk.write(prices("a"), "books/a.toml")
    answer = desk.json("prices", "publish", "books", "--by", "ada", "--reason", "start")
    assert [(each["version"], each["number"]) for each in answer["published"]] == [("a", 1), ("b", 2)]
    changed = answer["published"][1]["difference"]
    assert (changed["against"], changed["counts"]) == ("a", {"added": 0, "removed": 0, "changed": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (prices("one", input_tokens="0.000003"), "Version one of the prices was recorded with another text"),
        (prices("two", NOW), "The earliest effective_from that would do is 20"),
        (prices("two", PAST), "only one version can apply at a time"),
        (prices("two", FAR, input_tokens="0.000025"), "10 times as much or more. If that is meant, publish it with"),
        (prices("two", FAR, thoughts="1"), "'thoughts' is no inference meter of the catalogue"),
        ("version = 1", "version: Input should be a valid string"),
    ],
    ids=["other text", "too soon", "same start", "danger", "unknown meter", "no book"],
)
def test_what_may_not_be_published_is_one_sentence_and_records_nothing(
    desk: Desk, database: ClickHouseConfiguration, text: str, said: str
) -> None:
    desk.publish("prices", prices("one"))
    code, _, err = desk.run("prices", "publish", desk.write(text), "--by", "ada", "--reason", "try")
    assert (code, said in err) == (2, True), err
    assert err.count("\n") == 1
    assert len(desk.json("prices", "history")) == 1


def test_a_start_that_the_refusal_names_would_do(desk: Desk, database: ClickHouseConfiguration) -> None:
    desk.publish("prices", prices("one"))
    _, _, err = desk.run("prices", "publish", desk.write(prices("two", NOW)), "--by", "ada", "--reason", "try")
    earliest = err.split("would do is ")[1].split(",")[0]
    answer = desk.publish("prices", prices("two", datetime.fromisoformat(earliest)))
    assert [each["version"] for each in answer["published"]] == ["two"]


def test_a_danger_is_published_with_force_and_a_dry_run_of_it_records_nothing(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.publish("prices", prices("one"))
    dear = prices("two", FAR, input_tokens="0.000025")
    answer = desk.publish("prices", dear, "--force", "--dry-run")
    assert answer["dry_run"]
    assert len(desk.json("prices", "history")) == 1
    assert len(desk.publish("prices", dear, "--force")["published"][0]["difference"]["dangers"]) == 1
    assert len(desk.json("prices", "history")) == 2


def test_prices_and_rules_of_two_currencies_are_refused_whichever_comes_second(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.publish("prices", prices("one"))
    desk.publish("rules", rules("one"))
    euros = rules("two", FAR).replace("[[rules]]", 'currency = "EUR"\n[[rules]]')
    code, _, err = desk.run("rules", "publish", desk.write(euros), "--by", "ada", "--reason", "try")
    assert (code, "amounts of two currencies cannot be added" in err) == (2, True)


def test_rules_that_a_pricing_expert_would_stop_are_not_published_with_or_without_force(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.publish("prices", prices("one"))
    file = desk.write(rules("one", label="Unlimited drafts"))
    code, out, _ = desk.run("rules", "check", file)
    assert (code, "error" in out, "cannot be published" in out) == (1, True, True)
    for more in ([], ["--force"]):
        code, _, err = desk.run("rules", "publish", file, "--by", "ada", "--reason", "try", *more)
        assert (code, "Rule drafts" in err, "Nothing was published" in err) == (2, True, True)


def test_retroactive_versions_may_begin_in_the_past_and_never_apply(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.publish("prices", prices("one"))
    corrected = prices("one-corrected", PAST).replace("currency", "retroactive = true\ncurrency")
    desk.publish("prices", corrected)
    assert [each["state"] for each in desk.json("prices", "history")] == ["applies now", "retroactive"]
    assert desk.json("prices", "show")["version"] == "one"
    assert desk.json("prices", "show", "one-corrected")["retroactive"]


def test_by_default_the_user_of_this_machine_publishes_and_is_told_so(
    desk: Desk, database: ClickHouseConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    code, out, _ = desk.run("prices", "publish", desk.write(prices("one")), "--reason", "start")
    assert (code, "by grace (the user of this machine; --by" in " ".join(out.split())) == (0, True)
    assert desk.json("prices", "history")[0]["published_by"] == "grace"


@KINDS
def test_check_says_what_is_valid_and_what_could_not_be_published_now(
    desk: Desk, database: ClickHouseConfiguration, kind: str, book: Any
) -> None:
    desk.publish("prices", prices("zero"))
    desk.publish(kind, book("one", FAR))
    published = desk.json(kind, "check", desk.write(book("one", FAR)))
    assert [each["code"] for each in published["files"][0]["findings"] if each["severity"] == "note"] == ["published"]
    desk.publish(kind, book("past", FAR + timedelta(days=1)))
    late = desk.json(kind, "check", desk.write(book("soon", NOW)))
    assert "not-now" in [each["code"] for each in late["files"][0]["findings"]]
    assert late["ok"]


@KINDS
def test_check_names_every_wrong_file_of_a_folder(desk: Desk, kind: str, book: Any) -> None:
    desk.write(book("a"), "books/a.toml")
    desk.write(book("a", FAR), "books/b.toml")
    desk.write("version = [", "books/c.toml")
    desk.write(book("d").replace("effective_from", "effective"), "books/d.yaml")
    code, out, _ = desk.run(kind, "check", "books", "--offline", "--json")
    found = {each["file"]: [one["code"] for one in each["findings"] if one["severity"] == "error"]
             for each in json.loads(out)["files"]}  # fmt: skip
    assert code == 1
    assert found["books/c.toml"] == ["invalid"]
    assert "invalid" in found["books/d.yaml"]
    assert "version a stands in two files" in out
    code, out, _ = desk.run(kind, "check", "books", "--offline")
    assert (code, "cannot be published" in out) == (1, True)


def test_check_without_a_store_says_that_it_did_not_look_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:9")
    answer = desk.json("prices", "check", desk.write(prices("one")))
    assert (answer["ok"], "Not compared with what is published" in answer["not_checked"][0]) == (True, True)
    assert desk.json("prices", "check", desk.write(prices("one")), "--offline")["not_checked"] == []


def test_diff_is_against_what_applies_when_the_file_begins_or_what_is_named(
    desk: Desk, database: ClickHouseConfiguration
) -> None:
    desk.publish("prices", prices("one"))
    desk.publish("prices", prices("three", FAR + timedelta(days=9), input_tokens="0.000004"))
    file = desk.write(prices("two", FAR, input_tokens="0.000003"))
    answer = desk.json("prices", "diff", file)
    assert (answer["against"], answer["changes"][0]["old"], answer["changes"][0]["new"]) == (
        "one", "0.0000025", "0.000003",
    )  # fmt: skip
    assert desk.json("prices", "diff", file, "--against", "three")["changes"][0]["old"] == "0.000004"
    code, out, _ = desk.run("prices", "diff", file)
    assert (code, "0.0000025" in out, "against version one" in " ".join(out.split())) == (0, True, True)
    code, _, err = desk.run("prices", "diff", file, "--against", "nine")
    assert (code, "No version of the prices is published as 'nine'" in err) == (2, True)
    earlier = desk.json("prices", "diff", desk.write(prices("zero", PAST - timedelta(days=1))))
    assert earlier["against"] == "three"  # nothing applies that early: the newest


def test_a_long_difference_is_cut_on_the_page_and_whole_in_json(desk: Desk, database: ClickHouseConfiguration) -> None:
    entries = "".join(
        f'[[prices]]\nprovider = "p"\nmodel = "m{number}"\nmeters = {{ input_tokens = "1" }}\n' for number in range(100)
    )
    file = desk.write(prices("one") + entries)
    code, out, _ = desk.run("prices", "diff", file)
    assert (code, "and 42 more: --all shows them" in out) == (0, True)
    assert desk.run("prices", "diff", file, "--all")[1].count("added") == 102 + 1
    assert len(desk.json("prices", "diff", file)["changes"]) == 102


def test_a_record_that_rates_nothing_is_in_the_history_as_that(desk: Desk, database: ClickHouseConfiguration) -> None:
    desk.publish("prices", prices("one"))
    client = Client.connect(database)
    client.command(
        f"INSERT INTO {database.database}.books (kind, version, effective_from, digest, content, sequence, "
        "publication_id) VALUES ('prices', 'late', now64(6), 'd', 'c', 2, 'x')",
        doing="recording what came too late",
    )
    client.close()
    assert [(each["version"], each["state"]) for each in desk.json("prices", "history")] == [
        ("one", "applies now"),
        ("late", "rates nothing"),
    ]
    assert desk.publish("prices", prices("two", FAR))["published"][0]["number"] == 3


@pytest.mark.parametrize("kind", ["prices", "rules"])
@pytest.mark.parametrize("verb", ["check", "diff", "publish", "show", "history"])
def test_every_verb_answers_help_with_an_example_of_its_own(desk: Desk, kind: str, verb: str) -> None:
    code, out, _ = desk.run(kind, verb, "--help")
    assert (code, f"Example: tollstream {kind} {verb}" in out, "{" in out) == (0, True, False)
    example = out.partition("Example: ")[2].rstrip("\n")
    assert "\n" not in example, "in one piece, to be copied"
