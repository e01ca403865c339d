"""The command line: verbs are lazy, and a user's mistake is a sentence with an exit code."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sinks.errors import GrantRefusedError
from tollstream import cli
from tollstream.errors import UserError
from tollstream.verbs import LazyVerbs

GRANT = "Backfill grant 'g1' is refused: no reason. Nothing was recorded."
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def boom(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A verb that raises what the test puts in the list."""
    errors: list[Exception] = []

    @click.command()
    def command() -> None:
        raise errors[0]

    monkeypatch.setattr(LazyVerbs, "get_command", lambda *_: command)
    return errors


class OperatorError(Exception):
    operator_message = "The broker is away: start it."


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (UserError("Give a file."), "tollstream: Give a file.\n", 2),
        (GrantRefusedError(grant_id="g1", detail="no reason"), "tollstream: " + GRANT + "\n", 2),
        (OperatorError("internal words"), "tollstream: The broker is away: start it.\n", 2),
        (FileNotFoundError(2, "No such file", "p.toml"), "tollstream: p.toml: No such file\n", 2),
        (ExceptionGroup("two", [UserError("One."), UserError("Two.")]), "tollstream: One. Two.\n", 2),
        (click.UsageError("No such option."), "Error: No such option.\n", 2),
        (click.Abort(), "tollstream: Interrupted.\n", 130),
    ],
)
def test_a_users_mistake_is_a_sentence(
    boom: list[Exception], capsys: pytest.CaptureFixture[str], error: Exception, sentence: str, code: int
) -> None:
    boom.append(error)
    assert cli.main(["boom"]) == code
    said = capsys.readouterr().err
    assert said.endswith(sentence)
    assert "Traceback" not in said


def test_debug_shows_the_traceback_too(
    boom: list[Exception], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLSTREAM_DEBUG", "1")
    boom.append(UserError("Give a file."))
    assert cli.main(["boom"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("tollstream: Give a file.\n")


def test_a_bug_of_ours_keeps_its_traceback(boom: list[Exception]) -> None:
    boom.append(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        cli.main(["boom"])


def test_help_imports_no_verb_and_nothing_heavy() -> None:
    code = (
        "import sys; from tollstream.cli import main; assert main(['--help']) == 0;"
        "heavy = {'faust', 'polars', 'pyarrow', 'chdb', 'aiokafka', 'pydantic'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_verb_that_is_listed_answers_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = cli.cli.list_commands(click.Context(cli.cli))
    for verb in verbs:
        assert cli.main([verb, "--help"]) == 0, verb
        assert "tollstream " + verb in capsys.readouterr().out.replace("Usage:", "", 1), f"{verb} --help has no example"
    assert cli.main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(verb in listed for verb in verbs)


def test_an_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["frobnicate"]) == 2
    assert "No such command 'frobnicate'" in capsys.readouterr().err


def every_verb(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_verb(found, (*path, name))


def test_every_page_of_help_fits_80_columns_and_its_examples_can_be_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An example that goes on in the next line says so with a backslash, or the shell runs half of it."""
    monkeypatch.setenv("COLUMNS", "80")
    for path in every_verb(cli.cli):
        assert cli.main([*path, "--help"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if len(line) > 80] == [], path
        start = max(number for number, line in enumerate(lines) if re.match(r"\s*Examples?:", line))
        before = ""
        for line in lines[start:]:
            words = re.sub(r"^Examples?:", "", line.strip()).strip()
            if words and not before.endswith("\\"):
                assert re.match(r"(tollstream|zcat) ", words), (path, words)
            before = words
