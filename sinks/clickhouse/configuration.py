"""Where ClickHouse is and how to talk to it.

Errors  `StoreConfigurationError` names the setting and shows a value that is right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sinks.errors import StoreConfigurationError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ClickHouseConfiguration:
    """What a client of ClickHouse needs to know, checked when it is made."""

    url: str  # http://host:port or https://host:port
    database: str = "tollstream"
    username: str = "default"
    password: str = ""
    timeout_seconds: int = 30  # to connect, and without an answer to a request that was sent
    compress: bool | None = None  # inserts and answers on the wire; None: only when the server is elsewhere
    cluster: str = ""  # name of the cluster that migrations run on; "" is a single server

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username or parts.password:
            raise StoreConfigurationError(
                setting="clickhouse_url",
                value=f"{parts.scheme}://…@{parts.hostname}",
                detail="credentials are settings of their own: clickhouse_username and clickhouse_password",
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreConfigurationError(
                setting="clickhouse_url", value=self.url, detail="not a URL such as http://127.0.0.1:18123"
            )
        for setting, name in (("clickhouse_database", self.database), ("clickhouse_cluster", self.cluster or "_")):
            if not _NAME.fullmatch(name):  # It goes into SQL text: a name, nothing else.
                raise StoreConfigurationError(setting=setting, value=name, detail="not a plain name such as tollstream")
        if self.timeout_seconds < 1:
            raise StoreConfigurationError(
                setting="timeout_seconds",
                value=str(self.timeout_seconds),
                detail="not a whole second or more; 30 is usual",
            )

    @property
    def host(self) -> str:
        """Host name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Port, ClickHouse's own defaults when the URL names none."""
        return urlsplit(self.url).port or (8443 if self.secure else 8123)

    @property
    def secure(self) -> bool:
        """True for https."""
        return urlsplit(self.url).scheme == "https"

    @property
    def compresses(self) -> bool:
        """On loopback compression costs more than it saves."""
        if self.compress is not None:
            return self.compress
        return self.host not in ("localhost", "::1") and not self.host.startswith("127.")
