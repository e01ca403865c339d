"""What is wrong with a book is said with file, entry and cure; nothing doubtful is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.documents import BookError
from billing.prices import PriceBooks
from billing.surcharges import RuleBooks

HEAD = 'version = "v"\neffective_from = 2026-01-01T00:00:00Z\n'
PRICE = '[[prices]]\nprovider = "p"\nmodel = "m"\nmeters = {{ input_tokens = {} }}\n'
RULE = '[[rules]]\nid = "a"\nlabel = "l"\nunit = "u"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = [", "no valid TOML"),
        ('version = "v"\ncurrency = "USD"\n' + PRICE.format('"1"'), "effective_from: Field required"),
        (
            HEAD.replace("Z", "") + 'currency = "USD"\n' + PRICE.format('"1"'),
            "effective_from: Input should have timezone",
        ),
        (HEAD + 'currency = "usd"\n' + PRICE.format('"1"'), "currency: 'usd' is no currency code"),
        (HEAD + 'currency = "USD"\nnote = 1\n' + PRICE.format('"1"'), "note: Extra inputs are not permitted"),
        (HEAD + 'currency = "USD"\n' + PRICE.format("0.5"), "0.5 has to be written in quotes"),
        (HEAD + 'currency = "USD"\n' + PRICE.format("true"), "True has to be written in quotes"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('"-1"'), "-1 is outside 0"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('"NaN"'), "'NaN' is not finite"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('"1e-13"'), "has more than 12 places"),
        *(
            (HEAD + 'currency = "USD"\n' + PRICE.format(f'"{slip}"'), f"{slip!r} is no plain decimal number")
            for slip in ("2_50", " 1", "1 ", "\u0663")
        ),
        (
            HEAD + 'currency = "USD"\n' + PRICE.format('{ price = "1", per = true }'),
            "per: Input should be a valid integer",
        ),
        (
            HEAD + 'currency = "USD"\n' + PRICE.format('"1"') + 'mode = "turbo"\n',
            "mode: 'turbo' is none of standard, batch",
        ),
        (
            HEAD + 'currency = "USD"\n' + PRICE.format('"1"').replace('"m"', '"a\\nb"'),
            "'a\\nb' is no name: it is one line",
        ),
        (HEAD.replace('"v"', '"a\\tb"') + 'currency = "USD"\n' + PRICE.format('"1"'), "version: 'a\\tb' is no name"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('"1"') + f'region = "{"ü" * 129}"\n', "of at most 256 bytes"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('{ price = "1", per = 3 }'), "has more than 12 places"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('"1000001"'), "is outside 0 to"),
        (HEAD + 'currency = "USD"\n' + PRICE.format('"1"') * 2, "p / m / standard is priced twice"),
        (
            HEAD + 'currency = "USD"\n' + '[[rewards]]\nprovider = "p"\nshare = "1.1"\n' + PRICE.format('"1"'),
            "rewards.1.share: reward share: 1.1 is outside 0 to 1",
        ),
    ],
)
def test_a_price_book_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(BookError) as error:
        PriceBooks.load(file)
    assert str(file) in str(error.value)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (
            '[[rules]]\nid = "a"\nkind = "included"\nlabel = "l"\nunit = "u"\n',
            "rules.1: rule a has no reason: tell the customer what creates this charge",
        ),
        (RULE.replace('"r"', '" "') + 'kind = "included"\n', "have to say something to the customer"),
        (RULE + 'kind = "gift"\n', "kind is one of markup, margin, per_unit"),
        (RULE + 'kind = "markup"\n', "rule a: markup needs percent"),
        (RULE + 'kind = "included"\npercent = "1"\n', "rule a: included takes no percent"),
        (RULE + 'kind = "per_unit"\namount = "1"\n', "rule a: per_unit needs meter"),
        (RULE + 'kind = "margin"\npercent = "100"\n', "the percent of a margin is 0 to 99.99, not 100"),
        (RULE + 'kind = "markup"\npercent = "-100.5"\n', "the percent of a markup is -100 to"),
        (RULE + 'kind = "included"\nfloor = "2"\ncap = "1"\n', "floor 2 is above cap 1"),
        (RULE + 'kind = "included"\nmatch = { colour = "red" }\n', "not colour"),
        (RULE + 'kind = "included"\nmatch = { mode = "turbo" }\n', "mode is one of standard, batch, flex, priority"),
        (RULE + 'kind = "included"\nmatch = { route = "2" }\n', "rule a: route is one of primary, fallback, not 2"),
        (RULE + 'kind = "included"\nmatch = { tenant = "a\\nb" }\n', "match.tenant: 'a\\nb' is no name: it is one"),
        (RULE.replace('"a"', '"a\\u0000"') + 'kind = "included"\n', "id: 'a\\x00' is no name"),
        (RULE.replace('"l"', '"a\\nb"') + 'kind = "included"\n', "label: 'a\\nb' is no name"),
        (RULE + 'kind = "included"\nmatch = { model_class = "big" }\n', "model class big is not among model_classes"),
        ((RULE + 'kind = "included"\n') * 2, "rule a stands twice"),
        (
            RULE + 'kind = "included"\nmatch = { feature = "f" }\n'
            + RULE.replace('"a"', '"b"') + 'kind = "pass_through"\nmatch = { feature = "f" }\n',
            "rules a and b tie",
        ),
    ],
)  # fmt: skip
def test_a_rule_book_is_refused_with_a_sentence(tmp_path: Path, rules: str, sentence: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(HEAD + rules)
    with pytest.raises(BookError) as error:
        RuleBooks.load(file)
    assert str(file) in str(error.value)
    assert sentence in str(error.value)


def test_rules_on_the_same_field_with_other_values_do_not_tie(tmp_path: Path) -> None:
    two = [
        RULE.replace('"a"', f'"{name}"') + f'kind = "included"\nmatch = {{ feature = "{name}" }}\n'
        for name in ("x", "y")
    ]
    (tmp_path / "rules.toml").write_text(HEAD + "".join(two))
    assert len(RuleBooks.load(tmp_path / "rules.toml").versions[0].rules) == 2


def test_two_files_of_one_version_and_two_versions_of_one_moment_are_refused(tmp_path: Path) -> None:
    book = HEAD + 'currency = "USD"\n' + PRICE.format('"1"')
    (tmp_path / "a.toml").write_text(book)
    (tmp_path / "b.toml").write_text(book.replace("2026-01-01", "2026-02-01"))
    with pytest.raises(BookError, match="version v stands in two files"):
        PriceBooks.load(tmp_path)
    (tmp_path / "b.toml").write_text(book.replace('"v"', '"w"'))
    with pytest.raises(BookError, match="both start at"):
        PriceBooks.load(tmp_path)


def test_yaml_and_toml_of_one_content_are_one_book(tmp_path: Path) -> None:
    (tmp_path / "book.toml").write_text(HEAD + 'currency = "USD"\n' + PRICE.format('"0.25"'))
    (tmp_path / "book.yaml").write_text(
        "version: v\neffective_from: 2026-01-01T00:00:00Z\ncurrency: USD\n"
        'prices:\n  - provider: p\n    model: m\n    meters: {input_tokens: "0.25"}\n'
    )
    one, other = (PriceBooks.load(tmp_path / f"book.{suffix}").versions[0] for suffix in ("toml", "yaml"))
    assert one.prices == other.prices
    assert one.effective_from == other.effective_from
    assert one.digest != other.digest


@pytest.mark.parametrize("name", ["nothing-here", "empty"])
def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BookError, match=name):
        PriceBooks.load(tmp_path / name)
