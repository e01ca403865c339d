"""ClickHouse as the store of billable rows."""

from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.sink import ClickHouseSink

__all__ = ["ClickHouseConfiguration", "ClickHouseSink"]
