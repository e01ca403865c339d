"""A trial from sums, by hand: exact where no bound is met, and no more than the sums prove where one is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.surcharges.lints.trial import try_out
from tests.support.lints import PRICES, book, group, rule


@pytest.mark.parametrize(
    ("bounds", "least", "most"),
    [
        ({}, "1.25", "1.25"),
        ({"floor": "0.05"}, "1.25", "1.75"),  # ten times, the floor adds 0.05 at most
        ({"cap": "1.2"}, "0.75", "1.25"),  # ten times, the cap takes 0.05 at most
        ({"floor": "0.05", "cap": "0.5"}, "0.5", "1.75"),  # each of ten comes to 0.05 to 0.5
        ({"floor": "0.3", "cap": "0.4"}, "3", "4"),
        ({"floor": "0", "cap": "1.25"}, "1.25", "1.25"),
    ],
)
def test_a_trial_says_what_sums_prove_about_floor_and_cap(bounds: dict[str, str], least: str, most: str) -> None:
    usage = group(10, "1", base_least=Decimal(0), base_most=Decimal(1))  # charges of 0 to 1.25, 1.25 together
    [tried] = try_out(book(rule(**bounds)), None, [usage]).tried
    assert (tried.charge_least, tried.charge_most) == (Decimal(least), Decimal(most))
    assert (tried.event_least, tried.event_most) == (Decimal(0), Decimal("1.25"))
    assert (tried.earnings_least, tried.earnings_most) == (Decimal(least) - 1, Decimal(most) - 1)


@pytest.mark.parametrize(
    ("kind", "charge", "earnings"),
    [
        ("markup", "1.25", "0.25"),
        ("margin", "1.25", "0.25"),
        ("per_unit", "1.1", "0.1"),
        ("unit_price", "0.1", "-0.9"),
        ("pass_through", "1", "0"),
        ("included", "0", "-1"),
    ],
)
def test_each_kind_charges_for_a_sum_what_it_charges_for_its_events(kind: str, charge: str, earnings: str) -> None:
    [tried] = try_out(book(rule("a", kind)), None, [group(10, "1")]).tried  # ten requests
    assert tried.charge_least == tried.charge_most == Decimal(charge)
    assert tried.earnings_least == tried.earnings_most == Decimal(earnings)
    assert tried.event_least == tried.event_most == Decimal(charge) / 10
    assert tried.priced


def test_groups_of_several_rules_and_kinds_are_tried_each_by_its_own() -> None:
    rules = book(
        rule("a"), rule("b", "unit_price", match={"builder": "quill", "feature": "b"}),
        rule("c", "included", match={"builder": "quill", "model_class": "light"}),
    )  # fmt: skip
    usage = [
        group(1, "1"), group(2, "1", feature="b"), group(3, "1", model="nw-small"), group(4, "1", builder="other"),
        group(5, "1", rated_events=0),
    ]  # fmt: skip
    trial = try_out(rules, PRICES, usage)
    assert [(each.rule.id, each.charge_most) for each in trial.tried] == [
        ("a", Decimal("1.25")), ("b", Decimal("0.02")), ("c", Decimal(0)),
    ]  # fmt: skip
    assert trial.without_rule == (usage[3],)
    assert {rule_id: len(some) for rule_id, some in trial.by_rule().items()} == {"a": 1, "b": 1, "c": 1}


def test_a_unit_price_does_not_price_events_without_its_meter() -> None:
    bare = group(3, "1", meters=frozenset(), usage={}, usage_least={}, usage_most={})
    [tried] = try_out(book(rule("a", "unit_price")), None, [bare]).tried
    assert not tried.priced
    [on_top] = try_out(book(rule("a", "per_unit")), None, [bare]).tried
    assert (on_top.priced, on_top.charge_most) == (True, Decimal(1))
