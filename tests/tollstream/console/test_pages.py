"""Every page, as every role, over the small world and over an empty store, without a browser."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from tests.support.console import HTML, WHO, World, asking, running
from tests.support.console_world import SECRETS, ledger
from tollstream.console.routes import FOR_TENANTS, ROUTES
from tollstream.rendering import Form

pytestmark = pytest.mark.integration
TENANTS = [who for who in WHO if "/" in who]
HREF = re.compile(r'(?:href|action)="([^"]+)"')
# What stands behind each page, of either Builder.
PLACES = [
    "/",
    "/?period=2026-10",
    "/usage",
    "/usage?builder={b}&tenant=globex",
    "/usage?builder={b}&tenant=globex&period=2026-10&figures=exact",
    "/usage?builder={b}&order=earnings&search=glo",
    "/statements",
    "/statements?builder={b}&period=2026-10",
    "/statement?builder={b}&number=1",
    "/statement?builder={b}&number=1&figures=exact",
    *(f"/statement/document?builder={{b}}&number=1&form={form}" for form in Form),
    "/earnings",
    "/earnings?builder={b}&by=customer&period=2026-10",
    "/earnings?builder={b}&by=model&figures=exact",
    "/payouts",
    "/payout?builder={b}&id={b}-P-000001",
    "/payout?id=R-000001",
    "/rewards",
    "/rewards?builder={b}&period=2026-10",
    "/unpriced",
    "/dead-letters",
    "/dead-letters?reason=not_json",
    "/dead-letter?epoch=1&partition=0&offset=5000&index=0",
    "/dead-letter?epoch=1&partition=0&offset=5001&index=0",
    "/dead-letter?epoch=1&partition=0&offset=5003&index=0",
    "/explain?builder={b}&tenant=globex&period=2026-10",
    "/explain?builder={b}&tenant=globex&period=2026-10&rule_id={b}-other&figures=exact",
    "/event",
    "/event?id=call-1",
    "/event?id=call-10&source=gateway/eu-1",
]  # fmt: skip


class Reader(HTMLParser):
    """The words of a page, and whether its elements are closed."""

    VOID = frozenset({"meta", "link", "input", "rect", "line", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.wrong += [f"{tag} {name}" for name, _ in attrs if name == "style" or name.startswith("on")]
        if tag == "script":
            self.wrong.append("a script")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> str:
    """The words of a page that is well made and has neither script nor style of its own."""
    reader = Reader()
    reader.feed(text)
    assert (reader.wrong, reader.open) == ([], [])
    return " ".join(" ".join(reader.words).split())


def paths(builder: str) -> list[str]:
    return [place.replace("{b}", builder) for place in PLACES]


def test_every_route_is_among_the_places() -> None:
    assert {urlsplit(place).path for place in PLACES} == ROUTES.keys()


@pytest.mark.parametrize("who", WHO)
async def test_pages_are_made_well_carry_their_headers_and_say_nothing_of_others(who: str, world: World) -> None:
    builder = "folio" if who.startswith("folio") else "quill"
    async with running(world.configuration) as console:
        ask = asking(console, world)
        for path in paths(builder):
            async with ask(path, who) as answer:
                body = await answer.read()
                tenant_may = urlsplit(path).path in FOR_TENANTS
                operators = path.startswith("/dead") or path == "/payout?id=R-000001"
                expected = 404 if who != "operator" and (operators or ("/" in who and not tenant_may)) else 200
                if path.startswith("/event?id="):
                    assert answer.status in (200, 404), path
                else:
                    assert answer.status == expected, (path, body[:400])
                check_headers(answer.headers, path)
                if answer.content_type == "text/html" and "document" not in path:
                    words = read(body.decode())
                    assert ("There is nothing here" in words) == (answer.status == 404 and "event?id" not in path), path
                others = hidden_from(who)
                leaked = [word for word in others if word.encode() in body]
                assert not leaked, (who, path, leaked)


def hidden_from(who: str) -> tuple[str, ...]:
    """Words that no page may show somebody."""
    if who == "operator":
        return ()
    other = "folio" if who.startswith("quill") else "quill"
    if "/" not in who:
        return SECRETS[other]
    own = tuple(name for name in SECRETS[who.partition("/")[0]] if name != "quill-summary")
    return (*SECRETS[other], *own, "builder_earnings", "Builder earn", "Provider reward", "platform keeps")


def check_headers(headers: object, path: str) -> None:
    found = dict(headers)  # type: ignore[call-overload]
    policy = found["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "script-src" not in policy
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Cache-Control"] == "no-store", path
    assert found["X-Frame-Options"] == "DENY"
    assert "aiohttp" not in found["Server"]


@pytest.mark.parametrize("who", [who for who in WHO if who != "operator"])
async def test_guessed_addresses_are_not_found_and_look_like_what_never_was(who: str, world: World) -> None:
    """Another Builder's and another tenant's: the very same page as of somebody who does not exist."""
    other = "folio" if who.startswith("quill") else "quill"
    own = who.partition("/")[0]
    async with running(world.configuration) as console:
        ask = asking(console, world)

        async def asked(path: str) -> tuple[int, str]:
            async with ask(path, who) as answer:
                return answer.status, await answer.text()

        for place in PLACES:
            if "{b}" in place:
                found, never = await asked(place.replace("{b}", other)), await asked(place.replace("{b}", "nobody"))
                assert found == never, place
                assert found[0] == 404, place
        if "/" in who:
            for neighbour in ("initech", "umbra", "hooli", "nobody"):
                for path in ("/usage", "/statements", "/explain", "/event", "/"):
                    address = f"{path}?builder={own}&tenant={neighbour}&period=2026-10&id=call-1"
                    assert (await asked(address))[0] == 404, address
            status, text = await asked(f"/statement?builder={own}&number=2")
            assert (status, await asked(f"/statement?builder={own}&number=999")) == (404, (404, text))


async def test_every_event_is_shown_to_its_own_and_to_nobody_else(world: World) -> None:
    stored = ledger()
    some = stored[::37] + [row for row in stored if row["pricing"] == "unpriced"]
    async with running(world.configuration) as console:
        ask = asking(console, world)
        for row in some:
            for who in WHO:
                own = who in ("operator", row["builder"], f"{row['builder']}/{row['tenant']}")
                async with ask(f"/event?id={row['id']}&source={row['source']}", who) as answer:
                    assert answer.status == (200 if own else 404), (who, row["id"])
                    words = read(await answer.text())
                    if own and row["customer_charge"] is not None:
                        assert f"{row['customer_charge']:.12f}" in words
                        assert (f"{row['builder_earnings']:.12f}".replace("-", "−") in words) or "/" in who


@pytest.mark.parametrize("who", WHO)
async def test_every_link_of_every_page_leads_somewhere(who: str, world: World) -> None:
    """From the first page on, by clicking: two of each kind of page, whatever the order of their parameters, and none
    is missing or broken."""
    async with running(world.configuration) as console:
        ask = asking(console, world)
        waiting, seen, kinds = ["/", "/statements", "/event"], set[str](), Counter[tuple[str, ...]]()
        while waiting and len(seen) < 90:
            path = waiting.pop(0)
            place, _, parameters = path.partition("?")
            kind = (place, *sorted(part.partition("=")[0] for part in parameters.split("&")))
            if path in seen or kinds[kind] == 2:
                continue
            seen.add(path)
            kinds[kind] += 1
            async with ask(path, who) as answer:
                assert answer.status == 200, path
                text = await answer.text() if answer.content_type == "text/html" else ""
            links = {unescape(link) for link in HREF.findall(text)}
            assert not [link for link in links if not link.startswith(("/", "#"))], path
            waiting += sorted(link for link in links if link.startswith("/") and link not in ("/logout", "/login"))
        assert len(seen) > 20


@pytest.mark.parametrize("who", WHO)
async def test_an_empty_store_has_pages_that_say_so(who: str, empty_world: World) -> None:
    async with running(empty_world.configuration) as console:
        ask = asking(console, empty_world)
        for path in [path for path in ROUTES if "/" not in who or path in FOR_TENANTS]:
            async with ask(path, who) as answer:
                text = await answer.text()
                assert answer.status in (200, 404), (path, text)
                read(text)
                check_headers(answer.headers, path)
                if path in ("/", "/usage", "/statements", "/earnings", "/payouts", "/rewards", "/unpriced"):
                    assert answer.status == 200, path
                    assert re.search(r"\bNo\b|Nothing|yet", text), path


@pytest.mark.parametrize(
    "path",
    [
        "/usage?period=2026-13", "/usage?period=9999", "/usage?page=0", "/usage?page=9999999999999999999999",
        "/usage?order=name", "/earnings?by=password", "/statement?builder=quill", "/statement?builder=quill&number=-1",
        "/statement?builder=quill&number=1e3", "/statement?builder=quill&number=9999999999999999999",
        "/statement/document?builder=quill&number=1&form=exe", "/explain?builder=quill&tenant=globex&window=now",
        "/explain?builder=quill&tenant=globex&from=2026-10-01&to=2026-10-02", "/explain",
        "/explain?builder=quill&tenant=globex&from=1971-01-01T00:00:00Z&to=2099-01-01T00:00:00Z",
        "/explain?builder=quill&tenant=globex&period=2026-10&statement=1&line=99", "/dead-letter?offset=x",
        "/dead-letter?epoch=1&partition=0&offset=99999999999999999999&index=0", "/dead-letters?reason=%00",
        "/payout?builder=quill&id=" + "x" * 600, "/statements/../usage/x", "/console.py", "/event?id=%00",
        "/explain?builder=quill&tenant=globex&period=2026-10&statement=2&line=0",
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_not_found(path: str, world: World) -> None:
    async with running(world.configuration) as console, asking(console, world)(path, "operator") as answer:
        assert answer.status == 404
        assert "There is nothing here" in await answer.text()


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "\\'", "');DROP TABLE x", "%", "🦊", "a\tb", "<script>alert(1)</script>"]
)
async def test_whatever_is_typed_is_only_text(text: str, world: World) -> None:
    async with running(world.configuration) as console:
        for path in ("/usage", "/statements", "/earnings", "/event", "/unpriced", "/payouts"):
            for name in ("search", "id", "source", "builder"):
                headers = {**HTML, "Authorization": f"Bearer {world.tokens['operator']}"}
                async with console.get(path, params={name: text}, headers=headers) as answer:
                    assert answer.status in (200, 404), (path, name)
                    page = await answer.text()
                    read(page)
                    assert "<script" not in page


async def test_usage_without_a_price_is_never_shown_as_free(world: World) -> None:
    async with running(world.configuration) as console:
        for path in ("/earnings?by=model", "/rewards", "/usage?builder=quill&tenant=globex"):
            async with asking(console, world)(path, "operator") as answer:
                words = read(await answer.text())
                assert "no price yet" in words, path
                assert " 0.00 " not in words.partition("Reward statements")[0], path  # where 0 is carried, it is 0


async def test_what_was_decided_together_is_all_shown(world: World) -> None:
    """A month's rewards have one place in their journal, as have a Builder's payouts in several currencies."""
    async with running(world.configuration) as console, asking(console, world)("/rewards", "operator") as answer:
        _, _, decided = read(await answer.text()).partition("Reward statements")
        assert "R-000001 northwind" in decided
        assert "R-000002 southwind" in decided
        async with asking(console, world)("/payout?id=R-000002", "operator") as other:
            assert "7.50" in read(await other.text())


async def test_a_feature_and_a_model_lead_to_their_customers_and_on_to_what_they_used(world: World) -> None:
    async with running(world.configuration) as console:
        ask = asking(console, world)
        for by, tag in (("feature", "feature="), ("model", "model=")):
            async with ask(f"/earnings?by={by}&period=2026-10", "quill") as answer:
                links = [unescape(each) for each in HREF.findall(await answer.text())]
            down = [each for each in links if "by=customer" in each and tag in each]
            assert down, by
            charges: list[str] = []
            for each in down:
                async with ask(each, "quill") as answer:
                    text = await answer.text()
                    assert "/usage?builder=quill" in unescape(text)
                    charges += re.findall(r"Customers pay ([\d.,]+) USD", read(text))
            assert len(charges) == len(down)
            assert len(set(charges)) > 1, "each page is about its own usage alone"


async def test_a_price_of_less_than_a_cent_and_an_event_show_the_digits_that_count(world: World) -> None:
    async with running(world.configuration) as console:
        ask = asking(console, world)
        async with ask("/statement/document?builder=quill&number=1&form=html", "quill/globex") as answer:
            printed = read(await answer.text())
        async with ask("/statement?builder=quill&number=1", "quill/globex") as answer:
            shown = read(await answer.text())
        for price in re.findall(r"× ([\d.]+)", printed):
            assert f" {price} " in shown, "as the printed statement has it"
        async with ask("/event?id=call-38", "quill") as answer:
            words = read(await answer.text())
        names = ("Customer charge", "Provider reward", "Platform fee", "Builder earnings")
        found = [re.search(rf"{name} (−?[\d.]+) USD", words) for name in names]
        charge, *parts = (Decimal(each[1].replace("−", "-")) for each in found if each)
        assert len(parts) == 3
        assert sum(parts) == charge
