"""Payouts, rewards and notes on the command line: help with an example, and mistakes told before a store is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollstream import cli

VERBS = (
    ("payouts",), ("payouts", "show"), ("payouts", "export"), ("payouts", "mark-paid"), ("payouts", "release"),
    ("payouts", "terms"), ("rewards",), ("rewards", "show"), ("rewards", "export"), ("rewards", "mark-paid"),
    ("rewards", "release"), ("payment",), ("credit-note",), ("refund",), ("write-off",), ("chargeback",), ("notes",),
)  # fmt: skip
WHO = ("--by", "ada", "--reason", "why")


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be asked."""
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:9")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_ends_with_an_example_that_names_the_verb(
    capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]
) -> None:
    code, out, _ = run(capsys, *verb, "--help")
    assert code == 0
    assert f"Example: tollstream {' '.join(verb)}" in out
    assert "--json" in out


def test_the_group_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--help")
    for verb, *_ in VERBS:
        assert f"  {verb} " in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("payouts",), "Give --period, such as 2026-10"),
        (("rewards",), "Give --period, a month such as 2026-10"),
        (("payouts", "--period", "2026-10", "show", "acme-P000001"), "--period and --builder stand behind the verb"),
        (("rewards", "--period", "2026-10", "show", "R000001"), "--period stands behind the verb"),
        (("payouts", "--period", "2026-10", "--by", "a\nb"), "--by is longer than 256 bytes, or more than one line"),
        (("payouts", "export", "--period", "2026-10", "--hook", "pay"), "--by is missing: money moves"),
        (("payouts", "export", "--period", "2026-10", "--hook", "pay", "--by", "ada", "--all"), "--hook pays what is"),
        (("payouts", "export", "--period", "2026-10", "--as-of", "2026-12-01"), "is no time with an offset"),
        (("payouts", "mark-paid", "acme-P000001", "--reference", " ", "--by", "ada"), "--reference is missing"),
        (("payouts", "release", "acme-P000001", "--by", "ada", "--reason", " "), "--reason is missing"),
        (("payouts", "terms", "no-such.toml", *WHO), "no-such.toml: no such file or folder"),
        (("payouts", "terms", "x.toml", "--builder", "acme", *WHO), "a file names its Builder itself"),
        (("credit-note", "acme-000001", "--amount", "0", *WHO), "--amount is above 0"),
        (("refund", "acme-000001", "--amount", "ten", *WHO), "--amount: 'ten' is no decimal number"),
        (("chargeback", "acme-000001", "--amount", "1", "--fee", "-1", *WHO), "--fee: -1 is outside 0 to"),
        (("write-off", "acme-000001", "--amount", "1", "--by", " ", "--reason", "why"), "--by is missing"),
        (("notes",), "Give the number of a statement, or --builder"),
        (("notes", "acme-000001", "--tenant", "globex"), "leave --builder and --tenant out"),
        (("payouts", "--period", "2026-10"), "The store at http://127.0.0.1:9 cannot be reached"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert sentence in err


def test_terms_that_cannot_be_meant_name_file_and_field(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text('version = "1"\neffective_from = 2026-10-01T00:00:00Z\nbuilder = "acme"\nhold_days = -1\n')
    code, _, err = run(capsys, "payouts", "terms", str(file), *WHO)
    assert code == 2
    assert f"{file}: hold_days" in err
