"""The console's web server: who may come in, what every answer carries, and what is said when something is wrong.

Order   headers on everything; then the token; then the page; errors become pages. Whatever is not a view answers 404.
Safe    only GET changes nothing and is all there is, beside logging in and out, which come from this very page or not
        at all (cookie SameSite=Strict, and the Origin is looked at).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from sinks.clickhouse.client import Client
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.errors import SinkError
from tollstream.console import layout, login
from tollstream.console.access import Access
from tollstream.console.blocks import Notice, Page
from tollstream.console.routes import FOR_TENANTS, ROUTES
from tollstream.console.scope import ScopedClient
from tollstream.console.tokens import opened_by
from tollstream.console.view import NotFoundError, View, utc_now, whose
from tollstream.explanation.reading import NotExplainedError
from topics.meters import MeterCatalogue


@dataclass(frozen=True, slots=True)
class House:
    """What every request needs."""

    client: Client
    catalogue: MeterCatalogue
    tables: Collection[str]
    secure: bool
    now: Callable[[], datetime]


HOUSE = web.AppKey("house", House)
ACCESS = web.RequestKey("access", Access)
_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# No script, nothing from elsewhere, in nobody's frame.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Server": "tollstream",
}


def application(
    client: Client,
    catalogue: MeterCatalogue,
    tables: Collection[str],
    *,
    secure: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> web.Application:
    """The console over a store; `secure` where a proxy in front speaks HTTPS."""
    app = web.Application(middlewares=[_headers, _errors, _origin, _token], client_max_size=4096)
    app[HOUSE] = House(client, catalogue, tables, secure, now)
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/console.css", layout.style)
    app.router.add_get("/icon.svg", layout.icon)
    app.router.add_get("/login", login.form)
    app.router.add_post("/login", _log_in)
    app.router.add_post("/logout", _log_out)
    for path, page in ROUTES.items():
        app.router.add_get(path, _view(page))
    return app


OPEN = frozenset({"/healthz", "/console.css", "/icon.svg", "/login"})  # without a token


def _view(page: Callable[[View], Awaitable[Page | web.Response]]) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        access: Access = request[ACCESS]
        house = request.app[HOUSE]
        if access.is_tenant and request.path not in FOR_TENANTS:
            raise NotFoundError
        builder, tenant = whose(request, access)
        view = View(
            request,
            access,
            ScopedClient(house.client, access, house.tables),
            house.catalogue,
            builder,
            tenant,
            house.now(),
        )
        answer = await page(view)
        return layout.answer(answer, access, view.now) if isinstance(answer, Page) else answer

    return handler


async def _alive(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _log_in(request: web.Request) -> web.Response:
    house = request.app[HOUSE]
    return await login.log_in(request, ClickHouseStatementStore(house.client), house.now(), secure=house.secure)


async def _log_out(request: web.Request) -> web.Response:
    return login.log_out(secure=request.app[HOUSE].secure)


@web.middleware
async def _headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    if request.app[HOUSE].secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as pages; the sentence of a store that does not answer, and nothing of what was asked."""
    access: Access | None = None
    try:
        return await handler(request)
    except (NotFoundError, NotExplainedError, web.HTTPNotFound, web.HTTPMethodNotAllowed):
        status, title, words = 404, "There is nothing here", "No such page, or nothing of yours behind it."
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        status, title, words = refused.status, "This cannot be answered", refused.reason
    except SinkError as error:
        _log.warning("%s: %s", request.path, error)
        status, title = 503, "The store does not answer"
        words = "It is away, or this much is too much for it at once: try a shorter period, or again in a moment."
    except Exception:
        _log.exception("%s failed", request.path)
        status, title, words = 500, "This went wrong", "It is our fault, and in the log of the console."
    access = request.get(ACCESS)
    page = Page(title, [Notice(words, href="/", link="To the start")], status=status)
    return layout.answer(page, access, request.app[HOUSE].now())


@web.middleware
async def _origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What changes something comes from a page of this console."""
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("Host")
        if foreign or site not in (None, "same-origin", "none"):
            raise web.HTTPForbidden(reason="This form was sent from another site.")
    return await handler(request)


@web.middleware
async def _token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A token from the header, else from the cookie; asked of the store each time, so that revoked means now."""
    if request.path in OPEN:
        return await handler(request)
    house = request.app[HOUSE]
    token = login.token_of(request, secure=house.secure)
    access = await opened_by(ClickHouseStatementStore(house.client), token, house.now()) if token else None
    if access is not None:
        request[ACCESS] = access
        return await handler(request)
    if hdrs.AUTHORIZATION in request.headers or "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        text = "A token is needed: Authorization: Bearer TOKEN.\n"
        return web.Response(status=401, text=text, headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="tollstream"'})
    wanted = f"?next={quote(request.path_qs)}" if request.method == hdrs.METH_GET and request.path != "/" else ""
    return web.Response(status=303, headers={hdrs.LOCATION: f"/login{wanted}"})
