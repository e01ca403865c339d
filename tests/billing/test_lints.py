"""Lints: each objection is made where it belongs, in a sentence that says what to do, and nowhere else."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.documents import BookError
from billing.surcharges import RuleBooks
from billing.surcharges.lints import LINTS, Severity, lint, not_checked
from tests.support.lints import PRICES, book, findings, group, month, rule
from topics.meters import load_catalogue

LIGHT = rule("light", "included", match={"builder": "quill", "model_class": "light"}, label="Drafts, included")
FUNNEL = {"builder": "quill", "feature": "f"}
ERRORS = {
    "says-nothing", "unlimited", "included-charges", "unknown-meter", "wrong-unit", "never-wins", "drops-usage",
}  # fmt: skip


def test_a_careful_book_is_not_objected_to() -> None:
    assert findings(book(rule(), LIGHT), last_month=month(group(10, "0.1"))) == {}


# What one rule alone says or charges.
@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"reason": "n/a"}, "says-nothing", 'reason "n/a" says nothing'),
        ({"reason": "TBD."}, "says-nothing", 'reason "TBD." says nothing'),
        ({"reason": "---"}, "says-nothing", 'reason "---" says nothing'),
        ({"reason": "Premium  drafts."}, "says-nothing", "only repeats the label"),
        ({"reason": "Drafts, mostly"}, "says-nothing", "too short to explain a charge"),
        ({"label": "Usage"}, "says-nothing", 'label "Usage" says nothing'),
        ({"unit": "units"}, "says-nothing", 'unit "units" says nothing'),
        ({"label": "Unlimited drafts"}, "unlimited", 'label says "Unlimited"'),
        ({"reason": "Drafts are UNLIMITED in this plan."}, "unlimited", 'reason says "UNLIMITED"'),
        ({"reason": "Entwürfe unbegrenzter Zahl im Tarif."}, "unlimited", 'reason says "unbegrenzter"'),
        ({"reason": "There is no limit to drafts in this plan."}, "unlimited", 'reason says "no limit"'),
        ({"unit": "infinite requests"}, "unlimited", 'unit says "infinite"'),
        ({"label": "AI tokens"}, "jargon", 'label says "tokens", which a customer can neither count'),
        ({"unit": "1,000 tokens"}, "jargon", 'unit says "tokens"'),
        ({"reason": "What our LLM costs, and 25 %."}, "jargon", 'reason says "LLM"'),
        ({"label": "RAG lookups"}, "jargon", 'label says "RAG"'),
        ({"label": "Longer context windows"}, "jargon", 'label says "context windows"'),
        ({"label": "Calls of nw-large"}, "jargon", 'label says "nw-large"'),
        ({"label": "By nw-large-2026-01-31"}, "jargon", 'label says "nw-large-2026-01-31"'),
        ({"percent": "0.2"}, "fraction", '20 % is written "20"'),
        ({"kind": "margin", "percent": "0.35"}, "fraction", '35 % is written "35"'),
        ({"percent": "400"}, "high-price", "charges 5 times what the AI costs"),
        ({"kind": "margin", "percent": "80"}, "high-price", "a margin of 80 % charges 5 times"),
        ({"kind": "margin", "percent": "99.99"}, "high-price", "charges 10000 times"),
        ({"percent": "-10"}, "discount", "the Builder pays the difference on every event"),
        ({"percent": "-100"}, "discount", 'write kind = "included"'),
        ({"percent": "0"}, "no-effect", 'write kind = "pass_through"'),
        ({"kind": "per_unit", "amount": "0"}, "no-effect", 'write kind = "pass_through"'),
        ({"kind": "unit_price", "amount": "0"}, "no-effect", 'write kind = "included"'),
        ({"floor": "0"}, "idle-bound", "floor 0 never binds"),
        ({"cap": "0"}, "idle-bound", 'write kind = "included"'),
        ({"floor": "0.5", "cap": "0.50"}, "idle-bound", "floor and cap are both 0.5"),
        ({"kind": "per_unit", "cap": "0.005"}, "idle-bound", "cap 0.005 is below the amount 0.01"),
        ({"kind": "per_unit", "meter": "drafts"}, "unknown-meter", "drafts is no meter of the catalogue"),
        ({"kind": "per_unit", "meter": "pages"}, "wrong-unit", "in requests what is counted in pages"),
        ({"kind": "per_unit", "unit": "drafts"}, "other-unit", 'unit "drafts" is not that of meter requests'),
    ],
)  # fmt: skip
def test_what_one_rule_says_or_charges_is_objected_to(changes: dict[str, Any], code: str, words: str) -> None:
    changes = dict(changes)
    found = findings(book(rule("a", changes.pop("kind", "markup"), **changes)))
    assert list(found) == [code]
    assert words in found[code].sentence
    assert found[code].rule_id == "a"
    assert found[code].severity is (Severity.ERROR if code in ERRORS else Severity.WARNING)


# Just on the other side of each line.
@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "Every page costs what its tokens cost, and 25 %."},
        {"label": "Tokens (about 700 words for 1,000)"},
        {"label": "Apiary reports"},
        {"label": "Drag and drop"},
        {"reason": "Limited to 500 drafts, then 2 cents each."},
        {"reason": "每生成一份草稿收费一分钱"},
        {"percent": "1"},
        {"percent": "399.99"},
        {"kind": "margin", "percent": "79.99"},
        {"floor": "0.01", "cap": "0.02"},
        {"kind": "per_unit", "unit": "Requests"},
        {"kind": "per_unit", "unit": "premium request"},
        {"kind": "per_unit", "unit": "AI-request"},
        {"kind": "per_unit", "cap": "0.01"},
        {"kind": "unit_price", "meter": "workflow_actions", "unit": "premium AI action"},
    ],
)
def test_what_is_plain_enough_is_let_pass(changes: dict[str, Any]) -> None:
    changes = dict(changes)
    assert findings(book(rule("a", changes.pop("kind", "markup"), **changes))) == {}


def test_included_usage_that_charges_is_an_error_and_a_cap_on_it_is_idle() -> None:
    assert list(findings(book(rule(), LIGHT | {"floor": "0.1"}))) == ["included-charges"]
    found = findings(book(rule(), LIGHT | {"cap": "0.1"}))
    assert "never binds, for included usage charges nothing" in found["idle-bound"].sentence


# Which usage the rules reach.


def test_a_rule_about_a_class_whose_models_all_have_rules_of_their_own_never_wins() -> None:
    classes = {"premium": ["nw-large", "lumen-9"]}
    by_class = rule("class", match={"builder": "quill", "model_class": "premium"}, label="Premium drafts by class")
    own = [rule(model, match={"builder": "quill", "model": model}) for model in classes["premium"]]
    found = findings(book(rule("rest", label="Other drafts"), by_class, *own, classes=classes))
    assert found["never-wins"].rule_id == "class"
    assert (
        "a more specific rule takes: lumen-9 (builder quill, model lumen-9), nw-large" in found["never-wins"].sentence
    )
    assert "never-wins" not in findings(book(rule("rest", label="Other drafts"), by_class, own[0], classes=classes))


def test_a_rule_that_all_modes_take_apart_never_wins() -> None:
    modes = ["standard", "batch", "flex", "priority"]
    apart = [rule(mode, match={"builder": "quill", "mode": mode}) for mode in modes]
    assert findings(book(rule(), *apart))["never-wins"].rule_id == "a"
    assert "never-wins" not in findings(book(rule(), *apart[1:]))


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"builder": "quill", "model_class": "empty"}, "its class of models empty is empty"),
        ({"builder": "quill", "model_class": "light", "model": "nw-large"}, "model nw-large is not in its class light"),
    ],
)
def test_a_rule_that_no_model_can_match_never_wins(match: dict[str, str], words: str) -> None:
    found = findings(book(rule(), rule("b", match=match), classes={"empty": [], "light": ["nw-small"]}))
    assert list(found) == ["never-wins"]
    assert words in found["never-wins"].sentence


def test_a_general_rule_for_one_tenant_only_takes_that_tenants_usage_away() -> None:
    globex = rule("globex", match={"tenant": "globex"}, label="Contract drafts")
    assert findings(book(rule(), globex, rule("rest", match={}, label="Other drafts"))) == {}


def test_names_that_the_price_book_does_not_know_are_warned_of_only_with_a_price_book() -> None:
    classes = {"light": ["nw-smal"], "unused": ["nobody-uses-it"], "aliased": ["nw-large-2026-01-31"]}
    rules = book(
        rule(), LIGHT, rule("b", match={"builder": "quill", "model_class": "aliased"}, label="Aliased drafts"),
        rule("c", match={"builder": "quill", "provider": "lumenn"}, label="Lumen drafts"), classes=classes,
    )  # fmt: skip
    found = lint(rules, catalogue=load_catalogue(), prices=PRICES, last_month=None)
    assert [(each.code, each.rule_id) for each in found] == [("unpriced-model", ""), ("unpriced-model", "c")]
    assert "model class light names nw-smal, which price book p1 does not price" in found[0].sentence
    assert "provider lumenn has no price in price book p1" in found[1].sentence
    assert findings(rules, prices=None) == {}


def test_usage_that_no_rule_covers_is_warned_of() -> None:
    found = findings(book(rule("a", match=FUNNEL)))
    assert "no rule covers all usage of quill" in found["no-default"].sentence
    found = findings(book(rule("a"), rule("b", match={"feature": "f"}, label="F drafts")))
    assert "although b can match usage of any Builder" in found["no-default"].sentence
    assert findings(book(rule("a", match=FUNNEL), rule("b", match={}, label="Other drafts"))) == {}


def test_one_label_for_two_prices_of_one_customer_is_warned_of() -> None:
    both = book(rule("a"), rule("b", match=FUNNEL, percent="30"))
    assert "charged by this rule and by a (builder quill) under the same label" in findings(both)["same-label"].sentence
    assert findings(book(rule("a"), rule("b", match=FUNNEL))) == {}, "one price"
    other_builder = rule("b", match={"builder": "parcel"}, percent="30")
    assert findings(book(rule("a"), other_builder)) == {}, "customers of different Builders"


def test_a_customers_own_price_may_have_the_label_of_the_price_it_replaces() -> None:
    own = rule("b", match={"builder": "quill", "tenant": "globex"}, percent="10")
    assert findings(book(rule("a"), own)) == {}, "globex never meets rule a"
    partly = rule("b", match={"builder": "quill", "tenant": "globex", "feature": "f"}, percent="10")
    assert list(findings(book(rule("a"), partly))) == ["same-label"]


# What last month's usage would come to.


def test_a_meter_that_nobody_emitted_is_warned_of_with_what_follows() -> None:
    pages = {"meter": "pages", "unit": "page"}
    usage = month(group(10, "0.1"))
    assert "adds nothing" in findings(book(rule("a", "per_unit", **pages)), last_month=usage)["idle-meter"].sentence
    found = findings(book(rule("a", "unit_price", **pages)), last_month=usage)
    assert (
        "nobody emitted pages in 2026-03: all of its usage would wait unpriced (no_unit)"
        in found["idle-meter"].sentence
    )
    assert list(found) == ["idle-meter"]


def test_a_meter_that_is_emitted_elsewhere_only_is_warned_of() -> None:
    elsewhere = group(5, "0.1", builder="parcel", usage={"pages": 5}, meters=frozenset({"pages"}))
    rules = book(rule("a", "per_unit", meter="pages", unit="page"), rule("p", match={}, label="Pages"))
    found = findings(rules, last_month=month(group(10, "0.1"), elsewhere))
    assert "none of the 10 events in 2026-03 to which it would apply has pages" in found["idle-meter"].sentence


def test_every_rule_with_an_idle_meter_is_named() -> None:
    """Rules without a meter, with one of their own, with one that is fine, and without any usage stand between them."""
    matches = [{"builder": "quill", "feature": name} for name in "abcdef"]
    emitted = {meter: Decimal(5) for meter in ("requests", "tasks", "runs", "images", "minutes", "files")}
    usage = month(
        group(5, "0.1", feature="c", usage=emitted), group(5, "0.1", feature="b", builder="parcel", usage=emitted)
    )
    found = lint(
        book(
            rule("plain"), rule("a", "per_unit", match=matches[0], meter="drafts", label="A"),
            rule("b", "per_unit", match=matches[1], meter="pages", unit="page", label="B"),
            rule("c", "per_unit", match=matches[2], label="C"),
            rule("d", "per_unit", match=matches[3], meter="tasks", unit="task", label="D"),
            rule("e", "per_unit", match=matches[4], meter="reports", unit="report", label="E"),
            rule("rest", match={}, label="Rest"),
        ),
        catalogue=load_catalogue(), prices=None, last_month=usage,
    )  # fmt: skip
    idle = [each for each in found if each.code == "idle-meter"]
    assert [each.rule_id for each in idle] == ["b", "e"]
    assert idle[0].sentence.endswith("charge for one of files, images, minutes, requests, runs")


@pytest.mark.parametrize(
    ("models", "words"), [(5, "m0, m1, m2, m3, m4, which"), (6, "m0, m1, m2, m3, m4 and 1 more, which")]
)
def test_a_long_list_is_shown_by_its_first_five(models: int, words: str) -> None:
    classes = {"c": [f"m{number}" for number in range(models)]}
    of_class = rule("c", match={"builder": "quill", "model_class": "c"}, label="C drafts")
    assert f"names {words}" in findings(book(rule(), of_class, classes=classes))["unpriced-model"].sentence


def test_a_price_below_cost_is_warned_of_with_the_sums_and_the_model() -> None:
    usage = month(group(10, "0.5"), group(10, "0.01", model="nw-small"))
    found = findings(book(rule("a", "unit_price")), last_month=usage)["loses-money"]
    assert "20 events of 2026-03 cost USD 0.51 and would be charged USD 0.2:" in found.sentence
    assert "most of it for nw-large" in found.sentence


def test_a_price_that_earns_on_the_whole_and_loses_on_a_model_is_warned_of() -> None:
    usage = month(group(10, "0.5"), group(100, "0.01", model="nw-small"))
    found = findings(book(rule("a", "unit_price")), last_month=usage)
    assert list(found) == ["loses-on-model"]
    assert "loses USD 0.4 of 2026-03 on nw-large" in found["loses-on-model"].sentence


def test_a_loss_behind_a_cap_is_warned_of_only_where_the_sums_prove_it() -> None:
    alike = month(group(10, "1"))
    found = findings(book(rule(cap="0.09")), last_month=alike)
    assert "would be charged USD 0.9:" in found["loses-money"].sentence
    mixed = month(group(10, "1", base_least=0, base_most=1))  # one event of 1 and nine of 0, or ten of 0.1
    assert "loses-money" not in findings(book(rule(cap="0.11")), last_month=mixed)
    certain = findings(book(rule(cap="0.09")), last_month=mixed)
    assert "would be charged at most USD 0.9:" in certain["loses-money"].sentence


def test_what_the_builder_funds_on_purpose_is_no_loss() -> None:
    found = findings(book(rule(), LIGHT), last_month=month(group(10, "1", model="nw-small")))
    assert found == {}
    found = findings(book(rule("a", "pass_through")), last_month=month(group(10, "1")))
    assert found == {}


def test_included_usage_of_any_model_is_warned_of_with_what_it_cost() -> None:
    anything = rule("free", "included", match=FUNNEL, label="Drafts, included")
    found = findings(book(rule(), anything), last_month=month(group(10, "1", feature="f"), group(2, "1")))
    assert "the most expensive one too (2026-03: USD 1 for 10 events)" in found["included-unbounded"].sentence
    assert "the most expensive one too:" in findings(book(rule(), anything))["included-unbounded"].sentence
    bound = rule("free", "included", match={**FUNNEL, "model": "nw-small"}, label="Drafts, included")
    assert findings(book(rule(), bound)) == {}


def test_usage_that_was_charged_and_would_have_no_rule_stops_publication() -> None:
    usage = month(group(10, "1"), group(3, "1", builder="parcel", tenant="kestrel"))
    found = findings(book(rule()), last_month=usage)["drops-usage"]
    assert found.severity is Severity.ERROR
    assert "3 events that were charged in 2026-03 would have no rule" in found.sentence
    assert "3 of builder parcel, tenant kestrel, model nw-large" in found.sentence
    waiting = group(3, "0", builder="parcel", rated_events=0)
    assert findings(book(rule()), last_month=month(group(10, "1"), waiting)) == {}, "it waited before"


def test_retroactive_rules_leave_what_they_do_not_name_as_it_is() -> None:
    usage = month(group(10, "1", feature="funnel"), group(3, "1", builder="parcel", tenant="kestrel"))
    corrected = book(rule("a", match={"builder": "quill", "feature": "funnel"}))
    assert set(findings(corrected, last_month=usage)) == {"drops-usage", "no-default"}
    assert findings(corrected.model_copy(update={"retroactive": True}), last_month=usage) == {}


def test_events_without_the_meter_of_their_price_are_warned_of() -> None:
    bare = group(3, "0.01", meters=frozenset(), usage={})
    found = findings(book(rule("a", "unit_price")), last_month=month(group(10, "0.01"), bare))
    assert list(found) == ["no-unit"]
    assert "3 of 13 events of 2026-03 have no requests, and would wait unpriced" in found["no-unit"].sentence


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"floor": "0.0000125"}, "none of 10 events of 2026-03 would reach the floor of USD 0.0000125"),
        ({"cap": "12.5"}, "none of 10 events of 2026-03 would reach the cap of USD 12.5"),
        ({"floor": "0.2"}, "every one of 10 events of 2026-03 would cost the floor, USD 0.2"),
        ({"cap": "0.1"}, "every one of 10 events of 2026-03 would cost the cap, USD 0.1"),
    ],
)
def test_a_bound_that_no_event_or_every_event_would_reach_is_warned_of(bounds: dict[str, str], words: str) -> None:
    found = findings(book(rule(**bounds)), last_month=month(group(10, "1")))  # each event comes to 0.125
    assert list(found) == ["never-binds"]
    assert words in found["never-binds"].sentence


def test_a_handful_of_events_proves_nothing_about_a_bound() -> None:
    assert findings(book(rule(cap="12.5")), last_month=month(group(9, "1"))) == {}


def test_a_bound_is_held_against_the_events_of_each_currency_by_itself() -> None:
    usage = month(group(10, "1"), group(10, "1000", currency="JPY"))  # each comes to USD 0.125 or JPY 125
    found = lint(book(rule(cap="2")), catalogue=load_catalogue(), prices=None, last_month=usage)
    yen, dollars = (each.sentence for each in found if each.code == "never-binds")
    assert "every one of 10 events of 2026-03 would cost the cap, JPY 2" in yen
    assert "none of 10 events of 2026-03 would reach the cap of USD 2" in dollars


def test_a_bound_that_some_events_reach_is_let_pass() -> None:
    usage = month(group(10, "1", base_least=0, base_most=1))
    assert findings(book(rule(floor="0.01", cap="0.5")), last_month=usage) == {}


def test_served_names_are_tried_under_the_model_that_they_stand_for() -> None:
    usage = month(group(10, "1", model="nw-large-2026-01-31"))
    premium = rule("p", match={"builder": "quill", "model_class": "premium"}, percent="-10", label="Premium")
    found = findings(book(rule(label="Other drafts"), premium), last_month=usage)
    assert found["loses-money"].rule_id == "p"


# The run as a whole.


def test_errors_stand_first_then_the_order_of_the_book() -> None:
    rules = book(rule("z", percent="0.5", match=FUNNEL), rule("a", reason="tbd", percent="0.2", label="More drafts"))
    found = lint(rules, catalogue=load_catalogue(), prices=None, last_month=None)
    assert [(each.severity.value, each.rule_id) for each in found] == [
        ("error", "a"),
        ("warning", "z"),
        ("warning", "a"),
    ]


def test_what_was_not_checked_is_said_with_the_reason() -> None:
    assert not_checked(prices=PRICES, last_month=month(group(1, "1"))) == []
    prices, usage = not_checked(prices=None, last_month=None)
    assert prices == "Not checked, because no price book is known: unpriced-model."
    assert usage.startswith("Not checked, because no store was asked for last month's usage: drops-usage, idle-meter")
    assert "the store has no usage of 2026-03" in not_checked(prices=PRICES, last_month=month())[0]


def test_every_lint_has_a_code_of_its_own_and_is_tested_here() -> None:
    codes = [check.code for check in LINTS]
    assert len(set(codes)) == len(codes)
    assert {check.code for check in LINTS if check.severity is Severity.ERROR} == ERRORS
    text = Path(__file__).read_text(encoding="utf-8")
    assert {code for code in codes if not re.search(rf'"{code}"', text)} == set()


# What is refused when a book is loaded says the same things at least as well.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'kind = "included"\nlabel = "Drafts"\nunit = "draft"\n',
            ("rule a has no reason", "tell the customer what creates this charge"),
        ),
        (
            'kind = "margin"\npercent = "100"\nlabel = "l"\nunit = "u"\nreason = "r"\n',
            ("rule a: the percent of a margin is 0 to 99.99, not 100", "part of the price", "is a markup"),
        ),
    ],
)  # fmt: skip
def test_a_missing_reason_and_an_impossible_margin_are_refused_with_rule_and_cure(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('version = "v"\neffective_from = 2026-01-01T00:00:00Z\n[[rules]]\nid = "a"\n' + text)
    with pytest.raises(BookError) as error:
        RuleBooks.load(file)
    for word in words:
        assert word in str(error.value)
