"""The exported schemas are current, and say of the examples what the decoder says, as far as a schema can."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from topics import export
from topics.events import EVENT_TYPES
from topics.reasons import Reason

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "topics" / "examples"
# What a schema cannot see: bytes, Kafka, sums, calendars; and how a number was written.
UNSEEN = {
    Reason.CONTROL_CHARACTER,
    Reason.FIELD_TOO_LONG,
    Reason.INVALID_TIME,
    Reason.NAIVE_TIME,
    Reason.INVALID_VALUE,
    Reason.SUBJECT_MISMATCH,
    Reason.UNKNOWN_METER,
    Reason.QUANTITY_TOO_PRECISE,
    Reason.QUANTITY_TOO_LARGE,
    Reason.QUANTITY_NOT_FINITE,
    Reason.UNBALANCED_ADJUSTMENT,
    Reason.NESTED_TOO_DEEP,
    Reason.INVALID_UTF8,
    Reason.NOT_JSON,
}


def validates(document: Any) -> bool:
    schema = export.documents().get(f"{document.get('type')}.schema.json") if isinstance(document, dict) else None
    return schema is not None and jsonschema.Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize("name", sorted(export.documents()))
def test_the_committed_file_is_current(name: str) -> None:
    committed = (ROOT / export.FOLDER / name).read_text(encoding="utf-8")
    assert committed == export.text(export.documents()[name]), "run `python -m topics.export` and commit docs/schemas"


def test_no_file_is_left_over() -> None:
    assert {path.name for path in (ROOT / export.FOLDER).iterdir()} == set(export.documents())


@pytest.mark.parametrize("path", sorted((EXAMPLES / "good").iterdir()), ids=lambda path: path.stem)
def test_a_good_example_fits_its_schema(path: Path) -> None:
    assert validates(json.loads(path.read_bytes(), parse_float=Decimal))


@pytest.mark.parametrize("path", sorted((EXAMPLES / "bad").iterdir()), ids=lambda path: path.stem)
def test_a_bad_example_does_not_fit_where_a_schema_can_tell(path: Path) -> None:
    if Reason(path.name.partition(".")[0]) not in UNSEEN:
        assert not validates(json.loads(path.read_bytes(), parse_float=Decimal, parse_int=Decimal))


def test_every_field_says_what_it_is() -> None:
    for model in (EVENT_TYPES | export.PUBLISHED).values():
        schema = export.event_schema(model)
        for fields in (schema["properties"], schema["properties"]["data"]["properties"]):
            for name, field in fields.items():
                assert field.get("description") or name == "data", (model.TYPE, name)
