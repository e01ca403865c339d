"""The console in a thread, and a real Chromium that looks at it; skipped with the reason where there is none."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from importlib import resources

import pytest
from aiohttp import web
from playwright.sync_api import Browser, sync_playwright

from sinks.clickhouse.client import Client
from tests.support import console_world
from tests.support.console import World, empty_world, world
from tollstream.console.scope import tables_of
from tollstream.console.web import application
from topics.meters import load_catalogue

__all__ = ("empty_world", "world")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def serve(world: World) -> Iterator[str]:
    """The console of a world; its address."""
    client, loop, started = Client.connect(world.configuration), asyncio.new_event_loop(), threading.Event()
    address: list[str] = []

    async def run() -> web.AppRunner:
        app = application(client, load_catalogue(), tables_of(client), now=lambda: console_world.NOW)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        started.set()
        return runner

    def work() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(run())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert started.wait(30)
    yield address[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    client.close()


@pytest.fixture(scope="module")
def address(browser: Browser, world: World) -> Iterator[str]:
    """Asked for after the browser, so that nothing is built where there is none."""
    yield from serve(world)


@pytest.fixture(scope="module")
def empty_address(browser: Browser, empty_world: World) -> Iterator[str]:
    yield from serve(empty_world)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless, as Debian packages it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium (Debian), then run this again")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, as its package ships it."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
