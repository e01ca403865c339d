"""Run the front until SIGTERM or SIGINT: `python -m deploy.embedded.clickhouse_front --data FOLDER --port PORT`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from aiohttp import web

from deploy.embedded.clickhouse_front.application import Front
from deploy.embedded.clickhouse_front.engine import Engine
from deploy.embedded.ports import LOOPBACK

READ_BUFFER_BYTES = 1 << 20  # An insert of a block of the ledger is some 15 MB.
SHUTDOWN_SECONDS = 10.0


async def _serve(engine: Engine, port: int) -> None:
    front = Front(engine)
    runner = web.AppRunner(
        front.application(),
        access_log=None,
        auto_decompress=False,  # ClickHouse knows more codings than aiohttp
        read_bufsize=READ_BUFFER_BYTES,
        shutdown_timeout=SHUTDOWN_SECONDS,
        handler_cancellation=False,
    )
    await runner.setup()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await web.TCPSite(runner, LOOPBACK, port, reuse_address=True).start()
        logging.info("ClickHouse %s on http://%s:%d", engine.version, LOOPBACK, port)
        await stopped.wait()
        logging.info("stopping")
    finally:
        await runner.cleanup()
        await asyncio.to_thread(front.close)


def main() -> int:
    """Serve the engine over --data on --port."""
    parser = argparse.ArgumentParser(prog="clickhouse_front", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the engine's data")
    parser.add_argument("--port", type=int, required=True, help="loopback port")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        engine = Engine(arguments.data)
    except Exception as error:  # the binding raises what it likes; a locked or broken folder ends here
        logging.error("cannot open the data folder %s: %s", arguments.data, error)
        return 1
    try:
        asyncio.run(_serve(engine, arguments.port))
    except OSError as error:
        logging.error("cannot listen on port %d: %s", arguments.port, error)
        return 1
    finally:
        engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
