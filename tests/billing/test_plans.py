"""Plan books: what cannot be published, who has which plan on which days, and which version says so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.documents import BookError
from billing.loading import parse_version
from billing.periods import MONTHS, Cycle, parse_period
from billing.plans import (
    Customer,
    Plan,
    PlanBook,
    PlanBooks,
    Segment,
    Subscription,
    Tier,
    part,
    part_of_units,
    segment_of,
)
from billing.statements import UsageLine

OCTOBER = parse_period(MONTHS, "2026-10")
UNSEEN = ", which customers of the plan do not see: its units are tasks"
BOOK = """
version = "2026-10"
effective_from = 2026-10-01T00:00:00Z
builder = "acme"
currency = "USD"
taxes = [{ id = "es", label = "IVA 21 %", rate = "0.21" }]
tenants = [
    { tenant = "globex", plan = "basic", since = 2026-10-05, until = 2026-10-20, tax = "es" },
    { tenant = "globex", plan = "pro", since = 2026-10-20, currency = "EUR", tax_rate = "0.1", tax_label = "Other" },
]
[[plans]]
id = "basic"
label = "Basic"
fee = "10"
units = [{ meter = "tasks", one = "task", many = "tasks" }]
[[plans]]
id = "pro"
label = "Pro"
fee = "31"
trial_days = 3
units = [{ meter = "tasks", one = "task", many = "tasks" }]
allowances = [{ id = "included", label = "Included", unit = "tasks", quantity = "100" }]
top_ups = [{ id = "more", label = "More", unit = "tasks", quantity = "50", price = "4" }]
tiers = [{ rule = "r1", kind = "volume", steps = [{ above = "0", price = "0.1" }] }]
minimum = "5"
cap = { amount = "50", then = "stop" }
[sender]
name = "Acme Tools, S.L."
address = "Calle Mayor 1\\n28013 Madrid"
pay_within_days = 14
[[customers]]
tenant = "globex"
name = "Globex Corporation"
"""


def _book(text: str = BOOK) -> PlanBook:
    return parse_version(text, ".toml", "plans.toml", PlanBook)


@pytest.mark.parametrize(
    ("there", "instead", "sentence"),
    [
        ('fee = "10"', "fee = 10.5",
         'plans.1.fee: amount: 10.5 has to be written in quotes, such as "0.25": a float is not exact'),
        ('fee = "10"', 'fee = "-1"', "plans.1.fee: amount: -1 is outside 0 to 1000000000"),
        ('id = "basic"', 'id = "a/b"', "plans.1.id: String should match pattern '^[^/\\s]+$'"),
        ('[[customers]]', '[[customers]]\ntenant = "globex"\n[[customers]]',
         "customer globex stands twice: a tenant has one name and one address"),
        ("pay_within_days = 14", "pay_within_days = -1",
         "sender.pay_within_days: Input should be greater than or equal to 0"),
        ('id = "pro"', 'id = "basic"', "plan basic stands twice: give each plan an id of its own"),
        ('plan = "pro"', 'plan = "gold"', "tenant globex: plan gold is not among basic, pro"),
        ('tax = "es"', 'tax = "fr"', "tenant globex: tax fr is not among the book's taxes"),
        (", until = 2026-10-20", "", "tenant globex: basic has to end (until) before pro begins on 2026-10-20"),
        ("until = 2026-10-20", "until = 2026-10-21",
         "tenant globex: basic has to end (until) before pro begins on 2026-10-20"),
        ("until = 2026-10-20", "until = 2026-10-05",
         "tenants.1: tenant globex: until 2026-10-05 is not after since 2026-10-05"),
        (', tax_label = "Other"', "", "tenants.2: tenant globex: tax_rate and tax_label go together"),
        (', tax = "es"', ', tax = "es", tax_rate = "0.1", tax_label = "x"',
         "tenants.1: tenant globex: tax names a rate of the book, tax_rate gives one: not both"),
        ('rate = "0.21"', 'rate = "21"', "taxes.1.rate: rate: 21 is outside 0 to 1"),
        ('unit = "tasks", quantity = "100"', 'unit = "input_tokens", quantity = "100"',
         f"plans.2: plan pro: allowance included counts input_tokens{UNSEEN}"),
        ('unit = "tasks", quantity = "50"', 'unit = "pages", quantity = "50"',
         f"plans.2: plan pro: top-up more counts pages{UNSEEN}"),
        ('quantity = "100"', 'quantity = "0"',
         "plans.2.allowances.1: allowance included: a quantity of 0 includes nothing, leave the allowance out"),
        ('quantity = "50"', 'quantity = "0"', "plans.2.top_ups.1: top-up more: a quantity of 0 is nothing to buy"),
        ('quantity = "100"', 'quantity = "100", rollover_max = "5"',
         "plans.2.allowances.1: allowance included: rollover_max needs rollover = true"),
        ('quantity = "100"', 'quantity = "100", rollover = true, funding = "prepaid"',
         "plans.2.allowances.1: allowance included: what is prepaid stays in the prepaid balance, it has no rollover"),
        ('quantity = "100"', 'quantity = "100", rules = ["r1", "r1"]',
         "plans.2.allowances.1: allowance included: a rule stands twice in rules"),
        ('amount = "50"', 'amount = "4"', "plans.2: plan pro: the cap 4 is below the minimum 5"),
        ('above = "0"', 'above = "1"',
         "plans.2.tiers.1: tiers of r1: the first step is above 0, or the first units would have no price"),
        ('{ above = "0", price = "0.1" }', '{ above = "0", price = "1" }, { above = "0", price = "2" }',
         "plans.2.tiers.1: tiers of r1: every step is above the one before it"),
        ('currency = "USD"', 'currency = "XXX"', "currency: 'XXX' is no currency code of ISO 4217, such as USD or EUR"),
        ('currency = "USD"', 'currency = "USD"\ncycle = { zone = "Nowhere/Here" }',
         "cycle: 'Nowhere/Here' is no time zone, such as Europe/Madrid or UTC"),
        ('currency = "USD"', 'currency = "USD"\ndefault_plan = "gold"', "default_plan gold is not among basic, pro"),
        ("[[plans]]", '[[plans]]\nnothing = 1', "plans.1.nothing: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_book_that_cannot_be_meant_says_where_and_why(there: str, instead: str, sentence: str) -> None:
    assert there in BOOK
    with pytest.raises(BookError) as raised:
        _book(BOOK.replace(there, instead, 1))
    assert str(raised.value) == f"plans.toml: {sentence}"


def test_three_units_are_more_than_a_customer_counts() -> None:
    units = [{"meter": name, "one": name, "many": name} for name in ("tasks", "pages", "images")]
    with pytest.raises(ValueError, match="at most 2 items"):
        Plan.model_validate({"id": "x", "label": "X", "units": units})


def _days(segments: tuple[Segment, ...]) -> list[tuple[str, int, int]]:
    return [(segment.plan.id, segment.days, segment.trial_days) for segment in segments]


def test_a_change_in_mid_period_makes_segments_of_whole_days_and_the_latest_says_currency_and_tax() -> None:
    terms = PlanBooks([_book()]).terms("globex", OCTOBER)
    assert terms is not None
    assert _days(terms.segments) == [("basic", 15, 0), ("pro", 12, 3)]  # the first four days have no plan
    assert (terms.currency, terms.tax and terms.tax.label) == ("EUR", "Other")
    september = PlanBooks([_book()]).terms("globex", parse_period(MONTHS, "2026-09"))
    assert september is None  # before the first version


def test_a_tenant_in_no_list_has_the_default_plan_or_none() -> None:
    terms = PlanBooks([_book()]).terms("initech", OCTOBER)
    assert terms is not None
    assert terms.segments == ()
    with_default = _book(BOOK.replace('currency = "USD"', 'currency = "USD"\ndefault_plan = "basic"', 1))
    terms = PlanBooks([with_default]).terms("initech", OCTOBER)
    assert terms is not None
    assert _days(terms.segments) == [("basic", 31, 0)]
    assert terms.currency == "USD"


def test_a_plan_that_has_ended_leaves_the_currency_and_the_tax() -> None:
    ended = BOOK.replace("since = 2026-10-20, currency", "since = 2026-10-20, until = 2026-10-25, currency")
    terms = PlanBooks([_book(ended)]).terms("globex", parse_period(MONTHS, "2026-11"))
    assert terms is not None
    assert terms.segments == ()
    assert terms.currency == "EUR"


def test_a_price_never_changes_within_a_period_and_a_new_tenant_need_not_wait() -> None:
    later = (
        BOOK.replace('"2026-10"', '"2026-10-b"')
        .replace("2026-10-01T", "2026-10-10T")
        .replace('fee = "10"', 'fee = "99"')
    )
    later = later.replace(
        "tenants = [", 'tenants = [\n{ tenant = "hooli", plan = "new", since = 2026-10-12 },'
    ).replace('id = "basic"', 'id = "basic"', 1)
    later += '\n[[plans]]\nid = "new"\nlabel = "New"\nfee = "1"\n'
    later += 'units = [{ meter = "tasks", one = "task", many = "tasks" }]\n'
    books = PlanBooks([_book(), _book(later)])
    assert books.in_force(OCTOBER) is books.versions[1]
    october, november = books.terms("globex", OCTOBER), books.terms("hooli", parse_period(MONTHS, "2026-11"))
    assert october is not None
    assert november is not None
    assert october.segments[0].plan.fee == 10  # the version at the start of October
    new = books.terms("hooli", OCTOBER)
    assert new is not None
    assert _days(new.segments) == [("new", 20, 0)]  # the first version that has the plan
    assert november.segments[0].plan.fee == 1


@pytest.mark.parametrize(
    ("since", "until", "trial_until", "segment"),
    [
        ("2026-01-01", None, None, (31, 0)),
        ("2026-10-31", None, None, (1, 1)),  # the plan's three days of trial begin
        ("2026-09-29", None, None, (31, 1)),  # and end on 1 October
        ("2026-09-28", None, None, (31, 0)),
        ("2026-10-01", None, "2027-01-01", (31, 31)),
        ("2026-10-01", "2026-10-02", "2026-10-20", (1, 1)),
        ("2026-11-01", None, None, None),
        ("2026-01-01", "2026-10-01", None, None),
    ],
)
def test_days_and_days_in_trial_are_counted_within_the_period(
    since: str, until: str | None, trial_until: str | None, segment: tuple[int, int] | None
) -> None:
    row: dict[str, Any] = {
        "tenant": "globex",
        "plan": "pro",
        "since": since,
        "until": until,
        "trial_until": trial_until,
    }
    plan = _book().plan("pro")
    assert plan is not None
    found = segment_of(Subscription.model_validate(row), plan, OCTOBER)
    assert (found and (found.days, found.trial_days)) == segment


def test_a_part_of_a_period_is_rounded_once_half_even() -> None:
    assert part(Decimal(10), 15, OCTOBER) == Decimal("4.838709677419")
    assert part(Decimal(31), 15, OCTOBER) == 15
    assert part(Decimal("0.000000000031"), 31, OCTOBER) == Decimal("0.000000000031")
    assert part_of_units(Decimal(100), 12, OCTOBER) == Decimal("38.709677")
    assert sum(part_of_units(Decimal(100), days, OCTOBER) for days in (15, 16)) == 100


@pytest.mark.parametrize(
    ("kind", "quantity", "charge"),
    [
        ("volume", "0", "0"),
        ("volume", "100", "10"),  # 100 is not above 100
        ("volume", "100.000001", "5.00000005"),  # and a little more reprices all of it
        ("volume", "1000", "20"),
        ("graduated", "0", "0"),
        ("graduated", "100", "10"),
        ("graduated", "101", "10.05"),  # 100 x 0.10 + 1 x 0.05
        ("graduated", "1000", "47"),  # 100 x 0.10 + 400 x 0.05 + 500 x 0.034
    ],
)
def test_tiers_price_all_units_or_each_by_its_step(kind: str, quantity: str, charge: str) -> None:
    third = "0.02" if kind == "volume" else "0.034"
    steps = [{"above": "0", "price": "0.1"}, {"above": "100", "price": "0.05"}, {"above": "500", "price": third}]
    tier = Tier.model_validate({"rule": "r1", "kind": kind, "steps": steps})
    assert tier.charge(Decimal(quantity)) == Decimal(charge)


def test_a_top_up_becomes_a_grant_with_its_own_end() -> None:
    plan = _book(BOOK.replace('price = "4"', 'price = "4", expires_after_days = 30, rules = ["r1"]')).plan("pro")
    assert plan is not None
    when = datetime(2026, 10, 5, 12, tzinfo=UTC)
    grant = plan.top_ups[0].bought("g1", tenant="globex", currency="USD", at=when, settled=True)
    assert (str(grant.kind), grant.unit) == ("top_up", "tasks")
    assert (grant.quantity, grant.price_paid) == (Decimal(50), Decimal(4))
    assert grant.expires_at == datetime(2026, 11, 4, 12, tzinfo=UTC)
    assert (grant.settled, grant.label, grant.rules) == (True, "More", ("r1",))


def test_a_word_of_a_rule_is_one_of_the_plans_units_or_none() -> None:
    plan = _book().plan("pro")
    assert plan is not None
    assert [plan.unit(word) is not None for word in ("task", "tasks", "token", "")] == [True, True, False, False]
    assert UsageLine._fields[0] == "rule_id"


def test_the_cycle_of_a_book_is_a_billing_cycle() -> None:
    weekly = _book(
        BOOK.replace('currency = "USD"', 'currency = "USD"\ncycle = { kind = "week", zone = "Asia/Tokyo" }', 1)
    )
    assert weekly.billing_cycle == Cycle("week", "Asia/Tokyo")
    assert _book().billing_cycle == MONTHS
    assert date(2026, 10, 5) in {each.since for each in _book().subscriptions("globex")}


def test_a_letter_has_the_names_that_the_book_gives_and_ids_otherwise() -> None:
    book = _book()
    assert (book.sender.name, book.sender.pay_within_days) == ("Acme Tools, S.L.", 14)
    assert book.customer("globex").name == "Globex Corporation"
    assert book.customer("initech") == Customer(tenant="initech", name="", address="")
