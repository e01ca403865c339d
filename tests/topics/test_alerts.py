"""Alerts as they stand on Kafka: written, read back, and what their schema says of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from topics import export
from topics.alerts import THRESHOLDS, AlertChange, AlertEvent, AlertKind, PastCap, decode_alert, encode_alert
from topics.errors import TopicError

jsonschema = pytest.importorskip("jsonschema")
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)


def alert(**changes: Any) -> AlertEvent:
    fields = {
        "id": "5f2c",
        "source": "tollstream/alerts",
        "time": datetime(2026, 10, 17, 12, 0, 0, 250_000, tzinfo=UTC),
        "builder": "acme",
        "tenant": "globex",
        "period": "2026-10",
        "period_start": OCTOBER,
        "period_end": datetime(2026, 11, 1, tzinfo=UTC),
        "kind": AlertKind.CAP,
        "item": "cap",
        "label": "Spend cap",
        "unit": "USD",
        "used": Decimal("20.000000000001"),
        "limit": Decimal("20.000000000000"),
        "threshold": 100,
        "change": AlertChange.REACHED,
        "occurrence": 1,
        "past_cap": PastCap.STOP,
    }
    return AlertEvent.model_validate(fields | changes)


GONE = alert(kind=AlertKind.ALLOWANCE, item="pro/tasks", unit="tasks", limit=None, threshold=0, past_cap=None,
             change=AlertChange.FALLEN, occurrence=2, label="", used=Decimal(0))  # fmt: skip


@pytest.mark.parametrize("given", [alert(), GONE, alert(used=Decimal("1E+3"))], ids=["cap", "gone", "exponent"])
def test_an_alert_is_read_as_it_was_written_and_fits_its_schema(given: AlertEvent) -> None:
    message = encode_alert(given)
    assert decode_alert(message.value) == given
    assert message.key == b"acme/globex"
    assert dict(message.headers) == {"content-type": b"application/cloudevents+json"}
    document = json.loads(message.value)
    schema = export.documents()["ai.usage.alert.v1.schema.json"]
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)
    assert isinstance(document["data"]["used"], str), "a JSON number would be read as a float"


def test_money_and_quantities_stand_in_plain_notation() -> None:
    data = json.loads(encode_alert(alert(used=Decimal("1E+3"))).value)["data"]
    assert (data["used"], data["limit"]) == ("1000", "20")


def test_a_field_of_a_later_version_is_ignored() -> None:
    document = json.loads(encode_alert(alert()).value)
    document["data"]["colour"] = "red"
    document["partitionkey"] = "acme/globex"
    assert decode_alert(json.dumps(document).encode()) == alert()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no alert"),
        (b"{", "no alert"),
        (b"[]", "no alert"),
        (b'{"type": "ai.usage.v1", "data": {}}', "is a ai.usage.v1"),
        (b'{"type": "ai.usage.alert.v1", "data": {"threshold": 50}}', "no alert"),
    ],
)
def test_what_is_no_alert_is_refused_with_a_sentence(value: bytes | None, words: str) -> None:
    with pytest.raises(TopicError, match=words):
        decode_alert(value)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 101}, {"occurrence": 0}, {"kind": "mood"}, {"item": ""}, {"used": Decimal("0.0000000000001")}],
)
def test_an_alert_that_says_nothing_possible_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        alert(**wrong)


def test_thresholds_rise_and_end_with_all_of_it() -> None:
    assert THRESHOLDS == (50, 80, 100)


def test_the_topic_of_alerts_is_in_the_exported_contract() -> None:
    contract = export.asyncapi()
    assert contract["channels"]["alerts"]["address"] == "usage.alerts"
    assert list(contract["channels"]["raw"]["messages"]) == [
        "ai.usage.v1",
        "ai.usage.void.v1",
        "ai.usage.adjustment.v1",
    ]
    assert contract["operations"]["follow"] == {"action": "receive", "channel": {"$ref": "#/channels/alerts"}}
