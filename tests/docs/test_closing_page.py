"""docs/closing.md: its plan book is one, its commands exist, and its tables are those of the code."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import click

from billing.loading import parse_version
from billing.plans import PlanBook
from sinks import closings
from tollstream.cli import VERBS, cli
from tollstream.closing.checks import KINDS
from tollstream.commands.close import command

PAGE = (Path(__file__).parents[2] / "docs" / "closing.md").read_text(encoding="utf-8")


def test_the_plan_book_is_valid_and_says_what_the_page_says() -> None:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    book = parse_version(text, ".toml", "docs/closing.md", PlanBook)
    [plan] = book.plans
    assert (book.builder, plan.fee, plan.allowances[0].rollover) == ("acme", Decimal("9.00"), True)
    [subscription] = book.subscriptions("globex")
    assert (subscription.since, subscription.currency) == (date(2026, 10, 12), "EUR")


def test_every_command_of_the_page_exists_with_its_options() -> None:
    context = click.Context(cli)
    for line in re.findall(r"tollstream ((?:[a-z-]+ ?)+)([^`\n#]*)", PAGE):
        words = line[0].split()
        assert words[0] in VERBS, words
        verb: click.Command | None = cli.get_command(context, words[0])
        if isinstance(verb, click.Group) and len(words) > 1:
            verb = verb.get_command(context, words[1])
        assert verb is not None, words
        known = {option for each in verb.params for option in each.opts}
        for option in re.findall(r"--[a-z-]+", line[1]):
            assert option in known, (words, option)


def test_what_can_be_accepted_is_what_the_command_accepts() -> None:
    flags = {option for each in command.params for option in each.opts if option.startswith("--accept-")}
    assert flags == {f"--accept-{kind}" for kind in KINDS}
    assert set(re.findall(r"`(--accept-[a-z]+)`", PAGE)) == flags


def test_the_steps_are_those_of_the_code_in_their_order() -> None:
    steps = re.findall(r"^\| \*{0,2}([a-z]+)\*{0,2} \|", PAGE, flags=re.MULTILINE)
    assert steps == [closings.PLANNED, closings.FROZEN, closings.NUMBERED, closings.WRITTEN, closings.CLOSED]
