"""`tollstream prices import`, as it is typed: what is written, what is refused, what is told."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from billing.prices import PriceBook, PriceBooks
from tollstream import cli
from tollstream.price_lists import PACKAGED

LARGE = {
    "litellm_provider": "acme",
    "mode": "chat",
    "input_cost_per_token": 2e-06,
    "output_cost_per_token": 1e-05,
}
MAP: dict[str, dict[str, Any]] = {
    "sample_spec": {"input_cost_per_token": 0.0},
    "acme/large": LARGE,
    "acme/odd": {
        "litellm_provider": "acme",
        "mode": "audio_transcription",
        "input_cost_per_second": 0.0005666666666666667,
    },
    "apex/small": LARGE | {"litellm_provider": "apex"},
    "acme/latest": {"alias_of": "acme/large"},
}
OPTIONS = ("--version", "v2", "--effective-from", "2026-12-01T00:00:00Z")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:9")  # nobody listens there
    (tmp_path / "map.json").write_text(json.dumps(MAP))


@dataclass(frozen=True)
class Result:
    """What a command said."""

    exit_code: int
    output: str
    error: str

    @property
    def words(self) -> str:
        """All of it, however it was wrapped."""
        return " ".join((self.output + self.error).split())


def _import(*arguments: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(["prices", "import", *arguments])
    return Result(code, out.getvalue(), err.getvalue())


def _told(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(result.output)
    return told


def _written(name: str) -> PriceBook:
    [book] = PriceBooks.load(Path(name)).versions
    return book


def test_a_list_becomes_a_file_with_a_book_of_that_version_and_date() -> None:
    result = _import("litellm", "--file", "map.json", *OPTIONS, "--output", "books/v2.toml")
    assert result.exit_code == 0, result.output
    book = _written("books/v2.toml")
    assert (book.version, book.effective_from.isoformat()) == ("v2", "2026-12-01T00:00:00+00:00")
    assert [entry.words for entry in book.prices] == ["acme / large / standard", "apex / small / standard"]
    assert book.canonical_model("acme", "latest") == "large"
    assert book.prices[0].provenance is not None
    assert book.prices[0].provenance.source == "litellm, map.json"
    command = "  tollstream prices publish books/v2.toml --reason 'prices of litellm, map.json'"
    assert command in result.output.splitlines(), "in one piece, to be copied"
    assert "no store answers at http://127.0.0.1:9" in result.words


def test_json_has_exactly_what_is_promised_with_amounts_as_text() -> None:
    told = _told(_import("litellm", "--file", "map.json", *OPTIONS, "--json"))
    assert set(told) == {"taken", "skipped", "coverage", "diff", "dangers", "output"}
    assert (told["taken"], told["output"], told["dangers"]) == (2, "prices-litellm.toml", [])
    assert told["skipped"] == {
        "too_precise": [
            {
                "key": "acme/odd",
                "field": "input_cost_per_second",
                "why": "0.0005666666666666667 for one unit is not exact at 12 places",
            }
        ]
    }
    assert told["coverage"] == {
        "source": "litellm, map.json",
        "in_source": 4,
        "priced": 3,
        "taken": 2,
        "taken_percent": "66.66",
        "taken_in_part": 0,
        "not_taken": ["acme/odd"],
        "aliases": 1,
        "numbers_without_noise": 0,
    }
    assert told["diff"]["counts"] == {"added": 3 * 6, "removed": 0, "changed": 0}
    assert told["diff"]["changes"][0]["new"] == "0.000002"


@pytest.mark.parametrize("source", sorted(PACKAGED))
def test_a_packages_own_list_needs_no_option_at_all(source: str) -> None:
    try:
        version = importlib.metadata.version(source)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{source} is not installed: `make setup` installs it")
    told = _told(_import(source, "--json"))
    assert told["output"] == f"prices-{source}.toml"
    assert told["coverage"]["source"] == f"{source} {version}"
    assert len(_written(told["output"]).prices) >= told["taken"] > 2000


def _refreshed(changes: dict[str, Any], *arguments: str) -> Result:
    """Import the map, change it, and import it against the first book."""
    Path("map.json").write_text(json.dumps(MAP))
    assert _import("litellm", "--file", "map.json", *OPTIONS, "--output", "first.toml").exit_code == 0
    Path("map.json").write_text(json.dumps({key: value for key, value in {**MAP, **changes}.items() if value}))
    options = ("--version", "v3", "--effective-from", "2027-01-01T00:00:00Z", "--against", "first.toml")
    return _import("litellm", "--file", "map.json", *options, "--output", "second.toml", *arguments)


def test_a_refresh_shows_what_changes_and_is_written() -> None:
    result = _refreshed({"acme/large": LARGE | {"output_cost_per_token": 1.5e-05}}, "--json")
    told = _told(result)
    assert (result.exit_code, told["diff"]["against"], told["diff"]["counts"]["changed"]) == (0, "v2", 2)
    assert [(change["meter"], change["old"], change["new"], change["ratio"]) for change in told["diff"]["changes"]] == [
        ("output_tokens", "0.00001", "0.000015", "1.5"),
        ("reasoning_tokens", "0.00001", "0.000015", "1.5"),
    ]
    assert _written("second.toml").version == "v3"


@pytest.mark.parametrize(
    ("changes", "danger"),
    [
        ({"acme/large": LARGE | {"output_cost_per_token": 1e-04}}, "10 times as much or more"),
        ({"apex/small": None}, "the book would shrink from 2 entries to 1: half of it or more would be gone"),
    ],
)
def test_a_dangerous_refresh_is_refused_each_danger_named_and_nothing_written(
    changes: dict[str, Any], danger: str
) -> None:
    result = _refreshed(changes)
    words = result.words
    assert result.exit_code == 1
    assert danger in words
    assert "second.toml is not written: --force writes it" in words
    assert not Path("second.toml").exists()
    told = _told(_refreshed(changes, "--json"))
    assert (told["output"], danger in told["dangers"][0]) == (None, True)


def test_force_writes_it_all_the_same() -> None:
    result = _refreshed({"apex/small": None}, "--force")
    assert result.exit_code == 0
    assert len(_written("second.toml").prices) == 1


def test_keep_keeps_what_the_list_does_not_have() -> None:
    result = _refreshed({"apex/small": None}, "--keep")
    assert result.exit_code == 0
    assert [entry.provider for entry in _written("second.toml").prices] == ["acme", "apex"]


def test_shares_of_the_book_before_are_taken_over() -> None:
    assert _import("litellm", "--file", "map.json", *OPTIONS, "--output", "first.toml").exit_code == 0
    text = Path("first.toml").read_text()
    Path("contract.toml").write_text(text + '\n[[rewards]]\nprovider = "acme"\nshare = "0.5"\n')
    result = _import(
        "litellm",
        "--file",
        "map.json",
        "--version",
        "v3",
        "--effective-from",
        "2027-01-01T00:00:00Z",
        "--against",
        "contract.toml",
    )
    assert result.exit_code == 0, result.output
    assert str(_written("prices-litellm.toml").reward_share("acme")) == "0.5"


def test_only_the_providers_asked_for_are_imported() -> None:
    assert _import("litellm", "--file", "map.json", *OPTIONS, "--providers", "apex").exit_code == 0
    assert [entry.provider for entry in _written("prices-litellm.toml").prices] == ["apex"]


def test_a_table_is_imported_by_its_own_name() -> None:
    Path("contract.csv").write_text("provider,model,meter,price,per\nacme,large,input_tokens,1.80,1000000\n")
    told = _told(_import("contract.csv", *OPTIONS, "--json"))
    assert (told["taken"], told["output"]) == (1, "prices-contract.toml")
    assert _written("prices-contract.toml").prices[0].meters["input_tokens"].price.normalize().__str__() == "1.8"


def test_a_file_written_by_an_import_is_written_again_and_any_other_is_left_alone() -> None:
    assert _import("litellm", "--file", "map.json", *OPTIONS).exit_code == 0
    assert _import("litellm", "--file", "map.json", *OPTIONS).exit_code == 0
    Path("mine.toml").write_text("# my prices\n")
    result = _import("litellm", "--file", "map.json", *OPTIONS, "--output", "mine.toml")
    assert result.exit_code != 0
    assert "mine.toml is there and was not written by an import" in result.words
    assert Path("mine.toml").read_text() == "# my prices\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("openai",), "'openai' is neither litellm, nor genai-prices, nor a file whose name ends in .csv"),
        (("no.csv",), "no.csv: there is no such file"),
        (("litellm", "--file", "no.json"), "no.json: there is no such file"),
        (("litellm", "--file", "broken.json"), "broken.json, line 2: is no valid JSON"),
        (("litellm", "--file", "nan.json"), "nan.json: NaN is no price"),
        (("litellm", "--file", "deep.json"), "deep.json: is nested too deeply to be a price list"),
        (("litellm", "--file", "long.json"), "long.json: holds a number of more digits than any price has"),
        (("litellm", "--file", "far.json"), "far.json: holds a number of more digits than any price has"),
        (("litellm", "--file", "list.json"), "list.json: litellm's price map is a JSON object"),
        (("litellm", "--file", "empty.json"), "nothing of litellm, empty.json can be taken (it is empty)"),
        (("litellm", "--file", "latin.json"), "latin.json: is not UTF-8 text"),
        (("genai-prices", "--file", "map.json"), "genai-prices: the document is no list of providers with models"),
        (("header.csv",), "header.csv: the table has no line below its header"),
        (("litellm", "--file", "map.json", "--providers", "acme,nobody"), "has no prices of nobody: check the names"),
        (("litellm", "--file", "map.json", "--keep"), "--keep needs a book to keep from"),
        (("litellm", "--file", "map.json", "--against", "no.toml"), "no.toml: there is no such file or folder"),
        (("litellm", "--file", "map.json", "--output", "."), "is a folder: name a file with --output"),
        (
            ("litellm", "--file", "map.json", "--effective-from", "tomorrow"),
            "'tomorrow' is no date and time with offset",
        ),
        (
            ("litellm", "--file", "map.json", "--effective-from", "2026-12-01T00:00:00"),
            "is no date and time with offset",
        ),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text("{\n")
    (tmp_path / "nan.json").write_text('{"acme/x": {"input_cost_per_token": NaN}}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "long.json").write_text('{"acme/x": {"input_cost_per_token": ' + "9" * 5000 + "}}")
    (tmp_path / "far.json").write_text('{"acme/x": {"input_cost_per_token": 1e999999999999999999999}}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "latin.json").write_bytes(b'{"\xe9": 1}')
    (tmp_path / "header.csv").write_text("provider,model,meter,price\n")
    result = _import(*arguments)
    assert result.exit_code == 2, result.output
    assert sentence in result.words
    assert not list(tmp_path.glob("prices-*.toml"))
