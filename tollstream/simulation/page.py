"""The comparison as one HTML file: nothing is loaded from anywhere, and it reads in light and dark, on paper, aloud.

Every figure stands in a table as text, with a bar beside it (bars.py); there is no script. Names come from events, so
all text is escaped, and the page's own policy forbids everything but its styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from importlib import resources
from string import Template

from billing.simulation import Line
from tollstream.simulation import bars, markup, sections
from tollstream.simulation.figures import change_of, counted, money, percent_text, places_of, signed
from tollstream.simulation.period import day
from tollstream.simulation.report import Report, amounts_of, of_currency, pay_less, pay_more


def page(report: Report, written: datetime) -> str:
    """The whole file."""
    parts = [_currency(report, currency) for currency in report.currencies] or [_nothing(report)]
    heading = f"What {' and '.join(f'{kind} {book.version}' for kind, book in report.new)} would change"
    return Template(_text("page.html")).substitute(
        title=escape(f"{heading} · {day(report.usage.start)} to {day(report.usage.end)}"),
        style=_text("page.css"),
        heading=escape(heading),
        about=_about(report),
        sections="\n".join([*parts, sections.left_out(report)]),
        footer=_footer(report, written),
    )


def _text(name: str) -> str:
    return resources.files("tollstream.simulation").joinpath(name).read_text(encoding="utf-8")


def _about(report: Report) -> str:
    published = [f"{kind} {version}" for kind, version, new in report.versions if not new]
    beside = f" The rest is as published: {', '.join(published)}." if published else ""
    return escape(
        f"{report.compared:,} of {counted(report.events, 'usage event')} from {day(report.usage.start)} to "
        f"{day(report.usage.end)} (UTC), {report.whose}, rated once more, one by one.{beside}"
    )


def _nothing(report: Report) -> str:
    words = "No event has a price on both sides." if report.events else "There is no usage in this range."
    return markup.section("Nothing to compare", markup.paragraph(words))


def _currency(report: Report, currency: str) -> str:
    found = report.comparison
    [total] = of_currency(found.totals, currency)
    places = places_of(currency, amounts_of(total))
    tenants, features = of_currency(found.tenants, currency), of_currency(found.features, currency)
    several = len(report.currencies) > 1
    return "\n".join(
        [
            f'<h2 class="currency">In {escape(currency)}</h2>' if several else "",
            _lead(total, tenants, features, currency, places),
            _tiles(total, currency, places),
            _split(total, currency, places),
            sections.tenants(tenants, currency, places),
            sections.features(features, currency, places),
            sections.rules(of_currency(found.rules, currency), currency, places),
            sections.models(of_currency(found.models, currency), currency, places),
        ]
    )


def _lead(total: Line, tenants: Sequence[Line], features: Sequence[Line], currency: str, places: int) -> str:
    """What a reader in a hurry should know."""
    paid, earned = sections.charge(total), sections.earnings(total)
    counts = f"{len(pay_more(tenants)):,} of {counted(len(tenants), 'tenant')} more, {len(pay_less(tenants)):,} less"
    items = [
        (_colour(-change_of(*paid)), f"Tenants would pay {_more_or_less(*paid, currency, places)}: {counts}."),
        (_colour(change_of(*earned)), f"Builders would earn {_more_or_less(*earned, currency, places)}."),
    ]
    negative = sum(line.after.builder_earnings < 0 for line in features)
    if negative:
        items.append(
            (sections.WORSE, f"{negative:,} of {counted(len(features), 'feature')} would earn less than nothing.")
        )
    return (
        f'<ul class="lead">{"".join(f"<li{markup.css_class(css)}>{escape(words)}</li>" for css, words in items)}</ul>'
    )


def _colour(gain: Decimal) -> str:
    return sections.BETTER if gain > 0 else sections.WORSE if gain < 0 else ""


def _more_or_less(before: Decimal, after: Decimal, currency: str, places: int) -> str:
    change = change_of(before, after)
    if not change:
        return "the same"
    share = percent_text(change, before)
    by = f" ({share})" if share.endswith("%") else ""
    return f"{money(abs(change), places)} {currency} {'more' if change > 0 else 'less'}{by}"


def _tiles(total: Line, currency: str, places: int) -> str:
    tiles = []
    for words, name in (
        ("Tenants pay", "customer_charge"),
        ("Builders earn", "builder_earnings"),
        ("Providers get", "provider_reward"),
        ("The platform keeps", "platform_fee"),
    ):
        before, after = getattr(total.before, name), getattr(total.after, name)
        change = change_of(before, after)
        tiles.append(
            f'<div class="tile"><dt>{words}</dt>'
            f'<dd class="after">{money(after, places)} <small>{escape(currency)}</small></dd>'
            f'<dd class="was">{money(before, places)} before</dd>'
            f'<dd class="chip">{signed(change, places)} · {percent_text(change, before)}</dd></div>'
        )
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _split(total: Line, currency: str, places: int) -> str:
    """Where the charge goes, as two bars; left out where somebody's part is below nothing and has no length."""
    sides = (("before", total.before), ("after", total.after))
    if any(min(side.builder_earnings, side.provider_reward, side.platform_fee) < 0 for _, side in sides):
        return ""
    scale = bars.Scale.over(side.customer_charge for _, side in sides)
    rows = []
    for words, side in sides:
        parts = [("reward", side.provider_reward), ("fee", side.platform_fee), ("earnings", side.builder_earnings)]
        rows.append(
            f"<span>{words}</span><span>{bars.stack(scale, parts)}</span>"
            f'<span class="number">{money(side.customer_charge, places)} {escape(currency)}</span>'
        )
    legend = markup.key((("reward", "provider rewards"), ("fee", "platform fee"), ("earnings", "Builder earnings")))
    return markup.section("Where the charge goes", legend, f'<div class="split">{"".join(rows)}</div>')


def _footer(report: Report, written: datetime) -> str:
    digests = [f"<p>{kind} {escape(book.version)}: sha256 <code>{book.digest}</code></p>" for kind, book in report.new]
    return (
        f"<p>Written {written.astimezone(UTC):%Y-%m-%d %H:%M} UTC by <code>tollstream rules simulate</code>. Before is "
        "what the ledger says today, adjustments included; after is what the same events would come to, rated one by "
        "one. On both sides the customer charge is the sum of provider reward, platform fee and Builder earnings. "
        "Amounts are exact, and rounded here for reading: <code>--json</code> has all twelve places.</p>"
        f"{''.join(digests)}"
    )
