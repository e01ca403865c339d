"""What is not billed: usage without a price, and dead letters with their reason, sentence and payload."""

from __future__ import annotations

import base64
import json
import unicodedata
from decimal import Decimal
from typing import Any

from tollstream.commands.unpriced import REMEDIES
from tollstream.console import charts, figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Column,
    Facts,
    Links,
    Notice,
    Page,
    Preformatted,
    Section,
    Table,
    count,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.queries import quarantine
from tollstream.console.queries.quarantine import BYTES_SHOWN
from tollstream.console.view import ROWS, NotFoundError, View

PLACE_MAX = 2**63 - 1


async def unpriced(view: View) -> Page:
    """`/unpriced`."""
    found = await view.ask(quarantine.waiting, view.builder, ROWS + 1, view.skip)
    shown = found[:ROWS]
    scale = charts.scale_of(Decimal(each.events) for each in shown)
    rows = [
        [
            Cell(
                " ".join(part for part in (each.provider, each.model) if part) or "no model named",
                note=", ".join(
                    part for part in (each.builder if not view.builder else "", each.mode, each.region) if part
                ),
            ),
            Cell(each.reason, note=REMEDIES.get(each.reason, "").replace("`", "")),
            count(each.events),
            Cell(
                f"{each.tenants:,}",
                to("/usage", builder=each.builder, tenant=each.tenant),
                css=NUMBER,
                note=_whose(each),
            ),
            Cell(figures.time(each.since), note=f"to {figures.time(each.last)}"),
            Cell(parts.meters(each.usage), css="soft"),
            Cell(picture=charts.bar(scale, Decimal(each.events), "worse")),
        ]
        for each in shown
    ]
    columns = [
        Column("Model"), Column("Why"), Column("Events", NUMBER), Column("Customers", NUMBER), Column("Since"),
        Column("How much"), Column("As a bar"),
    ]  # fmt: skip
    blocks: list[Block] = []
    if view.access.is_operator:
        blocks.append(await parts.choose(view, "/unpriced", period=False))
    table = Table("The most events first", columns, rows, "No usage waits for a price.")
    blocks.append(Section("What waits", [table, *view.pager(len(shown), len(found) > ROWS, "kinds")]))
    about = (
        "Usage without a price is kept and counted, in no amount, and billed once it has one: publish what is missing, "
        "then tollstream rerate --unpriced shows what it comes to."
    )
    return Page("Unpriced usage", blocks, "unpriced", about)


def _whose(each: quarantine.Waiting) -> str:
    return each.tenant if each.tenants == 1 else f"{each.tenant} and others"


async def dead_letters(view: View) -> Page:
    """`/dead-letters`: reasons, and the letters of one or all."""
    _operators_only(view)
    reason = view.text("reason")
    reasons = await view.ask(quarantine.letter_reasons)
    if reason and reason not in {each["reason"] for each in reasons}:
        raise NotFoundError
    found = await view.ask(quarantine.letters, reason, ROWS + 1, view.skip)
    shown = found[:ROWS]
    scale = charts.scale_of(Decimal(each["letters"]) for each in reasons)
    rows = [
        [
            Cell(each["reason"], to("/dead-letters", reason=each["reason"])),
            count(each["letters"]),
            Cell(figures.time(each["since"])),
            Cell(figures.time(each["last"])),
            Cell(picture=charts.bar(scale, Decimal(each["letters"]), "worse")),
        ]
        for each in reasons
    ]
    columns = [Column("Reason"), Column("Letters", NUMBER), Column("First"), Column("Last"), Column("As a bar")]
    blocks: list[Block] = [Section("By reason", [Table("The most first", columns, rows, "There is no dead letter.")])]
    if shown:
        blocks.append(
            Section(
                reason or "All letters",
                [*_back(reason), _letters(shown), *view.pager(len(shown), len(found) > ROWS, "letters")],
            )
        )
    about = "Events that could not be billed, kept whole: once mended they are published again, and billed then."
    return Page("Dead letters", blocks, "dead-letters", about)


