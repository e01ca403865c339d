"""The catalogue of meters: what may stand in `usage`, in which unit, and how to call it in front of a customer.

The built-in ones are in meters.toml; an installation adds its own by a file of the same form. A name is never given
another unit or kind: an entry that repeats a built-in name may change its label only.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from topics.errors import CatalogueError
from topics.events import METER_NAME

BUILT_IN = Path(__file__).with_name("meters.toml")
METERS_MAX = 256  # a block has a column for every meter that occurs in it
_ENTRY_KEYS = ("unit", "label", "kind")


class MeterKind(StrEnum):
    """Who gives a meter its price."""

    INFERENCE = "inference"  # the price book
    BUSINESS = "business"  # a surcharge rule, if any


@dataclass(frozen=True, slots=True)
class Meter:
    """One entry of the catalogue."""

    name: str
    unit: str  # one of what is counted, in the singular: "token"
    label: str  # plain words for a statement: "Input tokens"
    kind: MeterKind


class MeterCatalogue(Mapping[str, Meter]):
    """Meters by name, in catalogue order. Equal catalogues have equal entries."""

    def __init__(self, meters: Mapping[str, Meter]) -> None:
        self._meters = dict(meters)

    def __getitem__(self, name: str) -> Meter:
        return self._meters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._meters)

    def __len__(self) -> int:
        return len(self._meters)

    def names(self, kind: MeterKind) -> tuple[str, ...]:
        """The names of one kind, in catalogue order."""
        return tuple(name for name, meter in self._meters.items() if meter.kind is kind)


def load_catalogue(path: Path | None = None) -> MeterCatalogue:
    """The built-in meters and those of `path`. Raises `CatalogueError` naming the file and the entry."""
    meters = _read(BUILT_IN)
    for name, meter in (_read(path) if path is not None else {}).items():
        known = meters.get(name)
        if known is not None and (known.unit, known.kind) != (meter.unit, meter.kind):
            raise CatalogueError(
                f"{path}: [{name}] is a built-in meter in {known.unit}s of kind {known.kind}; "
                "only its label may be changed: choose another name"
            )
        meters[name] = meter
    if len(meters) > METERS_MAX:
        raise CatalogueError(
            f"{path}: {len(meters)} meters are more than {METERS_MAX}; use a tag for what varies freely"
        )
    return MeterCatalogue(meters)


def _read(path: Path) -> dict[str, Meter]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror}): check the setting `meters`") from error
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{path}: is not TOML ({error})") from error
    return {name: _meter(path, name, entry) for name, entry in entries.items()}


def _meter(path: Path, name: str, entry: object) -> Meter:
    where = f"{path}: [{name}]"
    if not METER_NAME.fullmatch(name):
        raise CatalogueError(f"{where} is no meter name: small letters, digits and underscores, at most 64")
    if not isinstance(entry, dict):
        raise CatalogueError(f"{where} must be a table with {', '.join(_ENTRY_KEYS)}")
    unknown = sorted(entry.keys() - set(_ENTRY_KEYS))
    if unknown:
        raise CatalogueError(f"{where} has unknown keys {', '.join(unknown)}; it takes {', '.join(_ENTRY_KEYS)}")
    for key in _ENTRY_KEYS:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            raise CatalogueError(f"{where} needs {key}, a text that is not empty")
    if entry["kind"] not in set(MeterKind):
        raise CatalogueError(f"{where} has kind {entry['kind']!r}; it must be one of {', '.join(MeterKind)}")
    return Meter(name, entry["unit"], entry["label"], MeterKind(entry["kind"]))
