"""Topics of a test's own."""

from __future__ import annotations

from tests.support.topics import read_topic, small_topic, topic

__all__ = ("read_topic", "small_topic", "topic")
