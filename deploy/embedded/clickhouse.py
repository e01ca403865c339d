"""ClickHouse: the real engine, in a process of its own that speaks ClickHouse's HTTP protocol on loopback."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.embedded.ports import LOOPBACK
from deploy.embedded.server import Server

# The folder that holds our packages: the front is found wherever this process was started.
_PACKAGES = Path(__file__).parents[2]


class ClickHouseServer(Server):
    """The engine and its HTTP front; its data is `folder`."""

    name = "ClickHouse"
    option = "--clickhouse-port"
    start_seconds_max = 60.0
    stop_seconds_max = 20.0

    def __init__(self, folder: Path, *, port: int, log: Path, inherited: Sequence[int] = ()) -> None:
        super().__init__(port=port, log=log, inherited=inherited)
        self._folder = folder

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def _command(self) -> Sequence[str]:
        module = "deploy.embedded.clickhouse_front"
        return [sys.executable, "-m", module, "--data", str(self._folder), "--port", str(self.port)]

    def _environment(self) -> Mapping[str, str]:
        inherited = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(_PACKAGES), *([inherited] if inherited else [])])
        # Servers keep UTC, as the images do; a result must not depend on where the machine stands.
        return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "TZ": "UTC"}

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/?query=SELECT+1")
            answer = connection.getresponse()
            return answer.status == 200 and answer.read() == b"1\n"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