def _back(reason: str) -> list[Block]:
    return [Links("Reasons", [("All reasons", "/dead-letters"), (reason, "")])] if reason else []


def _letters(shown: list[dict[str, Any]]) -> Table:
    rows = [
        [
            Cell(
                f"{each['topic_epoch']}/{each['source_partition']}/{each['source_offset']}/{each['batch_index']}",
                to(
                    "/dead-letter",
                    epoch=each["topic_epoch"],
                    partition=each["source_partition"],
                    offset=each["source_offset"],
                    index=each["batch_index"],
                ),
            ),
            Cell(figures.time(each["record_time"])),
            Cell(each["reason"]),
            Cell(visible(each["detail"])),
            Cell(visible(each["key"]) or figures.NONE),
        ]
        for each in shown
    ]
    columns = [Column("Place in the log"), Column("Appended"), Column("Reason"), Column("What is wrong"), Column("Key")]
    return Table("The newest first; a place is epoch, partition, offset and index", columns, rows)


async def dead_letter(view: View) -> Page:
    """`/dead-letter`: one, with its payload."""
    _operators_only(view)
    numbers = [view.number(name, 0, PLACE_MAX, 0) for name in ("epoch", "partition", "offset", "index")]
    each = await view.ask(quarantine.letter, *numbers)
    if each is None:
        raise NotFoundError
    facts = [
        ("Reason", Cell(each["reason"])),
        ("That is", Cell(visible(each["detail"]))),
        (
            "Place in the log",
            Cell(f"epoch {numbers[0]}, partition {numbers[1]}, offset {numbers[2]}, index {numbers[3]}"),
        ),
        ("Appended", Cell(figures.time(each["record_time"]))),
        (
            "Key",
            Cell(visible(base64.b64decode(each["key"]).decode(errors="backslashreplace")) or figures.NONE, code=True),
        ),
    ]
    blocks: list[Block] = [Section("What is wrong", [Facts(facts)])]
    if each["no_value"]:
        blocks.append(Notice("The record had no value."))
    else:
        value = base64.b64decode(each["value"])
        size = f"{figures.counted(each['bytes'], 'byte')}"
        size += f", the first {BYTES_SHOWN:,} are shown" if each["bytes"] > BYTES_SHOWN else ""
        blocks.append(Section("Payload", [Preformatted(payload(value), "Payload")], size))
    blocks.append(Section("Headers", [_headers(each["headers"])]))
    title = "/".join(map(str, numbers))
    return Page(f"Dead letter {title}", blocks, "dead-letters", "", [("Dead letters", "/dead-letters")])


def _headers(text: str) -> Table:
    """As they were; a value that is no text as its bytes."""
    try:
        found = [(str(name), "" if value is None else base64.b64decode(value)) for name, value in json.loads(text)]
    except (ValueError, TypeError):
        return Table("Headers", [Column("Headers")], [[Cell(visible(text), code=True)]])
    rows = [
        [Cell(visible(name)), Cell(payload(value) if isinstance(value, bytes) else value, code=True)]
        for name, value in found
    ]
    return Table("In the order of the record", [Column("Name"), Column("Value")], rows, "The record had no headers.")


def _operators_only(view: View) -> None:
    """Whose a dead letter is, is often what could not be read."""
    if not view.access.is_operator:
        raise NotFoundError


def payload(value: bytes) -> str:
    """Text as it is, anything else as bytes in hexadecimal; what would not be seen is spelled."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "\n".join(
            f"{start:06x}  {value[start : start + 16].hex(' '):<47}  {_printable(value[start : start + 16])}"
            for start in range(0, min(len(value), 4096), 16)
        ) + ("\n…" if len(value) > 4096 else "")
    return "\n".join(map(visible, text.split("\n")))


def _printable(some: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in some)


def visible(text: str) -> str:
    """Signs that are not seen, or that turn text around, as \\u… so that nothing pretends to be something else."""
    return "".join(sign if _is_seen(sign) else f"\\u{ord(sign):04x}" for sign in text)


def _is_seen(sign: str) -> bool:
    return sign == "\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
