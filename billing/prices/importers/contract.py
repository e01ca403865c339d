"""What an importer answers: entries, aliases and region multipliers for a book, and what it left out, one by one.

Numbers    a price has come as the text of a decimal; no binary fraction ever holds it. A number whose last digits are
           plainly the rest of binary arithmetic (2.0000000000000002E-7) is taken as the decimal meant, and counted.
Left out   `Skipped`: the entry's key, the field where only that is left out, a reason out of `SkipReason`, a sentence.
           What is left out has no price, so usage of it is unpriced and waits: nothing is guessed, nothing becomes 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from pydantic import ValidationError

from billing.documents import BookError
from billing.money import PLAIN, ROUNDING, STEP
from billing.prices.book import Alias, PriceBook, RegionMultiplier
from billing.prices.entry import PriceEntry
from billing.prices.price import PRICE_MAX
from topics.events import CONTROL_CHARACTERS, TEXT_BYTES_MAX

NOISE = Decimal("1e-15")  # of the value: a few units in the last place of a binary double
LONG = 40  # places beyond which a number is told in short
NOISY_DIGITS = 15  # a decimal of so many digits or fewer survives a binary double unharmed


class SkipReason(StrEnum):
    """Why something of a list is not in the book, from "nothing is lost" to "somebody has to look"."""

    NO_PRICE = "no_price"  # the entry states no price: features only, or a subscription
    ALL_ZERO = "all_zero"  # every price is 0: free and unknown look the same; --free takes them
    ANOTHER_UNIT = "another_unit"  # the same usage is priced in another unit, which was taken
    ALLOWANCE = "allowance"  # a free quantity of a period: the statement's business
    LATER = "later"  # applies from a day after the book's
    PATTERN = "pattern"  # a pattern of model names, which stands for no name in particular
    NO_MODE = "no_mode"  # for a service tier that no event can have
    NO_CONDITION = "no_condition"  # depends on something that no event tells
    NO_METER = "no_meter"  # no meter counts what it prices
    TOO_PRECISE = "too_precise"  # not exact at 12 places
    CONFLICT = "conflict"  # another entry prices the same model, mode and region otherwise
    ALIAS = "alias"  # an alias of something that has no price here
    MALFORMED = "malformed"  # no number, or one that no price can be
    UNKNOWN_FIELD = "unknown_field"  # looks like a price, and the importer does not know it


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not in the book."""

    key: str
    field: str  # "" where the whole entry was left out
    reason: SkipReason
    sentence: str

    @property
    def words(self) -> str:
        """One line: key, field, sentence."""
        return f"{self.key}{', ' + self.field if self.field else ''}: {self.sentence}"

    def record(self) -> dict[str, str]:
        """For --json."""
        return {"key": self.key, "field": self.field, "why": self.sentence}


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a list."""

    provider: str
    priced: bool  # has a price above 0
    taken: bool  # is in the book, at least in part


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a list the book holds, of the providers asked for."""

    source: str  # "litellm 1.110.2"
    in_source: int  # entries, whatever they are
    priced: int  # of them, those with a price above 0
    taken: int  # of these, those in the book
    in_part: int  # of these, those of which some price is lost
    not_taken: tuple[str, ...]  # the keys of those priced and not taken
    aliases: int
    noise: int  # numbers taken without the digits of binary arithmetic

    @property
    def share(self) -> Decimal:
        """Taken of those priced, in percent, two places, rounded down."""
        return Decimal(self.taken * 10000 // self.priced) / 100 if self.priced else Decimal(100)

    def record(self) -> dict[str, int | str | list[str]]:
        """For --json."""
        return {
            "source": self.source,
            "in_source": self.in_source,
            "priced": self.priced,
            "taken": self.taken,
            "taken_percent": f"{self.share}",
            "taken_in_part": self.in_part,
            "not_taken": list(self.not_taken),
            "aliases": self.aliases,
            "numbers_without_noise": self.noise,
        }


@dataclass(frozen=True, slots=True)
class ImportedBook:
    """What an importer made of a list."""

    source: str
    in_source: int
    entries: tuple[PriceEntry, ...]
    aliases: tuple[Alias, ...]
    regions: tuple[RegionMultiplier, ...]
    skipped: tuple[Skipped, ...]
    listed: Mapping[str, Listed]  # by key
    noise: int = 0

    @property
    def coverage(self) -> Coverage:
        """How much of the list is in the book."""
        lost = {each.key for each in self.skipped if each.reason in LOST}
        taken = {key for key, each in self.listed.items() if each.priced and each.taken}
        not_taken = tuple(sorted(key for key, each in self.listed.items() if each.priced and not each.taken))
        aliases = sum(len(alias.names) for alias in self.aliases)
        return Coverage(
            source=self.source,
            in_source=self.in_source,
            priced=len(taken) + len(not_taken),
            taken=len(taken),
            in_part=len(taken & lost),
            not_taken=not_taken,
            aliases=aliases,
            noise=self.noise,
        )

    def by_reason(self) -> dict[str, list[Skipped]]:
        """Everything left out, in order of the reasons; reasons without any are missing."""
        listed = {reason.value: [each for each in self.skipped if each.reason is reason] for reason in SkipReason}
        return {
            reason: sorted(those, key=lambda each: (each.key, each.field)) for reason, those in listed.items() if those
        }

    def book(self, *, version: str, effective_from: datetime, currency: str = "USD") -> PriceBook:
        """The book of all this; BookError where the list contradicts itself in a way the importer did not see."""
        if not self.entries:
            why = self.reasons() or "it is empty"
            raise BookError(f"nothing of {self.source} can be taken ({why}): there is no book to write")
        try:
            return PriceBook(
                version=version,
                effective_from=effective_from,
                currency=currency,
                prices=self.entries,
                aliases=self.aliases,
                regions=self.regions,
                content="",
            )
        except ValidationError as error:
            raise BookError(f"{self.source}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None

    def reasons(self) -> str:
        """`12 too_precise, 3 no_mode`."""
        counted = Counter(each.reason.value for each in self.skipped)
        return ", ".join(f"{counted[reason]} {reason.value}" for reason in SkipReason if counted[reason])

    def of(self, providers: Iterable[str]) -> ImportedBook:
        """Only what belongs to some providers; BookError names those that the list does not have."""
        wanted = set(providers)
        missing = sorted(wanted - {entry.provider for entry in self.entries})
        if missing:
            raise BookError(f"{self.source} has no prices of {', '.join(missing)}: check the names")
        others = {key for key, each in self.listed.items() if each.provider not in wanted}
        return replace(
            self,
            entries=tuple(entry for entry in self.entries if entry.provider in wanted),
            aliases=tuple(alias for alias in self.aliases if alias.provider in wanted),
            regions=tuple(region for region in self.regions if region.provider in wanted),
            skipped=tuple(each for each in self.skipped if each.key not in others),
            listed={key: each for key, each in self.listed.items() if key not in others},
        )


# The reasons for which a price that the list states is not in the book, nor another price for the same usage.
LOST = frozenset(SkipReason) - {
    SkipReason.NO_PRICE,
    SkipReason.ALL_ZERO,
    SkipReason.ANOTHER_UNIT,
    SkipReason.ALLOWANCE,
    SkipReason.LATER,
    SkipReason.PATTERN,
}


@dataclass(slots=True)
class Notes:
    """What an importer notices on its way."""

    _seen: dict[tuple[str, str, SkipReason], Skipped] = field(default_factory=dict)
    noise: dict[tuple[str, str], str] = field(default_factory=dict)

    def skip(self, key: str, name: str, reason: SkipReason, sentence: str) -> None:
        """Leave something out."""
        self.add(Skipped(key, name, reason, sentence))

    def add(self, skipped: Skipped) -> None:
        """Leave something out; the same thing is named once."""
        self._seen.setdefault((skipped.key, skipped.field, skipped.reason), skipped)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Everything left out, in the order in which it was met."""
        return tuple(self._seen.values())

    def clean(self, key: str, name: str, value: Decimal) -> Decimal:
        """`value` without noise, which is counted."""
        kept = without_noise(value)
        if kept != value:
            self.noise[key, name] = f"{value:f}"
        return kept


def number(value: object) -> Decimal | None:
    """The exact decimal of a parsed JSON number or numeric text; None for anything else, a float above all."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        return None
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        return None
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def without_noise(value: Decimal) -> Decimal:
    """`value` without a tail of digits that only binary arithmetic leaves; itself where there is none."""
    if len(value.normalize(ROUNDING).as_tuple().digits) <= NOISY_DIGITS:
        return value
    near = value.quantize(STEP, context=ROUNDING)
    return near if near and abs(value - near) <= abs(near) * NOISE else value


def representable(value: Decimal) -> bool:
    """Whether a unit price can stand in a book: 12 places, within bounds."""
    return 0 <= value <= PRICE_MAX and value == value.quantize(STEP, context=ROUNDING)


def too_precise(key: str, name: str, value: Decimal) -> Skipped:
    """The note of a price that no book can hold: not exact at 12 places, or larger than any price."""
    if value > PRICE_MAX:
        return Skipped(key, name, SkipReason.MALFORMED, f"{value:.3g} for one unit is more than {PRICE_MAX:,}")
    told = f"{value:f}" if value.adjusted() > -LONG else f"{value:.3g}"
    return Skipped(key, name, SkipReason.TOO_PRECISE, f"{told} for one unit is not exact at 12 places")


def unusable(*names: str) -> str:
    """Why one of these is no name that an event can have, "" where all are."""
    for name in names:
        text = printable(name)
        if text != name or CONTROL_CHARACTERS.search(name) or not 1 <= len(name.encode()) <= TEXT_BYTES_MAX:
            return f"{text[:80]!r} is no name that an event can have"
    return ""


def printable(name: str) -> str:
    """`name`, and what no encoding has of it written out."""
    return name.encode(errors="backslashreplace").decode()


def refusal(error: ValidationError) -> str:
    """The first thing that is wrong, in its own words."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: " * bool(where) + str(first["msg"]).removeprefix("Value error, ")
