"""ClickHouse's HTTP protocol over the engine in this process: `python -m deploy.embedded.clickhouse_front`."""
