"""Every page of the console, by its address. All of them only read; tests walk this list with every role's token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tollstream.console.blocks import Page
from tollstream.console.pages import earnings, event, explain, home, payouts, quarantine, statements, usage
from tollstream.console.view import View

ROUTES: Mapping[str, Callable[[View], Awaitable[Page | web.Response]]] = {
    "/": home.home,
    "/usage": usage.page,
    "/statements": statements.page,
    "/statement": statements.statement,
    "/statement/document": statements.document,
    "/earnings": earnings.page,
    "/payouts": payouts.page,
    "/payout": payouts.payout,
    "/rewards": payouts.rewards,
    "/unpriced": quarantine.unpriced,
    "/dead-letters": quarantine.dead_letters,
    "/dead-letter": quarantine.dead_letter,
    "/explain": explain.page,
    "/event": event.page,
}
# What a tenant has: its usage, its statements, and why.
FOR_TENANTS = frozenset({"/", "/usage", "/statements", "/statement", "/statement/document", "/explain", "/event"})
