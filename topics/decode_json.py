"""The hot path for JSON: usage events in structured or binary mode, decoded without a model and checked as columns.

Idea    Of a usage event only id, time and quantities differ from the one before. So the `data` object is cut around
        its `usage`: what stands before and after (`head`, `tail`) is looked up as bytes and parsed once per distinct
        text, and only the quantities are parsed each time.
Sound   (head, tail) is taken as known only after head + {"#":0} + tail has been parsed as `data` with usage {"#":0}:
        then the cut is where usage stands, and any other JSON object parsed from between the two is its usage.
        Text that JSON forbids never gets there, as the envelope's parser has read all of it.
Limits  Anything unusual is left to topics/diagnose.py: this accepts less, and never anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
from pydantic_core import PydanticCustomError

from topics.block import RawRecord
from topics.dimensions import UNUSABLE, Dimensions
from topics.encodings.binary import attributes
from topics.encodings.json_text import DEPTH_MAX
from topics.errors import EventRefusedError
from topics.events import SPECVERSION, UsageEvent, valid_traceparent
from topics.parts import ABSENT, Part, check_ids
from topics.quantities import QUANTITY_UNIT, Number, quantity_millionths
from topics.times import IRREGULAR, parse_time, parse_times

QUANTITY_UNITS_MAX = 10**12
HEADS_MAX = 1 << 16  # known texts, and their bytes together
HEAD_BYTES_MAX = 1 << 25
_MARK = "#"  # no meter's name
_MARKED = b'{"#":0}'


class _Envelope(msgspec.Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    """The attributes that are usual, in the order in which our encoders write them, which is read fastest.

    Unknown ones may nest, so they go through `_AnyEnvelope`."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["ai.usage.v1"]
    time: str
    subject: str
    traceparent: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw
    dataschema: str | None = None
    tracestate: str | None = None


class _AnyEnvelope(msgspec.Struct, gc=False):
    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["ai.usage.v1"]
    time: str
    subject: str
    data: msgspec.Raw
    traceparent: Any = None


class _Data(msgspec.Struct, gc=False):
    builder: str
    tenant: str
    usage: dict[str, Any]
    workspace: str | None = None
    deployment: str | None = None
    feature: str | None = None
    workflow: str | None = None
    action: str | None = None
    business_unit: str | None = None
    outcome: str | None = None
    provider: str | None = None
    model: str | None = None
    requested_model: str | None = None
    mode: str | None = "standard"
    route: str | None = "primary"
    region: str | None = None
    status: str | None = "completed"
    usage_source: str | None = "provider"


_DEFAULTS = {"mode": "standard", "route": "primary", "status": "completed", "usage_source": "provider"}
_TAG_NAMES = tuple(name for name in UsageEvent.model_fields if name in _Data.__struct_fields__ and name != "usage")


class _UnusualError(ValueError):
    """Left to the slow path."""


