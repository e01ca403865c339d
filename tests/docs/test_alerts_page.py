"""docs/alerts.md: its alert is one, and its gateway warns and stops when it is run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from topics.administration import create_topics
from topics.alerts import AlertEvent, AlertKind, decode_alert, encode_alert
from topics.catalogue import ALERTS_TOPIC, TopicSpec

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def shown() -> AlertEvent:
    """The alert on the page."""
    return decode_alert(block("json").encode())


def test_the_alert_on_the_page_is_one() -> None:
    event = shown()
    assert (event.kind, event.threshold, event.past_cap) == (AlertKind.CAP, 100, "stop")
    assert event.limit is not None
    assert event.used > event.limit


@dataclass
class Request:
    """What a gateway has in hand."""

    builder: str
    tenant: str
    outcome: list[Any] = field(default_factory=list)

    def refuse(self, status: int, why: str) -> None:
        self.outcome.append((status, why))

    def add_header(self, name: str, value: str) -> None:
        self.outcome.append((name, value))

    async def handle(self) -> None:
        self.outcome.append("handled")


async def test_the_gateway_on_the_page_warns_and_stops(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"period_start": "2999-10-01T00:00:00Z", "period_end": "2999-11-01T00:00:00Z"}
    tenant, half = "docs-stopped", "docs-warned"
    stopped = shown().model_dump() | late | {"tenant": tenant}
    warned = stopped | {"tenant": half, "threshold": 50, "label": "Included tasks", "past_cap": None}
    await create_topics(bootstrap_servers, [TopicSpec(ALERTS_TOPIC, 1, retention_ms=-1)])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for fields in (stopped, warned):
            message = encode_alert(AlertEvent.model_validate(fields))
            await producer.send_and_wait(ALERTS_TOPIC, message.value, key=message.key, headers=list(message.headers))
    code = block("python").replace("127.0.0.1:29092", bootstrap_servers)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/alerts.md", "exec"), names)
    given = [Request("acme", tenant), Request("acme", half), Request("acme", "docs-unknown")]

    async def requests() -> AsyncIterator[Request]:
        for request in given:
            yield request

    await names["serve"](requests())
    assert [request.outcome for request in given] == [
        [(402, "The spend cap of 200 USD is reached.")],
        [("X-Usage-Warning", "Included tasks: 50 %"), "handled"],
        ["handled"],
    ]
