"""Golden statements: a story for each of the four offers, every line worked out by hand; `make golden` writes them."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from billing.postings import (
    ACCOUNTS,
    BUILDER_FUNDING,
    BUILDER_PAYABLE,
    PLATFORM_FEE,
    PLATFORM_FUNDING,
    PREPAID_LIABILITY,
    PROVIDER_PAYABLE,
)
from billing.statements import NET_KINDS
from billing.surcharges.templates import OFFERS
from tests.support import pages
from tests.support.statement_stories import Story

FOLDER = Path(__file__).parents[1] / "golden" / "statements"
STORIES = sorted(FOLDER.glob("*.txt"))

every_story = pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)


@every_story
def test_the_statements_are_as_written(path: Path) -> None:
    story = Story(path)
    told = story.told()
    if os.environ.get("GOLDEN") == "write":
        path.write_text(told, encoding="utf-8")
    assert told == story.text


@every_story
def test_a_person_gets_to_every_line_by_hand(path: Path) -> None:
    story = Story(path)
    story.told()
    assert story.statements
    for made, hands in zip(story.statements, story.hands, strict=True):
        for line in made.lines:
            assert hands[line.key] != "?", (
                f"{path.name} {made.period.label}: nobody worked out {line.kind} {line.label}"
            )
            assert pages.value(hands[line.key]) == line.exact, f"{line.kind} {line.label} = {hands[line.key]}"


def test_every_offer_has_its_story() -> None:
    assert set(OFFERS) <= {path.stem for path in STORIES}


@every_story
def test_what_the_tenant_pays_is_what_the_parties_get_less_what_is_funded(path: Path) -> None:
    """In the charge currency, without what is prepaid: there the price is owed first and earned as it is used."""
    story = Story(path)
    story.told()
    for made in story.statements:
        sums = {account: Decimal(0) for account in ACCOUNTS}
        for posting in made.postings:
            if posting.currency == made.charge_currency:
                sums[posting.account] += posting.amount
        charged = sum((line.charge for line in made.lines if line.kind in NET_KINDS), Decimal(0))
        parties = sums[PROVIDER_PAYABLE] + sums[PLATFORM_FEE] + sums[BUILDER_PAYABLE]
        funded = sums[BUILDER_FUNDING] + sums[PLATFORM_FUNDING]
        assert charged == -parties - funded - sums[PREPAID_LIABILITY]
