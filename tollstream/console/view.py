"""What a page knows about the request: who looks, at whose data, which time, which page of a list.

Whose data it is follows from the token before anything is asked: a Builder or tenant that is not the token's own is
not found, like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from tollstream.console.access import Access
from tollstream.console.blocks import Links, to
from tollstream.console.periods import Span, span, span_at
from tollstream.console.scope import ScopedClient
from topics.meters import MeterCatalogue

T = TypeVar("T")
ROWS, PAGES_MAX = 50, 2_000
TEXT_MAX = 512


class NotFoundError(Exception):
    """There is no such thing, or none of this token: nobody is told which."""


@dataclass(frozen=True, slots=True)
class View:
    """One look at the console."""

    request: web.Request
    access: Access
    client: ScopedClient
    catalogue: MeterCatalogue
    builder: str  # the token's own, or the one that was asked for; "" for all
    tenant: str
    now: datetime

    async def ask(self, question: Callable[..., T], *arguments: object) -> T:
        """A blocking reader over the token's view of the store."""
        return await self.client.run(question, self.client, *arguments)

    def text(self, name: str) -> str:
        """A parameter; "" where it is missing."""
        value = self.request.query.get(name, "")
        if len(value) > TEXT_MAX or "\x00" in value:
            raise NotFoundError
        return value

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number; not found where it is none."""
        value = self.text(name)
        if not value and default is not None:
            return default
        if not (value.isascii() and value.isdecimal() and len(value) < 20 and least <= int(value) <= most):
            raise NotFoundError
        return int(value)

    @property
    def page(self) -> int:
        """Which page of a list, from 1."""
        return self.number("page", 1, PAGES_MAX, 1)

    @property
    def skip(self) -> int:
        """How many rows come before it."""
        return (self.page - 1) * ROWS

    @property
    def all_places(self) -> bool:
        """Whether somebody asked for exact figures."""
        return self.text("figures") == "exact"

    @property
    def span(self) -> Span:
        """The period that was asked for; else this month."""
        text = self.text("period")
        if not text:
            return span_at(self.now)
        found = span(text)
        if found is None:
            raise NotFoundError
        return found

    def here(self, **changes: str | int | None) -> str:
        """This page's address with other parameters."""
        given: dict[str, str | int | None] = dict(self.request.query)
        return to(self.request.path, **(given | changes))

    def pager(self, shown: int, more: bool, what: str) -> list[Links]:
        """Links to the neighbours of a page, where there are any."""
        links = []
        if self.page > 1:
            links.append(("← Previous", self.here(page=self.page - 1 if self.page > 2 else None)))
        first = self.skip + 1
        links.append((f"{first:,}–{self.skip + shown:,}" if shown else "none here", ""))
        if more and self.page < PAGES_MAX:
            links.append(("Next →", self.here(page=self.page + 1)))
        return [Links(f"Pages of {what}", links)] if len(links) > 1 else []

    def places(self) -> Links:
        """A switch between figures for reading and exact ones."""
        rounded, exact = self.here(figures=None), self.here(figures="exact")
        chosen = self.all_places
        return Links(
            "How figures are shown",
            [("Rounded figures", rounded if chosen else ""), ("All twelve places", "" if chosen else exact)],
        )

    def months(self) -> Links:
        """The neighbours of the period."""
        chosen = self.span
        links = [(f"← {chosen.previous.words}", self.here(period=chosen.previous.label, page=None))]
        links.append((chosen.words, ""))
        if chosen.end <= self.now:
            links.append((f"{chosen.following.words} →", self.here(period=chosen.following.label, page=None)))
        return Links("Periods", links)


def whose(request: web.Request, access: Access) -> tuple[str, str]:
    """Builder and tenant that a request is about, judged by the token."""
    builder, tenant = (request.query.get(name, "") for name in ("builder", "tenant"))
    if access.is_operator:
        return builder, tenant
    builder = builder or access.builder
    if access.is_tenant:
        tenant = tenant or access.tenant
    if not access.owns(builder, tenant):
        raise NotFoundError
    return builder, tenant


def utc_now() -> datetime:
    """By the clock of this machine."""
    return datetime.now(UTC)
