"""Explain this cent: from a line to its windows, and from a window to its events. What is shown adds up exactly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.money import EXACT
from billing.statements import StatementLine
from sinks.lines import NARROWING, Line, Sums, WindowSums, add
from sinks.lines import Page as EventPage
from tollstream.console import charts, figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Column,
    Facts,
    Figure,
    Notice,
    Page,
    Section,
    Tile,
    Tiles,
    amount,
    count,
    tabled,
    tile,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.queries import labels, statements
from tollstream.console.view import ROWS, NotFoundError, View
from tollstream.explanation.answers import LineAnswer
from tollstream.explanation.reading import NotExplainedError, explain_line
from tollstream.rendering.record import parse

POINTS_MAX = 400
WORDS = {"rule_id": "charged by", "feature": "feature", "provider": "provider", "model": "model", "mode": "mode",
         "workspace": "workspace", "currency": "currency"}  # fmt: skip


async def page(view: View) -> Page:
    """`/explain`."""
    window = _time(view, "window")
    line = _line(view, window)
    try:
        answer = await view.ask(_read, view, line, window)
    except NotExplainedError as error:
        return Page("Nothing to explain", [Notice(str(error))], _place(view), status=404)
    crumbs = [(f"{line.tenant}", to("/usage", builder=line.builder, tenant=line.tenant))]
    told = await _words(view, line)
    if window is None:
        blocks = [*await _statement(view, answer), *_windows(view, answer)]
        title = f"What {line.tenant} pays for: {told}" if told else f"What {line.tenant} pays for"
        about = f"Windows from {figures.time(line.start)} to {figures.time(line.end)}."
    else:
        up = view.here(window=None, page=None)
        crumbs.append(("All windows", up))
        blocks = _events(view, answer)
        title = f"Window of {figures.time(window)}"
        about = f"{line.tenant}: {told or 'all usage'}. The events of this window, in order of their time."
    return Page(title, blocks, _place(view), about, crumbs)


def _place(view: View) -> str:
    return "home" if view.access.is_tenant else "usage"


def _read(client: object, view: View, line: Line, window: datetime | None) -> LineAnswer:
    return explain_line(view.client, view.catalogue, line, window, skip=view.skip, limit=ROWS)


def _line(view: View, window: datetime | None) -> Line:
    if not (view.builder and view.tenant):
        raise NotFoundError
    start, end = _time(view, "from"), _time(view, "to")
    if start is None or end is None:
        start, end = (window, window + timedelta(seconds=1)) if window else (view.span.start, view.span.end)
    if not start < end <= start + timedelta(days=400):
        raise NotFoundError
    narrowed = {name: view.text(name) for name in NARROWING if name in view.request.query}
    return Line(view.builder, view.tenant, start, end, narrowed)


def _time(view: View, name: str) -> datetime | None:
    text = view.text(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotFoundError from None
    if moment.tzinfo is None or not 1971 <= moment.year < 2100:
        raise NotFoundError
    return moment.astimezone(UTC)


async def _words(view: View, line: Line) -> str:
    """What the line is narrowed to."""
    rule = line.narrowed.get("rule_id", "")
    said = await view.ask(labels.labels, [rule]) if rule else {}
    found = []
    for name, value in line.narrowed.items():
        if name == "rule_id" and view.access.is_tenant:
            value = said[rule][0] if rule in said else "this line"
        elif name == "rule_id" and rule in said:
            value = f"{said[rule][0]} (rule {rule})"
        found.append(value if name == "rule_id" and value else f"{WORDS[name]} {value or parts.NOTHING}")
    return ", ".join(found)


async def _statement(view: View, answer: LineAnswer) -> list[Block]:
    """How the windows relate to the line of a statement from which somebody came."""
    if not view.text("statement"):
        return []
    stored = await view.ask(statements.statement, view.builder, view.number("statement", 1, 10**15))
    place = view.number("line", 0, 100_000, 0)
    if stored is None or stored.head.tenant != view.tenant:
        raise NotFoundError
    document = parse(stored.document).statement
    if place >= len(document.lines):
        raise NotFoundError
    line = document.lines[place]
    billed = figures.exact(line.charge)
    back = to("/statement", builder=view.builder, number=stored.head.number)
    facts = [
        ("Statement", Cell(stored.head.reference, back)),
        ("Line", Cell(line.label, note=line.reason)),
        ("On the statement", amount(line.amount, stored.head.currency)),
        ("Before rounding", amount(line.exact, stored.head.currency, all_places=True)),
        ("Before conversion", Cell(f"{billed} {document.charge_currency}")),
    ]
    return [Section("From a statement", [Facts(facts), _compared(line, document.charge_currency, answer)])]


def _compared(line: StatementLine, currency: str, answer: LineAnswer) -> Notice:
    now = add(each.totals for each in answer.windows(currency)).customer_charge
    if line.kind == "adjustment":
        words = "This line billed what changed in a closed period; below is all usage of that period, as it stands."
        return Notice(words)
    if line.kind == "tier":
        return Notice("This line is the difference that the price by quantity makes; below is the usage it is about.")
    change = EXACT.subtract(now, line.charge)
    if not change:
        return Notice("The windows below add up to this line, to the last digit.", "better")
    return Notice(
        f"Since this statement the usage changed by {figures.exact(change)} {currency}: late usage, something taken "
        "back or rated again. It is on the next statement, and this one stays as it is.",
        "worse",
    )


def _windows(view: View, answer: LineAnswer) -> list[Block]:
    blocks: list[Block] = [view.places()]
    if not answer.holds:
        blocks.append(Notice("Totals and ledger differ here: tollstream reconcile says where.", "worse"))
    for currency in answer.currencies:
        windows = answer.windows(currency)
        whole = add(each.totals for each in windows)
        blocks.append(Tiles([_tile(whole, currency)]))
        if len(windows) > 1:
            blocks.append(_chart(windows[:POINTS_MAX], currency))
        shown = windows[view.skip : view.skip + ROWS]
        blocks.append(_window_table(view, shown, currency, whole, len(windows)))
    if not view.access.is_tenant:
        blocks.append(_origins(answer))
    return blocks


def _tile(whole: Sums, currency: str) -> Tile:
    words = figures.counted(whole.net_events, "event")
    if whole.unpriced_events:
        words += f", {whole.unpriced_events:,} of them without a price"
    return tile("Charge", whole.customer_charge, currency or "no currency yet", note=words)


def _chart(windows: Sequence[WindowSums], currency: str) -> Block:
    points = [
        charts.Point(
            each.totals.customer_charge,
            f"{figures.time(each.window_start)}: {figures.exact(each.totals.customer_charge)} {currency}",
        )
        for each in windows
    ]
    peak = max(windows, key=lambda each: each.totals.customer_charge)
    most = f"{figures.money(peak.totals.customer_charge, currency)} {currency}, {figures.time(peak.window_start)}"
    caption = f"Charge by window that has usage, in {currency}; the most: {most}"
    ends = figures.time(windows[0].window_start), figures.time(windows[-1].window_start)
    return Figure(caption, charts.columns(points, caption), *ends)


def _window_table(view: View, shown: Sequence[WindowSums], currency: str, whole: Sums, total: int) -> Section:
    exact = view.all_places
    rows = [
        [
            Cell(figures.time(each.window_start), note="a flush is under way" if each.pending.ledger_rows else ""),
            count(each.totals.net_events),
            count(each.totals.unpriced_events, css="worse" if each.totals.unpriced_events else ""),
            Cell(parts.meters(dict(each.totals.usage)), css="soft"),
            amount(each.totals.customer_charge, currency, href=_into(view, each), all_places=exact),
        ]
        for each in shown
    ]
    columns = [
        Column("Window starts"), Column("Events", NUMBER), Column("Unpriced", NUMBER), Column("How much"),
        Column(f"Charge in {currency}", NUMBER),
    ]  # fmt: skip
    foot = [
        Cell(f"All {total:,} windows"), count(whole.net_events), count(whole.unpriced_events), Cell("", css="none"),
        amount(whole.customer_charge, currency, all_places=exact),
    ]  # fmt: skip
    table = tabled("By time; click a charge to see its events", columns, rows, "No more windows.", foot)
    more = total > view.skip + len(shown)
    return Section(f"Windows in {currency or 'no currency yet'}", [table, *view.pager(len(shown), more, "windows")])


def _into(view: View, each: WindowSums) -> str:
    return view.here(window=figures.machine_time(each.window_start), page=None)


def _origins(answer: LineAnswer) -> Section:
    rows = [
        [
            Cell(each.rule_id or "no rule", note=each.pricing.replace("_", " ")),
            Cell(each.price_version or figures.NONE),
            Cell(each.rule_version or figures.NONE),
            count(each.sums.ledger_rows),
            amount(each.sums.customer_charge, each.currency),
            amount(each.sums.amounts["builder_earnings"], each.currency),
            Cell(each.currency or figures.NONE),
        ]
        for each in answer.sums.origins
    ]
    columns = [
        Column("Rule"), Column("Price book"), Column("Rule book"), Column("Ledger rows", NUMBER),
        Column("Charge", NUMBER), Column("Builder earns", NUMBER), Column("Currency"),
    ]  # fmt: skip
    return Section("What rated it", [tabled("Versions and rules, with what they came to", columns, rows)])


def _events(view: View, answer: LineAnswer) -> list[Block]:
    blocks: list[Block] = [view.places()]
    if not answer.settled:
        blocks.append(Notice("A flush is under way: these figures may be of before and after it. Ask again."))
    for currency, found in (answer.pages or {}).items():
        blocks.append(
            Tiles(
                [
                    tile(
                        "Charge",
                        found.amounts["customer_charge"],
                        currency,
                        note=figures.counted(found.count, "ledger row"),
                    )
                ]
            )
        )
        blocks.append(_event_table(view, found, currency))
    return blocks


def _event_table(view: View, found: EventPage, currency: str) -> Section:
    exact = view.all_places
    scale = charts.scale_of(row["customer_charge"] or Decimal(0) for row in found.rows)
    rows = []
    for row in found.rows:
        served = ", ".join(part for part in (row["feature"], row["model"]) if part)
        href = to("/event", builder=view.builder, tenant=view.tenant, source=row["source"], id=row["id"])
        charge = row["customer_charge"]
        rows.append(
            [
                Cell(row["id"], href, note=figures.time(row["event_time"])),
                Cell(row["kind"], note=row["note"] or served),
                Cell(parts.meters({each["key"]: each["value"] for each in row["usage"] or ()}), css="soft"),
                Cell("waits for a price", css=f"{NUMBER} worse")
                if charge is None
                else amount(charge, currency, href=href, all_places=exact),
                Cell(picture=charts.bar(scale, charge or Decimal(0))),
            ]
        )
    columns = [
        Column("Event"), Column("Kind"), Column("How much"), Column(f"Charge in {currency}", NUMBER),
        Column("As a bar"),
    ]  # fmt: skip
    shown = EXACT.subtract(found.amounts["customer_charge"], _sum(found))
    note = ""
    if shown or found.count > len(found.rows):
        rest = found.count - len(found.rows)
        note = f"{figures.counted(rest, 'row')} on other pages come to {figures.exact(shown)} {currency}."
    foot = [
        Cell(f"All {found.count:,} rows"), Cell("", css="none"), Cell("", css="none"),
        amount(found.amounts["customer_charge"], currency, all_places=exact), Cell("", css="none"),
    ]  # fmt: skip
    table = tabled("By time; click one to see why it costs what it costs", columns, rows, "No more events.", foot)
    more = found.count > view.skip + len(found.rows)
    return Section(
        f"Events in {currency or 'no currency yet'}", [table, *view.pager(len(found.rows), more, "events")], note
    )


def _sum(found: EventPage) -> Decimal:
    total = Decimal(0)
    for row in found.rows:
        total = EXACT.add(total, row["customer_charge"] or Decimal(0))
    return total
