"""The console as people meet it: in a real Chromium, on a desk and on a phone, in light and dark, and for axe.

axe is injected past the pages' own policy, which forbids every script: so these contexts bypass it, and one test shows
that it holds where nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.console import World

pytestmark = [pytest.mark.integration, pytest.mark.slow]
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Every kind of page, with as much on it as there is.
PAGES = {
    "operator": [
        "/", "/usage", "/statements?builder=quill&period=2026-10", "/earnings?by=customer", "/payouts", "/rewards",
        "/unpriced", "/dead-letters", "/dead-letter?epoch=1&partition=0&offset=5000&index=0",
        "/dead-letter?epoch=1&partition=0&offset=5001&index=0", "/payout?id=R-000001", "/event", "/event?id=call-10",
        "/nothing",
    ],
    "quill": [
        "/", "/usage?builder=quill&tenant=globex", "/statement?builder=quill&number=1&figures=exact",
        "/earnings?figures=exact", "/explain?builder=quill&tenant=umbra&period=2026-10", "/event?id=call-38",
        "/payout?builder=quill&id=quill-P-000001",
    ],
    "quill/globex": ["/", "/statements", "/statement?builder=quill&number=1", "/explain?period=2026-10"],
}  # fmt: skip


@contextmanager
def opened(
    browser: Browser,
    token: str,
    viewport: dict[str, int] = DESK,
    *,
    bypass: bool = False,
) -> Iterator[Page]:
    """A page of a browser that sends the token along; what it writes to its console is an error."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    context = browser.new_context(
        viewport={"width": viewport["width"], "height": viewport["height"]},
        extra_http_headers=headers,
        bypass_csp=bypass,
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [each for each in said if "404 (Not Found)" not in each and "401 (Unauthorized)" not in each] == []


def violations(page: Page, *rules: str) -> list[str]:
    """What axe, which the page holds, finds; by these of its rules, or by all."""
    found: dict[str, Any] = page.evaluate("rules => axe.run(rules.length ? {runOnly: rules} : {})", list(rules))
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


@pytest.mark.parametrize("who", PAGES)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    who: str, browser: Browser, address: str, world: World, axe: str
) -> None:
    """Each page is loaded once, and then looked at in every way that somebody may have it before them."""
    with opened(browser, world.tokens[who], bypass=True) as page:
        for path in PAGES[who]:
            page.goto(address + path)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            page.evaluate(axe)
            for name, viewport in (("desk", DESK), ("phone", PHONE)):
                page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
                assert overflow(page) == 0, (path, name)
                page.emulate_media(color_scheme="light")
                assert violations(page) == [], (path, name)
                page.emulate_media(color_scheme="dark")  # other colours, and nothing else
                assert violations(page, "color-contrast") == [], (path, name, "dark")


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_an_empty_console_and_the_login_are_as_good(
    viewport: dict[str, int], browser: Browser, empty_address: str, empty_world: World, axe: str
) -> None:
    with opened(browser, empty_world.tokens["operator"], viewport, bypass=True) as page:
        for path in ("/", "/usage", "/statements", "/earnings", "/payouts", "/rewards", "/unpriced", "/dead-letters"):
            page.goto(empty_address + path)
            page.evaluate(axe)
            assert violations(page) == [], path
            assert overflow(page) == 0, path
    with opened(browser, "", viewport, bypass=True) as page:
        page.goto(f"{empty_address}/usage")
        assert page.url.endswith("/login?next=/usage")
        page.evaluate(axe)
        assert violations(page) == []


def test_axe_would_find_something(browser: Browser, address: str, world: World, axe: str) -> None:
    with opened(browser, world.tokens["operator"], bypass=True) as page:
        page.goto(f"{address}/usage")
        page.evaluate("document.documentElement.removeAttribute('lang')")
        page.evaluate(axe)
        assert [each.partition(":")[0] for each in violations(page)] == ["html-has-lang"]
        page.emulate_media(color_scheme="dark")
        page.evaluate("document.querySelectorAll('h1').forEach(each => each.style.color = '#333')")
        assert {each.partition(":")[0] for each in violations(page, "color-contrast")} == {"color-contrast"}


