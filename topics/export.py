"""The contract for people without our code: JSON Schema of each event, AsyncAPI of the topics.

`python -m topics.export` writes docs/schemas/ from topics/events.py; a test holds the committed files current. What
a schema cannot say (lengths in bytes, that the subject is builder/tenant, that amounts balance) is in the descriptions,
and judged by the decoder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from topics.alerts import AlertEvent
from topics.catalogue import ALERTS_TOPIC, DEAD_LETTER_TOPIC, RAW_TOPIC
from topics.encodings.message import BINARY, COLUMNAR, STRUCTURED
from topics.events import ENVELOPE_FIELDS, EVENT_TYPES, SPECVERSION, TEXT_BYTES_MAX, Event
from topics.reasons import SENTENCES

FOLDER = Path("docs/schemas")
PUBLISHED: dict[str, type[Event]] = {AlertEvent.TYPE: AlertEvent}  # by us, for others to read
_ENVELOPE = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "traceparent", "data")


def documents() -> dict[str, dict[str, Any]]:
    """File name to content."""
    schemas = {_file_name(name): event_schema(model) for name, model in (EVENT_TYPES | PUBLISHED).items()}
    return schemas | {"asyncapi.json": asyncapi()}


def event_schema(model: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of an event as structured JSON."""
    flat = model.model_json_schema()
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    fields = {name: _field(flat["properties"][name], field) for name, field in model.model_fields.items()}
    data = {name: schema for name, schema in fields.items() if name not in ENVELOPE_FIELDS}
    envelope = {name: schema for name, schema in fields.items() if name in ENVELOPE_FIELDS} | {
        "specversion": {"const": SPECVERSION, "description": "The version of CloudEvents."},
        "type": {"const": model.TYPE, "description": "What kind of event this is."},
        "subject": {
            "type": "string",
            "pattern": "^[^/]+/[^/]+$",
            "description": "builder/tenant, equal to the fields in data and to the Kafka key.",
        },
        "datacontenttype": {"type": "string", "description": f"{BINARY}, if given."},
        "data": {
            "type": "object",
            "required": [name for name in data if name not in optional],
            "properties": data,
        },
    }
    # A malformed traceparent counts as absent, so a schema must not refuse it.
    envelope["traceparent"] = {"description": fields["traceparent"]["description"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:tollstream:{model.TYPE}",
        "title": model.TYPE,
        "description": (model.__doc__ or "").strip(),
        "type": "object",
        "required": [name for name in _ENVELOPE if name not in ("datacontenttype", "traceparent")],
        "properties": {name: envelope[name] for name in _ENVELOPE},
        "$defs": flat.get("$defs", {}),
    }


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 of what is published to the raw topic, and of what can be read from the topic of alerts."""
    messages = {
        name: {
            "name": name,
            "title": (model.__doc__ or "").strip().splitlines()[0],
            "contentType": STRUCTURED,
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": {"$ref": _file_name(name)},
            },
            "bindings": {"kafka": {"key": {"type": "string", "description": "The subject, builder/tenant, as UTF-8."}}},
        }
        for name, model in (EVENT_TYPES | PUBLISHED).items()
    }
    reasons = "\n".join(f"- `{reason.value}`: {sentence}" for reason, sentence in SENTENCES.items())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tollstream usage events",
            "version": "1",
            "description": f"Structured JSON ({STRUCTURED}), binary mode ({BINARY} and ce_ headers), or a columnar "
            f"batch of usage events ({COLUMNAR}). What cannot be billed goes to {DEAD_LETTER_TOPIC}, with one of these "
            f"reasons:\n{reasons}",
        },
        "channels": {
            "raw": {
                "address": RAW_TOPIC,
                "description": "Every change of money. Topic epoch n > 1 has the name with .n appended.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in EVENT_TYPES},
            },
            "alerts": {
                "address": ALERTS_TOPIC,
                "description": "Thresholds of allowances, credits and caps that tenants have passed. Read it with "
                "isolation.level=read_committed: alerts are published in transactions, one for each crossing.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in PUBLISHED},
            },
        },
        "operations": {
            "publish": {"action": "send", "channel": {"$ref": "#/channels/raw"}},
            "follow": {"action": "receive", "channel": {"$ref": "#/channels/alerts"}},
        },
        "components": {"messages": messages},
    }


def write(folder: Path) -> list[Path]:
    """Write every document; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in documents().items():
        path = folder / name
        path.write_text(text(content), encoding="utf-8")
        written.append(path)
    return written


def text(content: dict[str, Any]) -> str:
    """As it stands in a file."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _file_name(event_type: str) -> str:
    return f"{event_type}.schema.json"


def _field(schema: dict[str, Any], field: FieldInfo) -> dict[str, Any]:
    optional = not field.is_required()
    schema = {name: value for name, value in schema.items() if name not in ("title", "default", "description")}
    if schema.get("type") == "string" and "format" not in schema and "pattern" not in schema:
        schema["maxLength"] = schema.get("maxLength", TEXT_BYTES_MAX)
        if not optional:
            schema["minLength"] = 1
    if not optional:
        return schema | {"description": field.description}
    if "anyOf" in schema:  # it says already that it may be null
        return schema | {"default": field.default, "description": field.description}
    return {"anyOf": [schema, {"type": "null"}], "default": str(field.default), "description": field.description}


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        sys.stdout.write(f"{path}\n")
