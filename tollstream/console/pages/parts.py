"""What several pages show alike: names, amounts split three ways, charts by day, the choice of Builder and period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

from tollstream.console import charts, figures
from tollstream.console.blocks import NUMBER, WORSE, Block, Cell, Choice, Figure, Filter, Tile, Tiles, amount, tile
from tollstream.console.periods import Span
from tollstream.console.queries import usage
from tollstream.console.queries.usage import Group, Moment
from tollstream.console.view import View

NOTHING = "none"
SPLIT = (("reward", "providers get"), ("fee", "the platform keeps"), ("earnings", "Builders earn"))


def name_of(key: Iterable[str]) -> str:
    """A key in words: a tag that is missing says so."""
    return " · ".join(part or NOTHING for part in key)


def meters(quantities: dict[str, Decimal], most: int = 4) -> str:
    """1,000 input tokens, 200 output tokens; the rest is counted."""
    found = [f"{figures.quantity(value)} {figures.words(meter)}" for meter, value in quantities.items()]
    rest = len(found) - most
    return ", ".join(found[:most]) + (f" and {rest} more" if rest > 0 else "")


def split_tiles(sums: Group, view: View) -> Tiles:
    """What was paid and where it went; of a tenant's view only what it pays."""
    events = figures.counted(sums.events, "event")
    if view.access.is_tenant:
        return Tiles([tile("Usage so far", sums.charge, sums.currency, note=events)])
    base = sums.reward + sums.fee
    earned = figures.percent(sums.earnings, sums.charge)
    return Tiles(
        [
            tile("Customers pay", sums.charge, sums.currency, note=events),
            tile("Builders earn", sums.earnings, sums.currency, note=f"{earned} of what customers pay"),
            tile("Providers get", sums.reward, sums.currency, note="paid to those who serve models"),
            tile("The platform keeps", sums.fee, sums.currency, note=f"of {figures.money(base, sums.currency)} for AI"),
        ]
    )


def split_figure(sums: Group) -> list[Block]:
    """The same as one bar; none where somebody's part is below nothing."""
    picture = charts.parts([("reward", sums.reward), ("fee", sums.fee), ("earnings", sums.earnings)])
    if picture is None:
        return []
    return [Figure(f"Where the charge in {sums.currency} goes", picture, legend=SPLIT)]


def by_time(
    found: Sequence[Moment], span: Span, currency: str, amount: str, what: str, mark: str = "after"
) -> list[Block]:
    """Columns for each day, or each hour of a day, of one currency; empty ones too."""
    own = {each.start: each for each in found if each.currency == currency}
    if not own:
        return []
    step = timedelta(hours=1) if span.by_hour else timedelta(days=1)
    points, at = [], span.start
    while at < span.end:
        each = own.get(at)
        value = each.amounts[amount] if each else Decimal(0)
        label = f"{at:%H:%M}" if span.by_hour else f"{at:%Y-%m-%d}"
        events = figures.counted(each.events if each else 0, "event")
        points.append(charts.Point(value, f"{label}: {figures.exact(value)} {currency}, {events}"))
        at += step
    peak = max(own.values(), key=lambda each: each.amounts[amount])
    unit = "hour" if span.by_hour else "day"
    when = f"{peak.start:%H:%M}" if span.by_hour else f"{peak.start.day} {peak.start:%B}"
    most = f"{figures.money(peak.amounts[amount], currency)} {currency}"
    caption = f"{what} by {unit}, in {currency}; the most in one {unit}: {most} ({when})"
    last = span.end - step
    ends = ("00:00", "24:00") if span.by_hour else (f"{span.start.day} {span.start:%B}", f"{last.day} {last:%B}")
    return [Figure(caption, charts.columns(points, caption, mark), *ends)]


async def choose(view: View, path: str, *more: Choice, period: bool = True) -> Filter:
    """The form above a list: Builder (an operator's choice), period, and what the page adds."""
    choices: list[Choice] = []
    if view.access.is_operator:
        known = await view.ask(usage.builders)
        choices.append(Choice("builder", "Builder", view.builder, known=known, hint="all"))
    if period:
        choices.append(Choice("period", "Period (UTC)", view.span.label, hint="2026-10"))
    return Filter(path, [*choices, *more])


def unpriced_tile(events: int, view: View) -> Tile:
    """How much waits for a price, and is in no amount."""
    words = "usage without a price: not charged yet" if events else "all usage has its price"
    href = "" if view.access.is_tenant else "/unpriced"
    return Tile(
        "Unpriced events", f"{events:,}", note=words, href=href if events else "", css="worse" if events else ""
    )


async def nothing_in(view: View, what: str) -> str:
    """What to say of a period without usage: where there is some."""
    newest = await view.ask(usage.newest_month, view.builder, view.tenant)
    if newest and newest != view.span.label:
        return f"No {what} in {view.span.words}. The newest is in {newest}."
    return f"No {what} in {view.span.words}."


def waits(each: Group) -> bool:
    """Whether it is all usage without a price: that is not free, and 0 would say so."""
    return each.unpriced > 0 and not any(each.amounts.values())


def sum_of(value: Decimal, each: Group, view: View, href: str = "") -> Cell:
    """An amount of a group; how much of it has no price yet is said."""
    if waits(each):
        return Cell("no price yet", href, css=f"{NUMBER} {WORSE}")
    return amount(value, each.currency, href=href, all_places=view.all_places)


def explain(builder: str, tenant: str, narrowed: Mapping[str, str], **more: str | int) -> str:
    """The address that explains a line; of `narrowed` an empty value means usage without the tag, and stays."""
    given: dict[str, str | int] = {"builder": builder, "tenant": tenant, **more, **narrowed}
    return f"/explain?{urlencode(given)}"
