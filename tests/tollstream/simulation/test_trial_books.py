"""Which books a simulation rates with: a file, a published version by name, or what is published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.documents import BookError
from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.surcharges import RuleBook, RuleBooks
from tests.support.trial import NEW_RULES, PRICES
from tollstream.errors import UserError
from tollstream.simulation.books import trial_books
from topics.meters import load_catalogue

OLD, LATER = datetime(2021, 6, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def prices(version: str, start: str = "2020-01-01") -> PriceBook:
    text = PRICES.replace('"p"', f'"{version}"').replace("2020-01-01", start)
    return parse_version(text, ".toml", version, PriceBook)


def rules(version: str, start: str = "2020-01-01", more: str = "") -> RuleBook:
    text = NEW_RULES.replace('"new"', f'"{version}"').replace("2020-01-01", start)
    return parse_version(more + text, ".toml", version, RuleBook)


async def published() -> tuple[PriceBooks, RuleBooks]:
    return PriceBooks([prices("p1"), prices("p2", "2025-01-01")]), RuleBooks(
        [rules("r1"), rules("r2", "2025-01-01"), rules("back", more="retroactive = true")]
    )


async def nothing_is_asked_of_the_store() -> tuple[PriceBooks, RuleBooks]:
    raise AssertionError("the store was asked")


def file(tmp_path: Path, name: str, text: str) -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


async def test_a_new_rule_book_applies_at_all_times_beside_the_published_prices_of_each_time(tmp_path: Path) -> None:
    late = file(tmp_path, "rules.toml", NEW_RULES.replace("2020-01-01", "2030-01-01"))
    books = await trial_books(None, late, published)
    for moment in (OLD, LATER):
        found = books.rules.at(moment)
        assert found is not None
        assert found.version == "new"
    assert [getattr(books.prices.at(moment), "version", None) for moment in (OLD, LATER)] == ["p1", "p2"]
    assert books.new_prices is None
    assert books.new_rules is not None
    assert books.new_rules.effective_from.year == 2030  # what is told of it is what stands in the file


async def test_a_new_price_book_replaces_every_price_version(tmp_path: Path) -> None:
    books = await trial_books(file(tmp_path, "prices.toml", PRICES), None, published)
    assert [version.version for version in books.prices.versions] == ["p"]
    assert [version.version for version in books.rules.versions] == ["r1", "r2"]


async def test_with_both_given_as_files_nothing_has_to_be_published(tmp_path: Path) -> None:
    new = file(tmp_path, "prices.toml", PRICES), file(tmp_path, "rules.toml", NEW_RULES)
    books = await trial_books(*new, nothing_is_asked_of_the_store)
    assert len(books.prices.versions) == len(books.rules.versions) == 1


@pytest.mark.parametrize("version", ["r1", "back"])
async def test_a_published_version_is_named_even_one_that_never_applies_by_itself(version: str) -> None:
    books = await trial_books(None, version, published)
    found = books.rules.at(LATER)
    assert found is not None
    assert found.version == version
    assert found.rules == rules("any").rules


async def test_a_rule_found_in_the_copy_is_found_as_in_the_original(tmp_path: Path) -> None:
    books = await trial_books(None, file(tmp_path, "rules.toml", NEW_RULES), published)
    tags = dict.fromkeys(("tenant", "workspace", "builder", "workflow", "action", "provider", "model", "mode"), "")
    found = books.rules.versions[0].matching({**tags, "route": "", "feature": "search"})
    assert [rule.id for rule in found] == ["searches", "double"]


async def test_the_tags_are_those_that_any_of_the_books_goes_by(tmp_path: Path) -> None:
    by_workflow = NEW_RULES.replace('feature = "search"', 'workflow = "x", model = "small"')
    books = await trial_books(None, file(tmp_path, "rules.toml", by_workflow), published)
    assert books.tags == {"provider", "model", "mode", "region", "feature", "workflow"}


async def test_without_a_book_there_is_nothing_to_try() -> None:
    with pytest.raises(UserError, match="--rules, a price book with --prices"):
        await trial_books(None, None, nothing_is_asked_of_the_store)


async def test_a_name_that_is_neither_file_nor_version_says_where_to_look() -> None:
    with pytest.raises(UserError, match=r"nowhere\.toml: there is no such file.*`tollstream rules history`"):
        await trial_books(None, "nowhere.toml", published)
    with pytest.raises(UserError, match=r"published version of the prices.*`tollstream prices history`"):
        await trial_books("p9", None, published)


async def test_a_folder_of_several_versions_is_no_single_book(tmp_path: Path) -> None:
    for number in (1, 2):
        file(tmp_path, f"{number}.toml", NEW_RULES.replace('"new"', f'"n{number}"'))
    with pytest.raises(UserError, match="holds 2 versions"):
        await trial_books(None, str(tmp_path), published)


async def test_a_broken_file_is_named_and_not_taken_for_a_version(tmp_path: Path) -> None:
    with pytest.raises(BookError, match=r"rules\.toml: no valid TOML"):
        await trial_books(None, file(tmp_path, "rules.toml", "version ="), published)


async def test_what_was_rated_again_is_rated_with_the_versions_of_then_but_for_what_is_new(tmp_path: Path) -> None:
    books = await trial_books(None, file(tmp_path, "rules.toml", NEW_RULES), published)
    rater = books.of_versions(load_catalogue())
    found = rater("p1", "r1")
    assert found is not None
    assert [getattr(found.books.at(moment), "version", None) for moment in (OLD, LATER)] == ["p1", "p1"]
    assert [version.version for version in found.rules.versions] == ["new"]
    assert rater("p1", "back") is found, "rules are new: it does not matter what they were"
    assert rater("never published", "r1") is None

    books = await trial_books(file(tmp_path, "prices.toml", PRICES), None, published)
    found = books.of_versions(load_catalogue())("p1", "back")
    assert found is not None
    assert [version.version for version in found.books.versions] == ["p"]
    assert getattr(found.rules.at(LATER), "version", None) == "back", "a retroactive one that a re-rating named"

    new = file(tmp_path, "prices.toml", PRICES), file(tmp_path, "rules.toml", NEW_RULES)
    both = await trial_books(*new, nothing_is_asked_of_the_store)
    assert both.of_versions(load_catalogue())("p1", "r1") is None
