"""The hot path for columnar batches: no Python per event, a little per record, a little per distinct set of tags.

What a row needs is computed for all rows of all batches at once; a row that is not certainly right is read again by
itself (topics/encodings/columnar_row.py), so that it gets the verdict it would have got as JSON.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pyarrow as pa

from topics.block import DIMENSION_COLUMNS, USAGE_PREFIX, RawRecord, Rejection
from topics.diagnose import reject
from topics.dimensions import UNUSABLE, Dimensions
from topics.encodings.columnar_read import as_binary, read_batches
from topics.encodings.columnar_row import row_fields, single_row
from topics.errors import EventRefusedError
from topics.events import AnyEvent, UsageEvent, valid_traceparent
from topics.parts import ABSENT, Part, check_ids, part_of_events
from topics.quantities import QUANTITY_UNIT
from topics.times import TIME_MAX, TIME_MIN
from topics.validation import Place, validate_event

QUANTITY_UNITS_MAX = 10**12
WORDS_MAX = 1 << 18
_BROKEN_TEXT = -1  # the code of a tag that is not UTF-8
_DEFAULTS = {
    name: "" if UsageEvent.model_fields[name].is_required() else str(UsageEvent.model_fields[name].default)
    for name in DIMENSION_COLUMNS
}


@dataclass(slots=True)
class ColumnarBlock:
    """What became of the columnar records of a block."""

    parts: list[Part] = field(default_factory=list)
    rejections: list[tuple[int, Rejection]] = field(default_factory=list)  # (position, rejection)


@dataclass(slots=True)
class _Rows:
    """One batch of one record."""

    position: int
    first_index: int
    batch: pa.RecordBatch
    good: np.ndarray
    times: np.ndarray
    ids: pl.Series
    traceparents: pl.Series | None
    codes: dict[str, np.ndarray]  # tag -> codes of its words
    quantities: dict[str, np.ndarray]


class ColumnarDecoder:
    """Decodes columnar records; keeps the words that tags are made of."""

    def __init__(self, meters: Container[str], dimensions: Dimensions, partitions: int) -> None:
        self._meters = meters
        self._dimensions = dimensions
        self._partitions = partitions
        self.reset()

    def reset(self) -> None:
        """Forget all words."""
        self._codes: dict[str, dict[bytes, int]] = {name: {} for name in DIMENSION_COLUMNS}
        self._words: dict[str, list[str]] = {name: [_DEFAULTS[name]] for name in DIMENSION_COLUMNS}

    @property
    def full(self) -> bool:
        """Whether it is time for a reset."""
        return sum(map(len, self._words.values())) > WORDS_MAX

    def decode(self, records: Sequence[RawRecord], positions: Sequence[int]) -> ColumnarBlock:
        """The events of the records at `positions`, each with a value of acceptable size."""
        block = ColumnarBlock()
        rows: list[_Rows] = []
        for position in positions:
            try:
                batches = read_batches(records[position].value or b"")
            except EventRefusedError as refused:
                block.rejections.append((position, reject(records[position], refused)))
                continue
            index = 0
            for batch in batches:
                if batch.num_rows:
                    rows.append(self._rows(position, index, batch))
                index += batch.num_rows
        if rows:
            self._finish(records, rows, block)
        return block

    def _rows(self, position: int, first_index: int, batch: pa.RecordBatch) -> _Rows:
        height = batch.num_rows
        good = np.ones(height, dtype=bool)
        quantities: dict[str, np.ndarray] = {}
        codes: dict[str, np.ndarray] = {}
        traceparents = None
        used = np.zeros(height, dtype=bool)
        for name in batch.schema.names:
            column = batch.column(name)
            if name.startswith(USAGE_PREFIX):
                meter = name.removeprefix(USAGE_PREFIX)
                millionths, present = _quantities(column, good)
                if meter in self._meters:
                    quantities[meter] = millionths
                    used |= present
                else:
                    good &= ~present
            elif name == "time":
                times = _times(column, good)
            elif name == "id":
                ids = _ids(column, good)
            elif name == "traceparent":
                traceparents = _traceparents(column, good)
            else:
                codes[name] = self._tag_codes(name, column, good)
        good &= used
        return _Rows(position, first_index, batch, good, times, ids, traceparents, codes, quantities)

    def _tag_codes(self, name: str, column: pa.Array, good: np.ndarray) -> np.ndarray:
        """Codes of the words in this tag's column; 0 is the default, also for null."""
        if not pa.types.is_dictionary(column.type):
            column = as_binary(column).dictionary_encode()
            dictionary = column.dictionary
        else:
            dictionary = as_binary(column.dictionary)
        words = [self._word_code(name, word) for word in dictionary.to_pylist()]
        table = np.array([*words, 0], dtype=np.int64)  # index -1, for null, takes the last
        indices = column.indices
        if indices.null_count:
            indices = indices.fill_null(-1)
        codes: np.ndarray = table[indices.to_numpy(zero_copy_only=False)]
        if _BROKEN_TEXT in words:
            good &= codes != _BROKEN_TEXT
            codes = np.maximum(codes, 0)
        return codes

    def _word_code(self, name: str, word: bytes | None) -> int:
        if word is None:
            return 0
        codes = self._codes[name]
        code = codes.get(word)
        if code is None:
            try:
                text = word.decode()
            except UnicodeDecodeError:
                return _BROKEN_TEXT
            code = codes[word] = len(self._words[name])
            self._words[name].append(text)
        return code

    def _finish(self, records: Sequence[RawRecord], rows: list[_Rows], block: ColumnarBlock) -> None:
        counts = [len(each.good) for each in rows]
        positions = np.repeat(np.array([each.position for each in rows], dtype=np.int64), counts)
        indexes = np.concatenate([np.arange(each.first_index, each.first_index + len(each.good)) for each in rows])
        good = np.concatenate([each.good for each in rows])
        dimensions = self._numbers(rows, counts)
        good &= dimensions != UNUSABLE
        good &= self._well_placed(records, positions, dimensions, good)
        meters = sorted({meter for each in rows for meter in each.quantities})
        part = Part(
            positions,
            indexes,
            np.concatenate([each.times for each in rows]),
            dimensions,
            pl.concat([each.ids for each in rows]),
            pl.concat([_empty(len(each.good)) if each.traceparents is None else each.traceparents for each in rows]),
            {meter: np.concatenate([_quantity(each, meter) for each in rows]) for meter in meters},
        )
        if good.all():
            block.parts.append(part)
            return
        block.parts.append(part.take(np.flatnonzero(good)))
        starts = np.cumsum([0, *counts])
        places: list[tuple[int, int]] = []
        events: list[AnyEvent] = []
        for row in np.flatnonzero(~good).tolist():
            number = int(np.searchsorted(starts, row, side="right")) - 1
            each, index = rows[number], row - int(starts[number])
            try:
                events.append(self._read_row(records[each.position], each.batch, index))
                places.append((each.position, each.first_index + index))
            except EventRefusedError as refused:
                whole = reject(records[each.position], refused)
                one = replace(whole, index=each.first_index + index, value=single_row(each.batch, index))
                block.rejections.append((each.position, one))
        block.parts.append(part_of_events(places, events, self._dimensions))

    def _numbers(self, rows: list[_Rows], counts: list[int]) -> np.ndarray:
        """The number of each row's set of tags, or UNUSABLE."""
        names = [name for name in DIMENSION_COLUMNS if any(name in each.codes for each in rows)]
        columns = [
            np.concatenate(
                [
                    each.codes[name] if name in each.codes else np.zeros(count, dtype=np.int64)
                    for each, count in zip(rows, counts, strict=True)
                ]
            )
            for name in names
        ]
        combination, firsts = _combinations(columns)
        numbers = []
        for row in firsts.tolist():
            words = {name: self._words[name][int(column[row])] for name, column in zip(names, columns, strict=True)}
            numbers.append(
                self._dimensions.usage_number(tuple((_DEFAULTS | words)[name] for name in DIMENSION_COLUMNS))
            )
        numbers_of_rows: np.ndarray = np.array(numbers, dtype=np.int64)[combination]
        return numbers_of_rows

    def _well_placed(
        self, records: Sequence[RawRecord], positions: np.ndarray, dimensions: np.ndarray, good: np.ndarray
    ) -> np.ndarray:
        """Whether the subject of each row belongs to the record's key and partition."""
        size = max(len(self._dimensions), 1)
        pairs, inverse = np.unique(positions * size + np.maximum(dimensions, 0), return_inverse=True)
        fits = np.zeros(len(pairs), dtype=bool)
        for place, pair in enumerate(pairs.tolist()):
            record, number = records[pair // size], pair % size
            if len(self._dimensions):
                fits[place] = record.partition == self._dimensions.homes[number] and (
                    record.key is None or record.key == self._dimensions.keys[number]
                )
        well_placed: np.ndarray = fits[inverse]
        return well_placed

    def _read_row(self, record: RawRecord, batch: pa.RecordBatch, row: int) -> AnyEvent:
        envelope, data = row_fields(batch, row)
        place = Place(record.key, record.partition, self._partitions, key_required=False)
        return validate_event(envelope, data, meters=self._meters, place=place)


def _combinations(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct rows of `columns`: each row's number, and a row of each number."""
    key = np.zeros(len(columns[0]), dtype=np.int64)
    size = 1
    for column in columns:
        width = int(column.max()) + 1
        if width == 1:
            continue
        if size * width >= 1 << 62:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            size = int(key.max()) + 1
        key = key * width + column
        size *= width
    _, firsts, inverse = np.unique(key, return_index=True, return_inverse=True)
    return inverse.astype(np.int64), firsts


def _quantities(column: pa.Array, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Millionths (ABSENT for null), and where there is one; what is out of range costs its row."""
    present = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_decimal(column.type):
        words = _elements(column.buffers()[1], "<i8", 2 * column.offset, 2 * len(column)).reshape(-1, 2)
        fits = (words[:, 1] == 0) & (words[:, 0] >= 0) & (words[:, 0] <= QUANTITY_UNITS_MAX * QUANTITY_UNIT)
        millionths = words[:, 0]
    else:
        units = _elements(column.buffers()[1], "<i8", column.offset, len(column))
        fits = (units >= 0) & (units <= QUANTITY_UNITS_MAX)
        millionths = np.where(fits, units, 0) * QUANTITY_UNIT
    good &= fits | ~present
    return np.where(fits & present, millionths, ABSENT), present


def _times(column: pa.Array, good: np.ndarray) -> np.ndarray:
    times = _elements(column.buffers()[1], "<i8", column.offset, len(column))
    if column.null_count:
        good &= column.is_valid().to_numpy(zero_copy_only=False)
    good &= (times >= TIME_MIN) & (times <= TIME_MAX)
    return times


def _ids(column: pa.Array, good: np.ndarray) -> pl.Series:
    texts, characters = _texts(as_binary(column), good)
    check_ids(texts, characters, good)
    return texts


def _traceparents(column: pa.Array, good: np.ndarray) -> pl.Series:
    texts, _ = _texts(as_binary(column), good)
    return pl.Series([valid_traceparent(text) for text in texts.to_list()], dtype=pl.String)


def _texts(binary: pa.Array, good: np.ndarray) -> tuple[pl.Series, bytes]:
    """The column as text ("" for null), and all of its characters. A text that is not UTF-8 costs its row."""
    if binary.null_count:
        binary = binary.fill_null(b"")
    _, offsets, characters = binary.buffers()
    ends = _elements(offsets, "<i4", binary.offset, len(binary) + 1)
    span = bytes(characters[int(ends[0]) : int(ends[-1])]) if characters is not None else b""
    if span.isascii():
        return pl.Series(pl.from_arrow(binary.view(pa.string()))), span
    decoded: list[str] = []
    for row, value in enumerate(binary.to_pylist()):
        try:
            decoded.append(value.decode())
        except UnicodeDecodeError:
            decoded.append("")
            good[row] = False
    return pl.Series(decoded, dtype=pl.String), span


def _elements(buffer: pa.Buffer, form: str, first: int, count: int) -> np.ndarray:
    """So many of a buffer's elements, from the first; the buffer may be longer, by a part of an element, too."""
    kind = np.dtype(form)
    return np.frombuffer(buffer, dtype=kind, count=count, offset=first * kind.itemsize)


def _quantity(rows: _Rows, meter: str) -> np.ndarray:
    column = rows.quantities.get(meter)
    return np.full(len(rows.good), ABSENT, dtype=np.int64) if column is None else column


def _empty(height: int) -> pl.Series:
    return pl.repeat("", height, dtype=pl.String, eager=True)
