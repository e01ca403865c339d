"""Records of the raw topic to a block of columns; the decoder of the stream.

Complete  every record becomes events, or rejections, or both (a batch): Span.events counts them all.
Pure      the same records give the same block, whatever was decoded before; no clock, no I/O.
Robust    no input raises. Cost is linear in the bytes; an event that is not plainly right costs some 50 µs.
Not here  lateness, duplicates and targets: those are judged against the log (agents/).
"""

from __future__ import annotations

from collections.abc import Sequence

from topics.block import DecodedBlock, RawRecord, Rejection
from topics.content import Encoding
from topics.decode_columnar import ColumnarDecoder
from topics.decode_json import JsonDecoder
from topics.diagnose import check_record, read_record, reject
from topics.dimensions import Dimensions
from topics.errors import EventRefusedError
from topics.events import AnyEvent
from topics.meters import MeterCatalogue
from topics.parts import Part, assemble, part_of_events

RECORD_BYTES_MAX = 1_048_576
DIMENSIONS_MAX = 1 << 17


class Decoder:
    """Decodes blocks for one caller at a time; `partitions` is the raw topic's number of partitions."""

    def __init__(self, catalogue: MeterCatalogue, *, partitions: int, max_record_bytes: int = RECORD_BYTES_MAX) -> None:
        self._meters = frozenset(catalogue)
        self._partitions = partitions
        self._record_bytes_max = max_record_bytes
        self._dimensions = Dimensions(partitions)
        self._json = JsonDecoder(catalogue, self._dimensions)
        self._columnar = ColumnarDecoder(self._meters, self._dimensions, partitions)

    def decode(self, records: Sequence[RawRecord]) -> DecodedBlock:
        """The block of these records, which are in the order of the log within each partition."""
        if self._json.full or self._columnar.full or len(self._dimensions) > DIMENSIONS_MAX:
            self._dimensions.reset()
            self._json.reset()
            self._columnar.reset()
        structured, binary, columnar, unusual = self._sort(records)
        part, left = self._json.decode(records, structured, binary=False)
        binary_part, binary_left = self._json.decode(records, binary, binary=True)
        batches = self._columnar.decode(records, columnar)
        rest, rejections = self._read(records, unusual + left + binary_left)
        rejections += batches.rejections
        rejections.sort(key=lambda each: (each[0], each[1].index))
        return assemble(
            records,
            [part, binary_part, *batches.parts, rest],
            [rejection for _, rejection in rejections],
            self._dimensions,
        )

    def _sort(self, records: Sequence[RawRecord]) -> tuple[list[int], list[int], list[int], list[int]]:
        """The positions of structured, binary and columnar records, and of those whose value is not even looked at."""
        structured: list[int] = []
        binary: list[int] = []
        columnar: list[int] = []
        unusual: list[int] = []
        lists = {Encoding.STRUCTURED: structured, Encoding.BINARY: binary, Encoding.COLUMNAR: columnar}
        bytes_max = self._record_bytes_max
        # Most records have the headers of the one before; those of binary mode hold an id, and differ.
        last: Sequence[tuple[str, bytes | None]] | None = None
        positions = unusual
        for position, record in enumerate(records):
            headers, value = record.headers, record.value
            if headers != last or value is None or len(value) > bytes_max:
                try:
                    positions = lists[check_record(record, bytes_max)]
                except EventRefusedError:
                    unusual.append(position)
                    last = None
                    continue
                last = headers
            positions.append(position)
        return structured, binary, columnar, unusual

    def _read(self, records: Sequence[RawRecord], positions: list[int]) -> tuple[Part, list[tuple[int, Rejection]]]:
        """The slow and complete reading of single records."""
        events: list[AnyEvent] = []
        places: list[tuple[int, int]] = []
        rejections: list[tuple[int, Rejection]] = []
        for position in sorted(positions):
            record = records[position]
            try:
                events.append(
                    read_record(
                        record,
                        meters=self._meters,
                        partitions=self._partitions,
                        record_bytes_max=self._record_bytes_max,
                    )
                )
                places.append((position, 0))
            except EventRefusedError as refused:
                rejections.append((position, reject(record, refused)))
        return part_of_events(places, events, self._dimensions), rejections
