"""Bars for the page: inline SVG without text, beside the figures that they picture. Positions are decimals in percent.

A bar is decoration: the row it stands in says the same in words and numbers, so readers of screens skip it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tollstream.simulation.figures import CONTEXT

HUNDRED = Decimal(100)
TENTH = Decimal("0.01")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Scale:
    """From amounts to positions: 0 at the least of all, 100 at the greatest, with zero among them."""

    least: Decimal
    greatest: Decimal

    @staticmethod
    def over(amounts: Iterable[Decimal], *, centred: bool = False) -> Scale:
        """A scale that holds every amount; `centred` has zero in the middle."""
        found = [_ZERO, *amounts]
        least, greatest = min(found), max(found)
        if centred:
            greatest = max(greatest, -least)
            least = -greatest
        return Scale(least, greatest)

    def at(self, amount: Decimal) -> Decimal:
        """The position, to a hundredth of a percent."""
        span = self.greatest - self.least
        if not span:
            return _ZERO
        return CONTEXT.divide((amount - self.least) * HUNDRED, span).quantize(TENTH, context=CONTEXT)


def pair(scale: Scale, before: Decimal, after: Decimal) -> str:
    """Two bars, one below the other."""
    return _svg(
        20, [_rectangle(scale, _ZERO, before, 2, 7, "before"), _rectangle(scale, _ZERO, after, 11, 7, "after")], scale
    )


def difference(scale: Scale, change: Decimal, mark: str) -> str:
    """One bar from zero, to the left or to the right."""
    return _svg(20, [_rectangle(scale, _ZERO, change, 5, 10, mark)], scale)


def stack(scale: Scale, parts: Sequence[tuple[str, Decimal]]) -> str:
    """Parts of a whole, one after the other; none may be negative."""
    found, start = [], _ZERO
    for mark, amount in parts:
        found.append(_rectangle(scale, start, start + amount, 0, 20, mark))
        start += amount
    return _svg(20, found, None, css="flat")


def _rectangle(scale: Scale, start: Decimal, end: Decimal, top: int, height: int, mark: str) -> str:
    left, right = sorted((scale.at(start), scale.at(end)))
    if left == right and start != end:  # what is there is seen, however small
        right = left + Decimal("0.4")
    return f'<rect class="mark-{mark}" x="{left}" y="{top}" width="{right - left}" height="{height}"/>'


def _svg(height: int, marks: Sequence[str], scale: Scale | None, css: str = "") -> str:
    zero = ""
    if scale is not None and scale.greatest > scale.least:
        at = scale.at(_ZERO)
        zero = f'<line class="zero" x1="{at}" x2="{at}" y1="0" y2="{height}"/>'
    name = f' class="{css}"' if css else ""
    return (
        f'<svg{name} viewBox="0 0 100 {height}" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f"{''.join(marks)}{zero}</svg>"
    )
