"""A file per question that is asked of ClickHouse."""
