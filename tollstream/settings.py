"""Every setting, in one frozen object: environment `TOLLSTREAM_*`, then one TOML file, then these defaults.

The file is `tollstream.toml` in the current folder, or the one that TOLLSTREAM_CONFIG names. What a verb was given on
the command line wins over both. `docs/settings.md` is written from this file (`make settings`).
Errors  `SettingsError`: which setting, where its value came from, and which values are valid.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import InitSettingsSource

from tollstream.errors import SettingsError

PREFIX = "TOLLSTREAM_"
CONFIG_VARIABLE = "TOLLSTREAM_CONFIG"
DEFAULT_FILE = "tollstream.toml"
# Variables of the same prefix that are not settings: the jars' is read by deploy.embedded.jars, the last two by
# tests/simulation.
OTHER_VARIABLES = (
    "TOLLSTREAM_CONFIG",
    "TOLLSTREAM_DEBUG",
    "TOLLSTREAM_KAFKA_JARS",
    "TOLLSTREAM_SIM_SEED",
    "TOLLSTREAM_SIM_SEEDS",
)

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """What a process of tollstream needs to know; read once at its start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:29092", min_length=1, description="Kafka brokers, host:port, separated by commas."
    )
    clickhouse_url: str = Field(
        default="http://127.0.0.1:18123", pattern=r"^https?://[^\s/]+", description="ClickHouse's HTTP interface."
    )
    clickhouse_database: str = Field(
        default="tollstream",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The database that holds the tables and views.",
    )
    clickhouse_username: str = Field(default="default", min_length=1, description="ClickHouse user.")
    clickhouse_password: SecretStr = Field(
        default=SecretStr(""), description="ClickHouse password; the embedded one has none."
    )
    clickhouse_cluster: str = Field(
        default="",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Cluster that migrations run on; empty: one server.",
    )
    clickhouse_timeout_seconds: int = Field(
        default=30, ge=1, le=600, description="How long ClickHouse may take to answer one request."
    )
    topic_epoch: int = Field(
        default=1, ge=1, le=65535, description="Which topic is read: epoch 1 is `usage.raw`, epoch n `usage.raw.n`."
    )
    partitions: int = Field(
        default=8, ge=1, le=1024, description="Partitions of the raw topic; pinned when the epoch starts."
    )
    window_seconds: int = Field(
        default=3600,
        ge=60,
        le=86_400,
        description="Length of a billing window, UTC-aligned; divides a day; pinned per epoch.",
    )
    dedup_horizon_seconds: int = Field(
        default=3_024_000,
        ge=3600,
        le=34_560_000,
        description="How old an event may be when it arrives (35 days); older ones are dead letters; pinned per epoch.",
    )
    future_skew_seconds: int = Field(
        default=300,
        ge=0,
        le=86_400,
        description="How far ahead of its arrival an event's time may lie; pinned per epoch.",
    )
    alerts_topic: str = Field(
        default="usage.alerts",
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="Where alerts are published; installations that share brokers have one each.",
    )
    consumer_group: str = Field(
        default="tollstream-meter",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Kafka consumer group shared by the workers.",
    )
    session_timeout_seconds: int = Field(
        default=12,
        ge=6,
        le=60,
        description="How long a killed worker's partitions wait before another takes them over.",
    )
    prices: Path | None = Field(
        default=None,
        description="A price book file, or a folder: a worker publishes the versions that the store does not have.",
    )
    rules: Path | None = Field(
        default=None,
        description="A rule book file, or a folder: a worker publishes the versions that the store does not have.",
    )
    meters: Path | None = Field(default=None, description="The installation's own meters, beside the built-in ones.")
    metrics_host: str = Field(default="127.0.0.1", min_length=1, description="Where a worker answers Prometheus.")
    metrics_port: Port = Field(default=9464, description="Port of the same; 0 takes a free one.")
    console_host: str = Field(default="127.0.0.1", min_length=1, description="Where `tollstream console` listens.")
    console_port: Port = Field(default=8480, description="Port of the same; 0 takes a free one.")
    block_records: int = Field(default=50_000, ge=1, le=1_000_000, description="A block is rated at this many records…")
    block_seconds: float = Field(default=1.0, gt=0, le=60, description="…or after this long, whichever comes first.")
    flush_seconds_max: int = Field(
        default=60, ge=1, le=600, description="How long one flush may take, retries included, before the worker stops."
    )
    stall_seconds: int = Field(
        default=60,
        ge=5,
        le=3600,
        description="Lag without progress for this long stops the worker; a supervisor restarts it.",
    )
    dead_letter_percent_max: int = Field(
        default=100,
        ge=1,
        le=100,
        description="A worker stops when more of the last 100,000 events cannot be billed; 100 never stops.",
    )
    reconcile_seconds: int = Field(
        default=30, ge=1, le=86_400, description="How often a worker compares ledger, totals and offsets."
    )

    @field_validator("window_seconds")
    @classmethod
    def _divides_a_day(cls, seconds: int) -> int:
        if 86_400 % seconds:
            raise ValueError(f"windows are UTC-aligned: {seconds} does not divide a day (86400)")
        return seconds

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: str) -> str:
        for server in servers.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdecimal() or int(port) > 65535:
                raise ValueError(f"{server.strip()!r} is not host:port, such as 127.0.0.1:29092")
        return servers

    @model_validator(mode="after")
    def _horizon_holds_a_window(self) -> Settings:
        if self.dedup_horizon_seconds < self.window_seconds:
            raise ValueError("dedup_horizon_seconds must not be less than window_seconds")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, file: the first that has a value gives it."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read_file(settings_file()))


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. `overrides` come from the command line; None means not given."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(" ".join(_sentences(error, given))) from error


def settings_file() -> Path | None:
    """The TOML file that applies, if any."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    here = Path(DEFAULT_FILE)
    return here if here.is_file() else None


def unknown_variables() -> list[str]:
    """TOLLSTREAM_* variables that mean nothing, each with the nearest one that does. Not an error: an orchestrator
    adds variables of its own for a service called tollstream."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    strangers = sorted(
        name for name in os.environ if name.startswith(PREFIX) and name not in known and name not in OTHER_VARIABLES
    )
    return [f"{name} is no setting{_nearest(name, known)}" for name in strangers]


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def _sentences(error: ValidationError, given: dict[str, Any]) -> list[str]:
    sentences = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            sentences.append(f"{name} in {settings_file()} is no setting{_nearest(name, list(Settings.model_fields))}.")
            continue
        wrong = problem["msg"].removeprefix("Value error, ")
        if not name:
            sentences.append(f"{wrong}.")
            continue
        field = Settings.model_fields.get(name)
        secret = field is None or field.annotation is SecretStr
        shown = "" if secret else f" = {problem['input']!r}"
        example = "" if field is None or secret or field.default is None else f"; the default is {field.default}"
        sentences.append(f"{name}{shown} ({_origin(name, given)}): {wrong}{example}.")
    return sentences


def _origin(name: str, given: dict[str, Any]) -> str:
    if name in given:
        return "given on the command line"
    variable = PREFIX + name.upper()
    return f"from {variable}" if os.environ.get(variable) else f"from {settings_file()}"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; the settings are: {', '.join(known)}"
