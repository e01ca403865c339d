"""An event, explained to a person: plain words first, then every step, then what the ledger holds.

Written for a tenant who disputes a cent, and for an auditor: amounts have all twelve places and stand under each other,
factors and products have every digit they have, and what rounding did is said where it did something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from billing.explanation import AMOUNTS, NOTHING, Amounts, Correction, Difference, amounts_of, minus
from tollstream.explanation.answers import EventAnswer, Found, Letter, Rated, Row
from tollstream.explanation.layout import WIDTH, Page
from tollstream.explanation.steps_text import again, cost, split
from tollstream.explanation.words import NAMES, charged, counted, money, signed, time


def event_text(answer: EventAnswer, *, width: int = WIDTH, emphasis: Callable[[str], str] = str) -> str:
    """The page of an event."""
    page = Page(width, emphasis)
    for number, found in enumerate(answer.found, 1):
        if number > 1:
            page.gap()
        if len(answer.found) > 1:
            page.heading(f"{number} of {len(answer.found)} ledger rows with this id")
        _found(page, found)
    if answer.letters:
        _letters(page, answer)
    return page.text()


def _found(page: Page, found: Found) -> None:
    row, rated = found.row, found.rated
    if row["kind"] != "usage":
        what = "takes back" if row["kind"] == "void" else "corrects"
        page.heading(f"This is {'a void' if row['kind'] == 'void' else 'an adjustment'}: it {what} an earlier event.")
        page.gap()
        _identity(page, row)
        if rated is None:
            page.gap()
            page.say("ATTENTION: the event that it is about is not in the ledger.")
            return
        page.gap()
        page.say(f"It is about {rated.row['id']} from {rated.row['source']}, which is explained here.")
    if rated is not None:
        _rated(page, rated)


def _rated(page: Page, rated: Rated) -> None:
    row, told = rated.row, rated.explained
    page.heading(_headline(rated))
    if told is not None and told.amounts is not None and told.resolution.winner is not None:
        rule = told.resolution.winner
        page.say(f"“{rule.reason}” ({rule.label}, for each {rule.unit})", indent=2)
    page.gap()
    _identity(page, row)
    if told is not None:
        cost(page, told, rated)
        if told.amounts is not None:
            split(page, told, rated)
    _ledger(page, rated)
    if rated.corrections:
        _corrections(page, rated)


def _headline(rated: Rated) -> str:
    row, told = rated.row, rated.explained
    who, currency = row["tenant"], row["currency"]
    if rated.corrections:
        if rated.corrections[-1].row["kind"] == "void":
            return f"{who} pays nothing for this event any more: it was taken back."
        if rated.standing is not None:
            return (
                f"{who} pays {money(rated.standing.customer_charge)} {rated.corrections[-1].row['currency']} for this "
                f"event, after {counted(len(rated.corrections), 'correction')}."
            )
    if rated.differences:
        held, due = amounts_of(row), told.amounts if told else None
        return (
            f"ATTENTION: for this event the ledger has {money(held.customer_charge) if held else 'no charge'}, and by "
            f"the books it has to be {money(due.customer_charge) if due else 'none'} {currency}."
        )
    if told is None:
        charge = row["customer_charge"]
        billed = f"{who} was billed {money(charge)} {currency}" if charge is not None else f"{who} was billed nothing"
        return f"{billed} for this event, and why cannot be shown: {rated.obstacle}."
    rule = told.resolution.winner
    if told.amounts is None or told.charge is None or rule is None:
        return f"{who} pays nothing for this event yet: it waits for a price ({told.unpriced_reason})."
    return (
        f"{who} pays {money(told.amounts.customer_charge)} {currency} for this event, because rule {rule.id} charges "
        f"{charged(told.charge, told.currency)}."
    )


def _identity(page: Page, row: Row) -> None:
    page.field("event", f"{row['id']} from {row['source']}")
    page.field("happened", f"{time(row['event_time'])}, in the window that starts {time(row['window_start'])}")
    page.field(
        "in the log",
        f"epoch {row['topic_epoch']}, partition {row['source_partition']}, offset {row['source_offset']}, index "
        f"{row['batch_index']}; appended {time(row['record_time'])}",
    )
    page.field("who", f"tenant {row['tenant']} of Builder {row['builder']}")
    tags = ("workspace", "deployment", "feature", "workflow", "action", "business_unit", "outcome")
    used = ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in tags if row[name])
    if used:
        page.field("what for", used)
    served = " ".join(filter(None, (row["provider"], row["model"])))
    if served:
        asked = f", asked for {row['requested_model']}" if row["requested_model"] not in ("", row["model"]) else ""
        region = f", region {row['region']}" if row["region"] else ""
        route = ", as a fallback" if row["route"] == "fallback" else ""
        page.field("served by", f"{served}, {row['mode']}{region}{route}{asked}")
    if row["status"] not in ("", "completed"):
        page.field("ended", row["status"])
    if row["usage_source"] == "estimated":
        page.field("counted", "estimated, because the provider sent no counts")
    if row["note"]:
        page.field("reason", row["note"])
    if row["traceparent"]:
        page.field("trace", row["traceparent"])


def _ledger(page: Page, rated: Rated) -> None:
    row = rated.row
    page.heading(
        "6  What the ledger holds" if rated.explained and rated.explained.amounts else "2  What the ledger holds"
    )
    if row["customer_charge"] is None:
        page.say(f"No amounts; reason {row['unpriced_reason'] or 'none given'}", indent=3)
    else:
        for name in ("base_cost", *AMOUNTS[1:], "customer_charge"):
            page.amount(NAMES[name], money(row[name]), 3)
    if rated.obstacle:
        page.say(f"ATTENTION: this cannot be compared. {rated.obstacle}.", indent=3)
    elif rated.differences:
        page.say("ATTENTION: this is not what the books say. Please report it; `tollstream reconcile` comes first.", 3)
        _differences(page, rated.differences)
    elif row["customer_charge"] is None:
        page.say("As explained.", indent=3)
    else:
        page.say("Equal to the explanation, to the last digit.", indent=3)


def _differences(page: Page, differences: Sequence[Difference]) -> None:
    for each in differences:
        name = NAMES.get(each.name, each.name.replace("_", " "))
        page.say(f"{name}: {each.ledger or 'nothing'} in the ledger, {each.explained or 'nothing'} by the books", 5)


def _corrections(page: Page, rated: Rated) -> None:
    page.heading("Since then")
    for each in rated.corrections:
        _correction(page, each)
    page.gap()
    if rated.standing is None:
        page.say("So it stands without any amount.", indent=3)
        return
    page.say(f"So it stands now, in {rated.corrections[-1].row['currency']}:", indent=3)
    _amounts(page, rated.standing)


def _correction(page: Page, each: Correction) -> None:
    row = each.row
    what = {"void": "taken back", "adjustment": "adjusted"}[row["kind"]]
    if each.rerated is not None:
        what = f"rated again, by price book {row['price_version']} and rule book {row['rule_version']}"
    page.gap()
    page.say(
        f"{time(row['event_time'])}  {what}, by {row['id']} from {row['source']} (offset {row['source_offset']})", 3
    )
    if row["note"]:
        page.say(f"reason: {row['note']}", indent=5)
    if each.rerated is not None and each.rerated.amounts is not None:
        again(page, each.rerated)
        page.amount("charge by these books", money(each.rerated.amounts.customer_charge), 5)
        hands = each.basis is not None and each.basis != (each.before or NOTHING)
        words = "less what rating came to before; what was done by hand stays" if hands else "less what stood before"
        page.amount(words, money(minus(each.basis or NOTHING).customer_charge), 5)
    if each.amounts is not None:
        page.amount("change of the charge", signed(each.amounts.customer_charge), 5)
        parts = ", ".join(f"{NAMES[name]} {signed(getattr(each.amounts, name))}" for name in AMOUNTS[1:])
        page.say(f"of it {parts}", indent=5)
    if each.standing is not None:
        page.amount("the charge after it", money(each.standing.customer_charge), 5)
    if each.differences:
        page.say("ATTENTION: this is not what it has to be.", indent=5)
        _differences(page, each.differences)


def _amounts(page: Page, amounts: Amounts) -> None:
    for name in (*AMOUNTS[1:], "customer_charge"):
        page.amount(NAMES[name], money(getattr(amounts, name)), 3)


def _letters(page: Page, answer: EventAnswer) -> None:
    if not answer.found:
        page.heading(f"{answer.id} was not billed: it is a dead letter.")
    else:
        page.heading("Not billed")
        page.say(
            f"{counted(len(answer.letters), 'dead letter')} of the same partition has or mentions this id:", indent=3
        )
    for each in answer.letters:
        _letter(page, each)
    page.gap()
    page.say("A dead letter is kept whole. Once mended it is published again, and billed then.", indent=3)


def _letter(page: Page, each: Letter) -> None:
    row = each.row
    page.gap()
    source = f" from {each.source}" if each.source else ""
    whose = f"the event itself{source}" if each.is_it else "mentions the id; the event in it cannot be read"
    page.field("reason", row["reason"])
    page.field("that is", row["detail"])
    page.field("which", whose)
    page.field(
        "in the log",
        f"epoch {row['topic_epoch']}, partition {row['source_partition']}, offset {row['source_offset']}, index "
        f"{row['batch_index']}; appended {time(row['record_time'])}",
    )
