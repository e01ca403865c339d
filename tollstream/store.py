"""From the settings of this process to the store it means."""

from __future__ import annotations

from sinks.clickhouse import ClickHouseConfiguration
from tollstream.errors import SettingsError
from tollstream.settings import Settings


def clickhouse_configuration(settings: Settings) -> ClickHouseConfiguration:
    """How to reach ClickHouse; `SettingsError` when the address cannot be right."""
    try:
        return ClickHouseConfiguration(
            url=settings.clickhouse_url,
            database=settings.clickhouse_database,
            username=settings.clickhouse_username,
            password=settings.clickhouse_password.get_secret_value(),
            timeout_seconds=settings.clickhouse_timeout_seconds,
            cluster=settings.clickhouse_cluster,
        )
    except ValueError as error:
        raise SettingsError(f"{error}.") from error
