"""One event, explained: quantities, prices, the rule and why it won, each product and its rounding, and what followed.

From the document of `tollstream explain`; a tenant sees what was used and what it pays, not how that is split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sinks.clickhouse.client import Client
from tollstream.console import figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Choice,
    Column,
    Facts,
    Filter,
    Notice,
    Page,
    Preformatted,
    Section,
    Table,
    Tile,
    Tiles,
    amount,
    tile,
    to,
)
from tollstream.console.redaction import charges_only, for_reader
from tollstream.console.view import View
from tollstream.explanation.answers import EventAnswer
from tollstream.explanation.document import event_document
from tollstream.explanation.reading import NotExplainedError, explain_event
from tollstream.explanation.text import event_text
from tollstream.explanation.words import NAMES

Document = Mapping[str, Any]
PARTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")


async def page(view: View) -> Page:
    """`/event`: one by its id, or the form that asks for one."""
    event_id, source = view.text("id"), view.text("source")
    form = Filter(
        "/event", [Choice("id", "Event id", event_id), Choice("source", "Source, where several have the id", source)]
    )
    if not event_id:
        about = "Every event has an id, given by the gateway that sent it, and its own explanation to the last digit."
        return Page("Find an event", [form], "event", about)
    try:
        answer = await view.ask(_read, view, event_id, source or None)
    except NotExplainedError as error:
        return Page("No such event", [form, Notice(str(error))], "event", status=404)
    answer = for_reader(answer, view.access)
    document = event_document(answer)
    blocks: list[Block] = []
    for number, (found, row) in enumerate(zip(answer.found, document["rows"], strict=True), 1):
        if len(answer.found) > 1:
            blocks.append(Notice(f"{number} of {len(answer.found)} ledger rows with this id."))
        about = row["about"] or row
        blocks += _tenant_row(row) if view.access.is_tenant else _row(row, about)
        assert found.row["id"] == event_id  # noqa: S101  the document has the rows of the answer, in their order
    if document["dead_letters"]:
        blocks.append(_letters(document["dead_letters"]))
    if view.access.is_operator:
        text = event_text(answer, width=100)
        blocks.append(Section("The same as text", [Preformatted(text, "Explanation as text")], open=False))
    whose = [(row["tags"]["builder"], row["tags"]["tenant"]) for row in document["rows"][:1]]
    crumbs = [(tenant, to("/usage", builder=builder, tenant=tenant)) for builder, tenant in whose]
    crumbs += [("Its window", _window(row)) for row in document["rows"][:1]]
    return Page(f"Event {event_id}", blocks, "event", f"From {answer.source}." if answer.source else "", crumbs)


def _read(client: Client, view: View, event_id: str, source: str | None) -> EventAnswer:
    return explain_event(client, view.catalogue, event_id, source)


def _window(row: Document) -> str:
    tags = row["tags"]
    return to("/explain", builder=tags["builder"], tenant=tags["tenant"], window=row["window_start"])


def _identity(row: Document) -> Section:
    tags = row["tags"]
    facts = [
        ("Kind", Cell(row["row"])),
        ("Happened", Cell(row["event_time"])),
        ("Window", Cell(row["window_start"], _window(row))),
    ]
    if "place" in row:
        place = row["place"]
        names = (("epoch", "topic_epoch"), ("partition", "partition"), ("offset", "offset"), ("index", "index"))
        where = ", ".join(f"{words} {place[name]}" for words, name in names)
        facts.append(("In the log", Cell(where, note=f"appended {row['record_time']}")))
    facts += [(figures.words(name).capitalize(), Cell(value)) for name, value in tags.items() if value]
    if row["note"]:
        facts.append(("Reason given", Cell(row["note"])))
    if row["traceparent"]:
        facts.append(("Trace", Cell(row["traceparent"], code=True)))
    return Section("The event", [Facts(facts)])


def _usage(row: Document) -> Section:
    rows = [
        [Cell(figures.words(meter)), Cell(figures.quantity(Decimal(quantity)), css=NUMBER)]
        for meter, quantity in row["usage"].items()
    ]
    return Section(
        "What was used", [Table("As the event says", [Column("Meter"), Column("Quantity", NUMBER)], rows, "Nothing.")]
    )


def _tenant_row(given: Document) -> list[Block]:
    """What was used, what creates the charge, the charge, and what was corrected since."""
    row = charges_only(given["about"] or given)
    told = given["explained"] or {}
    arithmetic, currency = told.get("arithmetic") or {}, row["currency"]
    standing = told.get("standing")
    charge = standing["customer_charge"] if standing else None
    blocks: list[Block] = []
    if charge is None:
        blocks.append(Notice("This usage waits for a price: nothing is charged for it yet.", "worse"))
    else:
        exactly = replace(_tile("Charge", Decimal(charge), currency), note=f"exactly {charge} {currency}")
        blocks.append(Tiles([exactly]))
    rule = arithmetic.get("rule")
    if rule:
        facts = [
            ("What creates the charge", Cell(rule["reason"])),
            ("On statements", Cell(f"{rule['label']}, for each {rule['unit']}")),
        ]
        blocks.append(Section("Why", [Facts(facts)]))
    blocks += [_usage(row), _identity(row)]
    corrections = [charges_only(each) for each in told.get("corrections", ())]
    if corrections:
        rows = [
            [Cell(each["row"], note=each["event_time"]), Cell(each["note"] or figures.NONE), _charge(each)]
            for each in corrections
        ]
        columns = [Column("What"), Column("Why"), Column("Change of the charge", NUMBER)]
        blocks.append(Section("Since then", [Table("In the order of the log", columns, rows)]))
    return blocks


def _tile(label: str, value: Decimal, currency: str) -> Tile:
    """All digits: of a single event they matter, and rounded ones do not add up."""
    return replace(tile(label, value, currency), text=figures.priced(value, currency))


def _charge(row: Document) -> Cell:
    value = row["amounts"]["customer_charge"]
    return amount(Decimal(value) if value is not None else None, row["currency"], all_places=True)


def _row(row: Document, about: Document) -> list[Block]:
    told = row["explained"]
    if told is None:
        return [Notice("The event that this row is about is not in the ledger.", "worse"), _identity(row)]
    currency, standing = about["currency"], told["standing"]
    blocks: list[Block] = []
    if not told["holds"]:
        words = (
            told["obstacle"] or "The ledger holds something else than the books say: tollstream reconcile comes first."
        )
        blocks.append(Notice(words, "worse"))
    else:
        blocks.append(Notice("Ledger, books and corrections agree, to the last digit.", "better"))
    if standing is None:
        blocks.append(Notice(" ".join(told["what_is_missing"]) or "It stands without any amount.", "worse"))
    else:
        blocks.append(Tiles([_tile(_name(name), Decimal(standing[name]), currency) for name in PARTS]))
    if told["arithmetic"] is not None:
        blocks += _arithmetic(told["arithmetic"], told)
    else:
        blocks.append(_usage(about))
    if told["corrections"]:
        blocks.append(_corrections(told["corrections"]))
    blocks.append(_identity(about))
    if row["row"] != "usage":
        blocks.append(_identity(row))
    return blocks


def _arithmetic(told: Document, rated: Document) -> list[Block]:
    currency = told["currency"]
    blocks: list[Block] = []
    rows = []
    for each in told["meters"]:
        price = f"{each['price']['price']} for {each['price']['per']:,}" if each["price"] else "no price"
        cost = each["cost"]
        rows.append(
            [
                Cell(each["label"], note=each["meter"]),
                Cell(f"{Decimal(each['quantity']):,f}", css=NUMBER),
                Cell(price, note=" ".join(filter(None, (each["origin"], _times(each["multiplier"])))), css=NUMBER),
                Cell(cost["formula"] if cost else "", css=f"{NUMBER} soft"),
                Cell(_minus(cost["amount"]) if cost else figures.NONE, css=NUMBER),
            ]
        )
    rows += [
        [
            Cell(each["label"], note=each["meter"]),
            Cell(f"{Decimal(each['quantity']):,f}", css=NUMBER),
            Cell("counted only", css=NUMBER),
            Cell("", css="none"),
            Cell("", css="none"),
        ]
        for each in told["counted"]
    ]
    columns = [
        Column("Meter"), Column("Quantity", NUMBER), Column(f"Price in {currency}", NUMBER), Column("Product", NUMBER),
        Column(f"Cost in {currency}", NUMBER),
    ]  # fmt: skip
    blocks.append(
        Section(
            "What the AI costs",
            [
                Table("Quantity times price, meter by meter", columns, rows, "No AI was used."),
                Facts(_entry(told, rated)),
            ],
        )
    )
    if told["charge"] is not None:
        blocks.append(_charged(told, rated))
    return blocks


def _times(multiplier: str | None) -> str:
    return f"× {multiplier} for the region" if multiplier else ""


def _entry(told: Document, rated: Document) -> list[tuple[str, Cell]]:
    entry, book = told["entry"], rated["price_book"]
    facts: list[tuple[str, Cell]] = []
    if book:
        facts.append(("Price book", Cell(book["version"], note=f"from {book['effective_from']}")))
    if entry:
        words = " ".join(filter(None, (entry["provider"], entry["model"], entry["mode"], entry["region"])))
        source = (entry["provenance"] or {}).get("source", "")
        facts.append(("Its entry", Cell(words, note=source)))
    for name, words in (("tier", "Context tier"), ("hours", "Hours"), ("hours_tier", "Tier within the hours")):
        if told[name]:
            facts.append((words, Cell(told[name])))
    return facts


def _charged(told: Document, rated: Document) -> Section:
    rule, charge, currency = told["rule"], told["charge"], told["currency"]
    steps = [
        told["base_cost"],
        *charge["steps"],
        told["provider_reward"],
        told["platform_fee"],
        told["builder_earnings"],
    ]
    rows = [
        [
            Cell(_name(each["name"])),
            Cell(each["formula"], css="soft"),
            Cell(
                _minus(each["amount"]),
                title=f"exactly {each['exact']}{' …' if each['endless'] else ''}",
                css=NUMBER,
                note="rounded half-even" if each["rounded"] else "",
            ),
        ]
        for each in steps
        if each is not None
    ]
    for bound in charge["bounds"]:
        words = "changes the charge" if bound["binds"] else "changes nothing here"
        rows.append(
            [
                Cell(bound["name"]),
                Cell(f"{bound['limit']} {currency}, {words}", css="soft"),
                Cell(_minus(bound["after"]), css=NUMBER),
            ]
        )
    identity = told["identity"]
    foot = [
        Cell("Reward + fee + earnings"),
        Cell("is the charge, to the last digit" if identity["holds"] else "is not the charge"),
        Cell(_minus(identity["sum_of_parts"]), css=NUMBER),
    ]
    book = rated["rule_book"]
    facts = [
        ("Rule", Cell(rule["id"], note=f"{book['version']}, from {book['effective_from']}" if book else "")),
        ("What creates the charge", Cell(rule["reason"])),
        ("On statements", Cell(f"{rule['label']}, for each {rule['unit']}")),
        ("It charges", Cell(charge["words"])),
    ]
    blocks: list[Block] = [
        Facts(facts),
        Table("Step by step", [Column("Step"), Column("How"), Column(f"In {currency}", NUMBER)], rows, "", foot),
    ]
    if told["rules_that_lost"]:
        lost = [[Cell(each["id"]), Cell(each["because"])] for each in told["rules_that_lost"]]
        blocks.append(
            Section(
                "Rules that match, too",
                [Table("And why they lost", [Column("Rule"), Column("Because")], lost)],
                open=False,
            )
        )
    return Section("What the customer pays, and who gets it", blocks)


def _name(name: str) -> str:
    words = NAMES.get(name) or figures.words(name)
    return words[:1].upper() + words[1:]


def _minus(number: str) -> str:
    """With a true minus."""
    return number.replace("-", figures.MINUS, 1)


def _corrections(corrections: Sequence[Document]) -> Section:
    rows = []
    for each in corrections:
        values = each["amounts"]
        rows.append(
            [
                Cell(f"{each['row']} {each['id']}", note=each["event_time"]),
                Cell(each["note"] or figures.NONE),
                *(
                    amount(
                        Decimal(values[name]) if values[name] is not None else None, each["currency"], all_places=True
                    )
                    for name in PARTS
                ),
            ]
        )
    columns = [Column("What"), Column("Why"), *(Column(_name(name), NUMBER) for name in PARTS)]
    return Section("Since then", [Table("Signed changes, in the order of the log", columns, rows)])


def _letters(letters: Sequence[Document]) -> Section:
    rows = []
    for each in letters:
        place = each["place"]
        href = to(
            "/dead-letter",
            epoch=place["topic_epoch"],
            partition=place["partition"],
            offset=place["offset"],
            index=place["index"],
        )
        whose = "this event" if each["is_the_event"] else "mentions the id"
        rows.append([Cell(each["reason"], href), Cell(each["detail"]), Cell(whose, note=each["record_time"])])
    columns = [Column("Reason"), Column("What is wrong"), Column("Which")]
    return Section("Not billed", [Table("Dead letters with this id", columns, rows)])