def test_a_tenant_logs_in_and_clicks_a_cent_down_to_its_event(browser: Browser, address: str, world: World) -> None:
    with opened(browser, "") as page:
        page.goto(f"{address}/statements")
        page.get_by_label("Token").fill("tollstream_000000000000_guess")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("opens nothing")
        page.get_by_label("Token").fill(world.tokens["quill/globex"])
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{address}/statements")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("link", name="quill-000001").click()
        lines = page.get_by_role("table", name="Amounts in USD")
        lines.get_by_role("row", name="Summaries Every summary").get_by_role("link").click()
        expect(page.get_by_text("The windows below add up to this line, to the last digit.")).to_be_visible()
        page.get_by_role("table", name="By time").get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Window of 2026-10-")
        page.get_by_role("table", name="By time").get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Event call-")
        expect(page.get_by_text("Every summary costs 2 cents, whatever the AI costs.")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        page.goto(f"{address}/statements")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_what_changed_since_a_statement_is_said(browser: Browser, address: str, world: World) -> None:
    with opened(browser, world.tokens["quill"]) as page:
        page.goto(f"{address}/statement?builder=quill&number=3")
        links = page.get_by_role("table", name="Amounts in USD").get_by_role("link")
        addresses = [links.nth(place).get_attribute("href") for place in range(links.count())]
        said = []
        for href in addresses:
            page.goto(f"{address}{href}")
            said.append(page.locator(".notice").first.inner_text())
        assert any(each.startswith("Since this statement the usage changed by") for each in said)
        assert any(each.startswith("The windows below add up to this line") for each in said)


def test_everything_can_be_reached_with_the_keyboard(browser: Browser, address: str, world: World) -> None:
    with opened(browser, world.tokens["operator"]) as page:
        page.goto(f"{address}/earnings")
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent")
        assert focused == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.url.endswith("#main")


def test_the_exact_figure_is_a_switch_away_and_on_hover(browser: Browser, address: str, world: World) -> None:
    with opened(browser, world.tokens["quill"], PHONE) as page:
        page.goto(f"{address}/earnings?period=2026-10")
        table = page.get_by_role("table", name="By feature")
        rounded = table.get_by_role("row", name="summary").get_by_role("cell").nth(3)
        exact = rounded.locator("[title]").get_attribute("title")
        page.get_by_role("link", name="All twelve places").click()
        shown = table.get_by_role("row", name="summary").get_by_role("cell").nth(3).inner_text()
        assert exact == f"{shown} USD"
        assert len(shown.partition(".")[2]) == 12


def test_a_payload_that_means_no_good_is_only_shown(browser: Browser, address: str, world: World) -> None:
    with opened(browser, world.tokens["operator"]) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.goto(f"{address}/dead-letter?epoch=1&partition=0&offset=5000&index=0")
        payload = page.get_by_role("region", name="Payload")
        expect(payload).to_contain_text("<script>alert(1)</script>")
        expect(payload).to_contain_text("\\u202etxet\\u202c")
        assert page.locator("script").count() == 0
        assert {url.removeprefix(address).partition("?")[0] for url in asked} <= {
            "/dead-letter",
            "/console.css",
            "/icon.svg",
        }


def test_the_policy_holds_no_script_runs(browser: Browser, address: str, world: World) -> None:
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {world.tokens['operator']}"})
    page = context.new_page()
    page.goto(address)
    page.evaluate("""() => {
        const made = document.createElement('script');
        made.textContent = 'document.title = "ran"';
        document.body.append(made);
    }""")
    assert page.title() != "ran"
    context.close()


def test_a_statement_as_its_page_keeps_its_style_under_the_policy(browser: Browser, address: str, world: World) -> None:
    with opened(browser, world.tokens["quill/globex"]) as page:
        page.goto(f"{address}/statement/document?builder=quill&number=1&form=html")
        expect(page.get_by_role("heading", level=1)).to_contain_text("quill-000001")
        family = page.evaluate("getComputedStyle(document.body).fontFamily")
        assert "system-ui" in family or "sans" in family
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
