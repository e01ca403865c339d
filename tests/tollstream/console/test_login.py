"""Who gets in: by header or cookie, from this site alone, as long as the token is valid and no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tests.support.console import HTML, World, asking, running
from tests.support.console_world import NOW
from tollstream.console import login, tokens
from tollstream.console.access import Role

pytestmark = pytest.mark.integration


async def test_without_a_token_a_browser_is_asked_for_one_and_a_program_gets_401(empty_world: World) -> None:
    async with running(empty_world.configuration) as console:
        async with console.get("/usage?builder=acme", headers=HTML, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/usage%3Fbuilder%3Dacme")
        async with console.get("/nothing-here", headers=HTML, allow_redirects=False) as answer:
            assert answer.status == 303
        async with console.get("/usage") as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="tollstream"')
        for open_to_all in ("/healthz", "/console.css", "/icon.svg", "/login"):
            async with console.get(open_to_all) as answer:
                assert answer.status == 200
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer wrong",
        "Basic {token}",
        "bearer  {token}x",
        "Bearer {other}",
        "Bearer tollstream_0_0",
        "{token}",
    ],
)
async def test_a_wrong_header_opens_nothing(header: str, empty_world: World) -> None:
    token = empty_world.tokens["operator"]
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    async with running(empty_world.configuration) as console:
        headers = {**HTML, "Authorization": header.format(token=token, other=wrong)}
        async with console.get("/", headers=headers, allow_redirects=False) as answer:
            assert answer.status == 401


async def test_the_form_sets_a_cookie_that_scripts_and_other_sites_do_not_get(empty_world: World) -> None:
    async with running(empty_world.configuration) as console:
        sent = {"token": f" {empty_world.tokens['quill']}\n", "next": "/usage?builder=quill"}
        async with console.post("/login", data=sent, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/usage?builder=quill")
            cookie = answer.headers["Set-Cookie"]
            assert cookie.startswith(f"{login.COOKIE}=tollstream_")
            assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
            assert "Secure" not in cookie
        async with console.get("/", headers=HTML) as answer:
            assert "Builder quill" in await answer.text()
        async with console.post("/logout", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login")
        async with console.get("/", headers=HTML, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_behind_https_the_cookie_goes_nowhere_else(empty_world: World) -> None:
    async with running(empty_world.configuration, secure=True) as console:
        async with console.post("/login", data={"token": empty_world.tokens["quill"]}, allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert cookie.startswith("__Host-tollstream_console=")
            assert "Secure" in cookie.split("; ")
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        plain = {**HTML, "Cookie": f"{login.COOKIE}={empty_world.tokens['quill']}"}
        async with console.get("/", headers=plain, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_a_wrong_token_is_said_and_leads_nowhere(empty_world: World) -> None:
    data = {"token": "guess", "next": "//evil.example"}
    async with running(empty_world.configuration) as console, console.post("/login", data=data) as answer:
        assert answer.status == 401
        text = await answer.text()
        assert "This token opens nothing" in text
        assert "evil.example" not in text
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/usage?a=b", "/usage?a=b"), ("//evil.example", ""), ("/\\evil.example", ""), ("https://evil.example", ""),
        ("javascript:alert(1)", ""), ("", ""), ("/a\r\nSet-Cookie: x", ""), ("/" + "x" * 2001, ""), ("/\t/evil", ""),
    ],
)  # fmt: skip
def test_after_login_only_a_path_of_this_console_is_followed(path: str, safe: str) -> None:
    assert login.safe_path(path) == safe


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
async def test_forms_of_other_sites_are_refused(headers: dict[str, str], empty_world: World) -> None:
    async with running(empty_world.configuration) as console:
        for path in ("/login", "/logout"):
            data = {"token": empty_world.tokens["operator"]}
            async with console.post(path, data=data, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 403
                assert "Set-Cookie" not in answer.headers


async def test_its_own_forms_are_taken(empty_world: World) -> None:
    async with running(empty_world.configuration) as console:
        own = {"Origin": f"http://{console.host}:{console.port}", "Sec-Fetch-Site": "same-origin"}
        data = {"token": empty_world.tokens["operator"]}
        async with console.post("/login", data=data, headers=own, allow_redirects=False) as answer:
            assert answer.status == 303


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_views_are_only_read(method: str, world: World) -> None:
    async with running(world.configuration) as console:
        headers = {**HTML, "Authorization": f"Bearer {world.tokens['operator']}"}
        async with console.request(method, "/usage", headers=headers) as answer:
            assert answer.status == 404


async def test_a_token_opens_the_console_until_it_is_revoked_or_expires(empty_world: World) -> None:
    store = await ClickHouseStatementStore.connect(empty_world.configuration)
    given = {"label": "x", "by": "ana", "reason": "a test"}
    made, record = await tokens.create(store, Role.BUILDER, "quill", "", expires_at=None, **given)
    soon, _ = await tokens.create(store, Role.BUILDER, "quill", "", expires_at=NOW, **given)
    later, _ = await tokens.create(store, Role.BUILDER, "quill", "", expires_at=NOW + timedelta(seconds=1), **given)
    async with running(empty_world.configuration) as console:

        async def status(token: str) -> int:
            headers = {**HTML, "Authorization": f"Bearer {token}"}
            async with console.get("/", headers=headers) as answer:
                return answer.status

        assert [await status(token) for token in (made, soon, later)] == [200, 401, 200]
        await tokens.revoke(store, record.token_id, by="ben", reason="left")
        assert await status(made) == 401
    await store.close()


async def test_a_store_that_is_away_is_a_page_and_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sinks.errors import SinkTransientError
    from tollstream.console.queries import usage

    def away(*_: object) -> None:
        raise SinkTransientError("host db-7.internal refused: password")

    monkeypatch.setattr(usage, "moments", away)
    async with running(world.configuration) as console, asking(console, world)("/", "quill") as answer:
        assert answer.status == 503
        text = await answer.text()
        assert "The store does not answer" in text
        assert "db-7" not in text


async def test_a_defect_is_a_page_without_a_traceback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tollstream.console.queries import usage

    monkeypatch.setattr(usage, "moments", lambda *_: 1 / 0)
    async with running(world.configuration) as console, asking(console, world)("/", "quill") as answer:
        assert answer.status == 500
        text = await answer.text()
        assert "ZeroDivision" not in text
        assert answer.headers["Content-Security-Policy"]
