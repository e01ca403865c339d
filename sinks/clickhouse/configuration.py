"""Where ClickHouse is and how to talk to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ClickHouseConfiguration:
    """ValueError when a value cannot be right; the message names the setting and an example."""

    url: str  # http://host:port or https://host:port
    database: str = "tollstream"
    username: str = "default"
    password: str = ""
    timeout_seconds: float = 30.0  # to connect, and without an answer to a request that was sent
    compress: bool | None = None  # inserts and answers on the wire; None: only when the server is elsewhere
    cluster: str = ""  # name of the cluster that migrations run on; "" is a single server

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"clickhouse_url {self.url!r} is not a URL such as http://127.0.0.1:18123")
        if parts.username or parts.password:
            raise ValueError("clickhouse_url holds credentials; they are settings of their own (username, password)")
        for setting, name in (("clickhouse_database", self.database), ("cluster", self.cluster or "_")):
            if not _NAME.fullmatch(name):  # It goes into SQL text: a name, nothing else.
                raise ValueError(f"{setting} {name!r} is not a plain name such as tollstream")
        if self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds {self.timeout_seconds} is not positive")

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
