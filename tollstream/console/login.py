"""Logging in with a token: a form, and a cookie that scripts and other sites do not get."""

from __future__ import annotations

from datetime import datetime

from aiohttp import hdrs, web

from sinks.journals import JournalStore
from tollstream.console import layout
from tollstream.console.tokens import opened_by

COOKIE = "tollstream_console"
SECURE_COOKIE = f"__Host-{COOKIE}"  # browsers take it over HTTPS only, and from no other host of the domain
SECONDS = 12 * 3600
_LENGTH_MAX = 200


def token_of(request: web.Request, *, secure: bool) -> str:
    """From the header, else from the cookie; "" without one."""
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme:
        return given.strip()[:_LENGTH_MAX] if scheme.lower() == "bearer" else ""
    return request.cookies.get(SECURE_COOKIE if secure else COOKIE, "")[:_LENGTH_MAX]


async def form(request: web.Request) -> web.Response:
    """The page that asks for a token."""
    return layout.login(safe_path(request.query.get("next", "")))


async def log_in(request: web.Request, store: JournalStore, now: datetime, *, secure: bool) -> web.Response:
    """Set the cookie, or say that the token opens nothing."""
    sent = await request.post()
    token = str(sent.get("token", "")).strip()[:_LENGTH_MAX]
    wanted = safe_path(str(sent.get("next", "")))
    if await opened_by(store, token, now) is None:
        return layout.login(wanted, failed=True)
    response = web.Response(status=303, headers={hdrs.LOCATION: wanted or "/"})
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        token,
        path="/",
        max_age=SECONDS,
        httponly=True,
        samesite="Strict",
        secure=secure,
    )
    return response


def log_out(*, secure: bool) -> web.Response:
    """Take the cookie back."""
    response = web.Response(status=303, headers={hdrs.LOCATION: "/login"})
    response.del_cookie(SECURE_COOKIE if secure else COOKIE, path="/", httponly=True, samesite="Strict", secure=secure)
    return response


def safe_path(path: str) -> str:
    """A path of this console; "" for anything that leads elsewhere."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if plain and path.isprintable() and len(path) <= 2000 else ""
