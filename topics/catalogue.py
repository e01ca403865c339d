"""The topics: how many partitions, how long they keep what, and whose clock stamps the records.

`usage.raw` is the truth that everything can be rebuilt from. A change of its number of partitions moves keys to other
partitions, and deduplication with them; that is why it needs a new epoch, and with it a new topic.
"""

from __future__ import annotations

from dataclasses import dataclass

RAW_TOPIC = "usage.raw"
DEAD_LETTER_TOPIC = "usage.dead-letter"
ALERTS_TOPIC = "usage.alerts"
DAY_MS = 86_400_000
MESSAGE_BYTES_MAX = 1_048_576
EPOCH_MAX = 65_535


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it is wanted."""

    name: str
    partitions: int
    retention_ms: int  # -1 keeps for ever
    compression: str = "producer"  # what producers send is stored as it is
    timestamp_type: str = "LogAppendTime"  # the broker's clock: lateness is judged against it
    cleanup_policy: str = "delete"
    max_message_bytes: int = MESSAGE_BYTES_MAX
    replication_factor: int = -1  # -1: the broker's default

    def settings(self) -> dict[str, str]:
        """As Kafka's topic settings."""
        return {
            "retention.ms": str(self.retention_ms),
            "compression.type": self.compression,
            "message.timestamp.type": self.timestamp_type,
            "cleanup.policy": self.cleanup_policy,
            "max.message.bytes": str(self.max_message_bytes),
        }


def raw_topic_name(epoch: int) -> str:
    """`usage.raw` for epoch 1, `usage.raw.n` for epoch n."""
    if not 1 <= epoch <= EPOCH_MAX:
        raise ValueError(f"a topic epoch lies between 1 and {EPOCH_MAX}, not {epoch}")
    return RAW_TOPIC if epoch == 1 else f"{RAW_TOPIC}.{epoch}"


def topic_specs(epoch: int, partitions: int, alerts_topic: str = ALERTS_TOPIC) -> tuple[TopicSpec, ...]:
    """Every topic of an epoch."""
    return (
        # Longer than the dedup horizon (35 days) and a month's statement, so that a month can be replayed.
        TopicSpec(raw_topic_name(epoch), partitions, retention_ms=90 * DAY_MS),
        # A dead letter carries its original and more: its limit is above the raw topic's.
        TopicSpec(DEAD_LETTER_TOPIC, 1, retention_ms=365 * DAY_MS, max_message_bytes=2 * MESSAGE_BYTES_MAX),
        # The record of what was published: whoever publishes reads it first, so it is kept whole. One partition: alerts
        # are few, and have one order.
        TopicSpec(alerts_topic, 1, retention_ms=-1),
    )