class JsonDecoder:
    """Decodes usage events; keeps what it has learned about texts of tags."""

    def __init__(self, meters: Iterable[str], dimensions: Dimensions) -> None:
        self._meters = list(meters)
        self._meter_codes = {meter: code for code, meter in enumerate(self._meters)}
        self._dimensions = dimensions
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._decode_any = msgspec.json.Decoder(_AnyEnvelope).decode
        self._decode_data = msgspec.json.Decoder(_Data, float_hook=Number).decode
        self._decode_usage = msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode
        self.reset()

    def reset(self) -> None:
        """Forget everything; has to go with `Dimensions.reset`."""
        self._known: dict[tuple[bytes, bytes, str, str], int] = {}
        self._known_bytes = 0

    @property
    def full(self) -> bool:
        """Whether it is time for a reset."""
        return len(self._known) > HEADS_MAX or self._known_bytes > HEAD_BYTES_MAX

    def decode(self, records: Sequence[RawRecord], positions: Sequence[int], *, binary: bool) -> tuple[Part, list[int]]:
        """The events at `positions`, and the positions it leaves alone; all in binary mode, or all structured.

        Every one of the records has a value of acceptable size."""
        read, known, learn, decode_usage = self._decode, self._known, self._learn, self._decode_usage
        keys, homes = self._dimensions.keys, self._dimensions.homes
        taken: list[int] = []
        left: list[int] = []
        ids: list[str] = []
        times: list[str] = []
        traceparents: list[Any] = []
        dimensions: list[int] = []
        usages: list[dict[str, Any]] = []
        for position in positions:
            record = records[position]
            try:
                envelope: Any
                if binary:
                    envelope = _binary_envelope(record)
                else:
                    try:
                        envelope = read(record.value)  # type: ignore[arg-type]
                    except msgspec.ValidationError:
                        envelope = self._read_any(record.value)  # type: ignore[arg-type]
                data = bytes(envelope.data)
                start = data.rfind(b"{")
                end = data.find(b"}", start) + 1
                key = (data[:start], data[end:], envelope.source, envelope.subject)
                dimension = known.get(key)
                if dimension is None:
                    dimension = learn(key)
                usage = decode_usage(data[start:end])
            except (msgspec.MsgspecError, ValueError, RecursionError, EventRefusedError):
                left.append(position)
                continue
            if record.key != keys[dimension] or record.partition != homes[dimension]:
                left.append(position)
                continue
            taken.append(position)
            ids.append(envelope.id)
            times.append(envelope.time)
            traceparents.append(envelope.traceparent)
            dimensions.append(dimension)
            usages.append(usage)
        good = np.ones(len(taken), dtype=bool)
        part = Part(
            np.array(taken, dtype=np.int64),
            np.zeros(len(taken), dtype=np.int64),
            _moments(times, good),
            np.array(dimensions, dtype=np.int64),
            _ids(ids, good),
            _traceparents(traceparents),
            self._quantities(usages, good),
        )
        if not good.all():
            left.extend(part.positions[~good].tolist())
            part = part.take(np.flatnonzero(good))
        return part, left

    def _read_any(self, value: bytes) -> Any:
        value.decode()  # the parser does not look into texts that it skips
        if value.count(b"{") + value.count(b"[") > DEPTH_MAX:
            raise _UnusualError
        return self._decode_any(value)

    def _learn(self, key: tuple[bytes, bytes, str, str]) -> int:
        head, tail, source, subject = key
        text = head + _MARKED + tail
        text.decode()
        if text.count(b"{") + text.count(b"[") >= DEPTH_MAX - 1:  # the envelope is a level, too
            raise _UnusualError
        data = self._decode_data(text)
        if data.usage != {_MARK: 0} or subject != f"{data.builder}/{data.tenant}":
            raise _UnusualError
        tags = (source, *(_tag(data, name) for name in _TAG_NAMES))
        number = self._dimensions.usage_number(tags)
        if number == UNUSABLE:
            raise _UnusualError
        self._known[key] = number
        self._known_bytes += len(head) + len(tail) + len(source) + len(subject)
        return number

    def _quantities(self, usages: list[dict[str, Any]], good: np.ndarray) -> dict[str, np.ndarray]:
        values = list(chain.from_iterable(map(dict.values, usages)))
        counts = np.fromiter(map(len, usages), dtype=np.int64, count=len(usages))
        rows = np.repeat(np.arange(len(usages)), counts)
        codes = np.fromiter(
            map(self._meter_codes.get, chain.from_iterable(usages), repeat(-1)), dtype=np.int64, count=len(values)
        )
        good &= counts > 0
        good[rows[codes < 0]] = False
        millionths, wrong = _millionths(values)
        good[rows[wrong]] = False
        present = np.unique(codes[codes >= 0])
        lines = np.zeros(len(self._meters) + 1, dtype=np.int64)
        lines[present] = np.arange(len(present))
        # An unknown meter's value goes to a line that is thrown away.
        matrix = np.full((len(present) + 1, len(usages)), ABSENT, dtype=np.int64)
        matrix[np.where(codes < 0, len(present), lines[codes]), rows] = millionths
        return {self._meters[code]: matrix[line] for line, code in enumerate(present.tolist())}


def _tag(data: _Data, name: str) -> str:
    value: str | None = getattr(data, name)
    return _DEFAULTS.get(name, "") if value is None else value


def _binary_envelope(record: RawRecord) -> _AnyEnvelope:
    given = attributes(record.headers)
    value = record.value or b""
    value.decode()
    if given.get("specversion") != SPECVERSION or given.get("type") != UsageEvent.TYPE:
        raise _UnusualError
    if value.count(b"{") + value.count(b"[") >= DEPTH_MAX:
        raise _UnusualError
    # The parser has not read this value yet; `_learn` and the parsing of the quantities see every byte of it.
    return _AnyEnvelope(
        specversion="1.0",
        id=_attribute(given, "id"),
        source=_attribute(given, "source"),
        type="ai.usage.v1",
        time=_attribute(given, "time"),
        subject=_attribute(given, "subject"),
        data=msgspec.Raw(value),
        traceparent=given.get("traceparent"),
    )


def _attribute(given: dict[str, str], name: str) -> str:
    if name not in given:
        raise _UnusualError
    return given[name]


def _millionths(values: list[Any]) -> tuple[np.ndarray, list[int]]:
    """Quantities in millionths, and the places of those that are none."""
    if set(map(type, values)) <= {int}:
        try:
            units = np.array(values, dtype=np.int64)
        except OverflowError:
            pass
        else:
            if not len(units) or (units.min() >= 0 and units.max() <= QUANTITY_UNITS_MAX):
                return units * QUANTITY_UNIT, []
    millionths: list[int] = []
    wrong: list[int] = []
    for place, value in enumerate(values):
        try:
            millionths.append(quantity_millionths(value))
        except PydanticCustomError:
            millionths.append(ABSENT)
            wrong.append(place)
    return np.array(millionths, dtype=np.int64), wrong


def _moments(texts: list[str], good: np.ndarray) -> np.ndarray:
    times = parse_times(texts)
    for row in np.flatnonzero(times == IRREGULAR).tolist():
        try:
            times[row] = parse_time(texts[row])
        except PydanticCustomError:
            good[row] = False
    return times


def _ids(ids: list[str], good: np.ndarray) -> pl.Series:
    column = pl.Series(ids, dtype=pl.String)
    check_ids(column, "".join(ids).encode(), good)
    return column


def _traceparents(given: list[Any]) -> pl.Series:
    if not any(given):
        return pl.repeat("", len(given), dtype=pl.String, eager=True)
    return pl.Series([valid_traceparent(each) if each else "" for each in given], dtype=pl.String)
