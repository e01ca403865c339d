"""Running the console until somebody stops it."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
from collections.abc import Callable

from aiohttp import web

from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.console.scope import tables_of
from tollstream.console.tokens import listed
from tollstream.console.web import application
from topics.meters import MeterCatalogue

NOBODY = "Nobody can log in yet: tollstream console token create --role operator --label NAME --by NAME --reason TEXT"
PLAIN = (
    "ATTENTION: tokens cross the network as they are. Put a proxy that speaks HTTPS in front, and say --https; or stay "
    "on 127.0.0.1."
)


async def serve(
    configuration: ClickHouseConfiguration,
    catalogue: MeterCatalogue,
    host: str,
    port: int,
    *,
    https: bool,
    say: Callable[[str], None],
) -> None:
    """`SinkError` where the store does not answer, OSError where the port is taken."""
    client = await asyncio.to_thread(Client.connect, configuration)
    try:
        tables = await client.run(tables_of, client)
        tokens = await listed(ClickHouseStatementStore(client))
        runner = web.AppRunner(
            application(client, catalogue, tuple(tables), secure=https), access_log=None, handle_signals=False
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            shown = f"[{host}]" if ":" in host else host
            say(f"Console: http://{shown}:{runner.addresses[0][1]}")
            if not tokens:
                say(NOBODY)
            if not https and not is_loopback(host):
                say(PLAIN)
            await _until_stopped()
        finally:
            await runner.cleanup()
    finally:
        client.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
