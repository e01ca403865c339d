"""From the settings of this process to the store it means."""

from __future__ import annotations

from sinks.clickhouse import ClickHouseConfiguration
from tollstream.settings import Settings


def clickhouse_configuration(settings: Settings) -> ClickHouseConfiguration:
    """Where ClickHouse is, as the settings say."""
    return ClickHouseConfiguration(
        url=settings.clickhouse_url,
        database=settings.clickhouse_database,
        username=settings.clickhouse_username,
        password=settings.clickhouse_password.get_secret_value(),
    )
