"""`tollstream rules new`: what it writes, where, and for whom."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.loading import parse_version
from billing.surcharges import RuleBook
from billing.surcharges.templates import OFFERS
from tollstream import cli
from tollstream.commands.rules.new import _next_month


def new(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    code = cli.main(["rules", "new", *options])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("offer", OFFERS)
def test_standard_output_is_the_rule_book_with_its_comments(capsys: pytest.CaptureFixture[str], offer: str) -> None:
    code, shown, _ = new(capsys, offer, "--builder", "quill", "--effective-from", "2027-01-01T01:00:00+01:00")
    book = parse_version(shown, ".toml", offer, RuleBook)
    assert code == 0
    assert book.version == f"quill-{offer}-2027-01-01"
    assert book.effective_from == datetime(2027, 1, 1, tzinfo=UTC)
    assert all(rule.match["builder"] == "quill" and rule.id.startswith("quill-") for rule in book.rules)
    comments = [line for line in shown.splitlines() if line.startswith("#")]
    assert len(comments) > 10
    assert any("tollstream rules check" in line for line in comments)
    assert "${" not in shown


def test_a_file_is_written_once_and_never_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    code, shown, _ = new(capsys, "agency-margin", "--builder", "brightop", "--output", str(file), "--version", "v1")
    assert code == 0
    assert f"Wrote {file}: 4 rules" in shown
    text = file.read_text()
    assert tomllib.loads(text)["version"] == "v1"
    code, _, said = new(capsys, "premium-features", "--builder", "other", "--output", str(file))
    assert code == 2
    assert f"{file} exists already" in said
    assert file.read_text() == text


def test_a_file_that_cannot_be_written_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, said = new(capsys, "agency-margin", "--builder", "b", "--output", str(tmp_path / "no" / "rules.toml"))
    assert code == 2
    assert "No such file or directory" in said


def test_json_names_the_rules_and_holds_the_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    _, shown, _ = new(capsys, "hybrid-subscription", "--builder", "tally", "--output", str(file), "--json")
    answer = json.loads(shown)
    assert answer["rules"] == ["tally-light", "tally-standard", "tally-premium", "tally-other"]
    assert (answer["offer"], answer["output"]) == ("hybrid-subscription", str(file))
    assert answer["content"] == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("builder", ["", "a/b"])
def test_a_name_that_no_event_can_have_is_refused(capsys: pytest.CaptureFixture[str], builder: str) -> None:
    code, _, said = new(capsys, "agency-margin", "--builder", builder)
    assert code == 2
    assert "no event can have that name" in said


def test_the_default_start_is_the_first_of_next_month() -> None:
    assert _next_month(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert _next_month(datetime(2026, 1, 31, tzinfo=UTC)) == datetime(2026, 2, 1, tzinfo=UTC)


def test_an_unknown_offer_is_answered_with_the_four(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = new(capsys, "freemium", "--builder", "b")
    assert code == 2
    for offer in OFFERS:
        assert offer in said
