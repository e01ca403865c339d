"""From a page's blocks to HTML. Templates escape everything; there is no script, and nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import resources

import jinja2
from aiohttp import web

from tollstream.console import figures
from tollstream.console.access import Access, Role
from tollstream.console.blocks import Page

# What each role finds in the navigation: (name of the place, words, address).
PLACES: dict[Role, Sequence[tuple[str, str, str]]] = {
    Role.OPERATOR: (
        ("home", "Overview", "/"),
        ("usage", "Usage", "/usage"),
        ("statements", "Statements", "/statements"),
        ("earnings", "Earnings", "/earnings"),
        ("payouts", "Payouts", "/payouts"),
        ("rewards", "Rewards", "/rewards"),
        ("unpriced", "Unpriced", "/unpriced"),
        ("dead-letters", "Dead letters", "/dead-letters"),
        ("event", "Find an event", "/event"),
    ),
    Role.BUILDER: (
        ("home", "Overview", "/"),
        ("usage", "Usage", "/usage"),
        ("statements", "Statements", "/statements"),
        ("earnings", "Earnings", "/earnings"),
        ("payouts", "Payouts", "/payouts"),
        ("rewards", "Rewards", "/rewards"),
        ("unpriced", "Unpriced", "/unpriced"),
        ("event", "Find an event", "/event"),
    ),
    Role.TENANT: (
        ("home", "Usage", "/"),
        ("statements", "Statements", "/statements"),
        ("event", "Find an event", "/event"),
    ),
}


@cache
def templates() -> jinja2.Environment:
    """Escaping is on for every template, and a name that does not exist is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tollstream.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html(page: Page, access: Access | None, now: datetime) -> str:
    """The whole document."""
    return (
        templates()
        .get_template("page.html")
        .render(
            page=page,
            access=access,
            places=PLACES[access.role] if access is not None else (),
            now=figures.time(now.replace(second=0, microsecond=0)),
        )
    )


def answer(page: Page, access: Access | None, now: datetime) -> web.Response:
    """The page as an answer."""
    return web.Response(text=html(page, access, now), content_type="text/html", status=page.status)


def login(wanted: str, *, failed: bool = False) -> web.Response:
    """The form that asks for a token."""
    text = templates().get_template("login.html").render(next=wanted, failed=failed)
    return web.Response(text=text, content_type="text/html", status=401 if failed else 200)


async def style(request: web.Request) -> web.Response:
    """All styles."""
    headers = {"Cache-Control": "no-cache"}
    return web.Response(text=_resource("console.css"), content_type="text/css", headers=headers)


async def icon(request: web.Request) -> web.Response:
    """What browsers show on a tab."""
    return web.Response(text=_resource("icon.svg"), content_type="image/svg+xml")


@cache
def _resource(name: str) -> str:
    return resources.files("tollstream.console").joinpath(name).read_text(encoding="utf-8")
