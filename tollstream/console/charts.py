"""Charts as inline SVG: shapes and no text, so that they stretch to any width; a table beside them has the figures.

Bars of a row are decoration, for the row says the same. A figure of its own is an image with a sentence for whoever
does not see it. No style attributes: the policy of the pages forbids them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup, escape

from tollstream.simulation.bars import TENTH, Scale, difference, stack
from tollstream.simulation.figures import CONTEXT

ZERO, HUNDRED = Decimal(0), Decimal(100)
HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Point:
    """A column: how high, and what it says on hover."""

    amount: Decimal
    words: str


def bar(scale: Scale, amount: Decimal, mark: str = "") -> Markup:
    """One bar from zero, in the row that names it."""
    colour = mark or ("worse" if amount < 0 else "after")
    return Markup(difference(scale, amount, colour))  # noqa: S704  decimals and our own words


def parts(amounts: Sequence[tuple[str, Decimal]]) -> Markup | None:
    """Parts of a whole, one after the other; None where one is below nothing and has no length."""
    total = sum((amount for _, amount in amounts), ZERO)
    if total <= 0 or any(amount < 0 for _, amount in amounts):
        return None
    return Markup(stack(Scale(ZERO, total), amounts))  # noqa: S704


def gauge(used: Decimal, limit: Decimal) -> Markup:
    """How much of something is used."""
    scale = Scale(ZERO, max(used, limit, Decimal("0.000001")))
    mark = "worse" if used > limit else "after"
    rest = [("track", limit - used)] if limit > used else []
    return Markup(stack(scale, [(mark, max(used, ZERO)), *rest]))  # noqa: S704


def columns(points: Sequence[Point], words: str, mark: str = "after") -> Markup:
    """Columns side by side, from zero up and down; `words` is the chart for whoever does not see it."""
    scale = Scale.over(point.amount for point in points)
    width = 10 * max(len(points), 1)
    zero = HUNDRED - scale.at(ZERO)
    found = [_column(number, point, scale, zero, mark) for number, point in enumerate(points)]
    return Markup(  # noqa: S704  what comes from outside is escaped
        f'<svg class="columns" viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}" focusable="false">{"".join(found)}'
        f'<line class="zero" x1="0" x2="{width}" y1="{zero}" y2="{zero}"/></svg>'
    )


def _column(number: int, point: Point, scale: Scale, zero: Decimal, colour: str) -> str:
    end = HUNDRED - scale.at(point.amount)
    top, bottom = sorted((zero, end))
    height = max(bottom - top, Decimal("0.6")) if point.amount else ZERO
    mark = "worse" if point.amount < 0 else colour
    return (
        f'<g><rect class="hover" x="{number * 10}" y="0" width="10" height="{HEIGHT}"/>'
        f'<rect class="mark-{mark}" x="{number * 10 + 1}" y="{top.quantize(TENTH, context=CONTEXT)}" width="8" '
        f'height="{height}"/><title>{escape(point.words)}</title></g>'
    )


def scale_of(amounts: Iterable[Decimal]) -> Scale:
    """One scale for the bars of a table."""
    return Scale.over(amounts)
