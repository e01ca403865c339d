"""What publishes usage events to Kafka."""

__distribution__ = "tollstream"
