"""Apache Kafka and ClickHouse on this machine, without Docker, root or anything to configure."""
