"""The three forms of an event on Kafka: structured JSON, binary mode, columnar batch."""
