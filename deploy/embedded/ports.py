"""Loopback ports: finding a free one that stays free, and telling a taken one."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range that Linux takes for outgoing connections (32768 up): a server that is down for a moment must find its
# port again, and a client that connects to a dead port of that range can end up connected to itself.
FREE_PORTS = range(15_000, 32_000)


def is_free(port: int) -> bool:
    """True when a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no owner
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port nobody listens on; drawn at random, so that two processes rarely pick the same."""
    draw = random.SystemRandom()  # not the seeded generator of a test that draws the same traffic twice
    for _ in range(200):
        port = draw.choice(FREE_PORTS)
        if is_free(port):
            return port
    raise OSError("no free loopback port found")
