"""What was published, as the log has it: the only thing the independent recomputation starts from.

Format  JSONL, one event a line: its place (partition, offset, index), the record's time, the record's key and the
        event as structured JSON text, also where it went out in another encoding. A record that was broken on purpose
        stands there as it was sent, with its content type, and surrogates for bytes that are not UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

STRUCTURED = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Published:
    """One event at its place in the log."""

    partition: int
    offset: int
    index: int  # position inside a columnar batch, else 0
    record_time: int  # microseconds since 1970, appended by the broker
    key: str | None  # None for a columnar batch without a key
    value: str | None  # None for a record without a value
    content_type: str = STRUCTURED


def write_published(path: Path, published: Iterable[Published]) -> None:
    """Write the lines in the order of the log."""
    with path.open("w", encoding="ascii") as lines:
        for each in sorted(published, key=lambda event: (event.partition, event.offset, event.index)):
            lines.write(json.dumps(asdict(each)) + "\n")


def read_published(path: Path) -> Iterator[Published]:
    """The lines of such a file."""
    with path.open(encoding="ascii") as lines:
        for line in lines:
            yield Published(**json.loads(line))
