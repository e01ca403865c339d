"""From genai-prices to entries: one for each model, and for each service tier that has prices of its own.

Dates     a price with a start date applies from that day on; taken is what applies when the book takes effect. What
          starts later is named: it belongs into the book of that day.
Hours     a price of some hours of the day becomes hours of the entry; they are in UTC.
Names     a model's id, and the names that it matches as a whole, as aliases. A pattern is named, and stands for none:
          a served name that only a pattern matches is unpriced until somebody writes it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from pydantic import ValidationError

from billing.prices.book import Alias
from billing.prices.entry import PriceEntry, Provenance
from billing.prices.importers.contract import (
    ImportedBook,
    Listed,
    Notes,
    SkipReason,
    number,
    printable,
    refusal,
    unusable,
)
from billing.prices.importers.genai.module import models_of
from billing.prices.importers.genai.prices import Resolved, resolve
from billing.prices.writing import readable

PROVIDERS = {
    "aws": "bedrock",
    "fireworks": "fireworks_ai",
    "github-copilot": "github_copilot",
    "google": "gemini",
    "moonshotai": "moonshot",
    "together": "together_ai",
    "voyageai": "voyage",
    "x-ai": "xai",
}
MODES = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
}
Prices = dict[str, object]
Window = tuple[str, str, Prices]


def import_genai_prices(
    document: object, *, at: date, source: str = "genai-prices", free: bool = False
) -> ImportedBook:
    """Everything that a book which takes effect `at` that day can hold."""
    notes = Notes()
    models = [_Model(provider, model, notes, at) for provider, model in models_of(document)]
    entries: dict[tuple[str, str, str, str], PriceEntry] = {}
    taken: set[str] = set()
    priced = {model.key for model in models if any(_numbers(model.document.get("prices")))}
    for model in models:
        wrong = unusable(model.provider, model.name)
        if wrong:
            notes.skip(model.key, "", SkipReason.MALFORMED, wrong)
            continue
        if not free and model.key not in priced:
            reason = (
                SkipReason.ALL_ZERO
                if any(True for _ in _numbers(model.document.get("prices")))
                else SkipReason.NO_PRICE
            )
            notes.skip(
                model.key,
                "",
                reason,
                "every price is 0: free or unknown" if reason is SkipReason.ALL_ZERO else "states no price",
            )
            continue
        for entry in model.entries(source):
            if entries.setdefault(entry.key, entry) is entry:
                taken.add(model.key)
            else:
                notes.skip(model.key, "", SkipReason.CONFLICT, f"{entry.words} is listed twice; the first one is taken")
    aliases = tuple(_aliases(models, {(entry.provider, entry.model) for entry in entries.values()}, notes))
    return ImportedBook(
        source=source,
        in_source=len(models),
        entries=tuple(entries.values()),
        aliases=aliases,
        regions=(),
        skipped=notes.skipped,
        listed={model.key: Listed(model.provider, model.key in priced, model.key in taken) for model in models},
    )


def _numbers(value: object) -> Iterator[Decimal]:
    """Every price somewhere in a model's prices; thresholds, dates and hours are none."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name not in {"constraint", "start"}:
                yield from _numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    else:
        price = number(value)
        if price is not None:
            yield price


@dataclass(slots=True)
class _Model:
    """A model of the list."""

    of: Mapping[str, object]
    document: Mapping[str, object]
    notes: Notes
    at: date
    provider: str = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.provider = PROVIDERS.get(str(self.of.get("id")), str(self.of.get("id")))
        self.key = printable(f"{self.of.get('id')}:{self.document['id']}")

    @property
    def name(self) -> str:
        """The model's id."""
        return str(self.document["id"])

    def entries(self, source: str) -> Iterator[PriceEntry]:
        """The standard entry, and one for each service tier with prices of its own."""
        base, windows = self._standard()
        urls = self.of.get("pricing_urls")
        url = str(urls[0]) if isinstance(urls, list) and urls else ""
        provenance = Provenance(source=source, key=self.key[:512], url=printable(url) if len(url) <= 256 else "")
        modes: dict[str, Prices] = {"standard": {}, **self._modes()}
        for mode, overrides in modes.items():
            try:
                plain = resolve(self.key, {**base, **overrides}, self.notes)
                if not plain.meters:
                    continue
                yield PriceEntry.model_validate(
                    {
                        "provider": self.provider,
                        "model": self.name,
                        "mode": mode,
                        "meters": {meter: readable(price) for meter, price in plain.meters.items()},
                        "tiers": plain.tiers,
                        "hours": list(self._hours(windows, overrides, plain)),
                        "provenance": provenance,
                    }
                )
            except ValidationError as error:
                self.notes.skip(self.key, "prices", SkipReason.NO_CONDITION, refusal(error))

    def _standard(self) -> tuple[Prices, list[Window]]:
        """The prices outside of all hours, and those of hours; of several conditions that hold the last one decides."""
        prices = self.document.get("prices")
        if isinstance(prices, Mapping):
            return dict(prices), []
        listed = [each for each in prices if isinstance(each, Mapping)] if isinstance(prices, list) else []
        windows: list[Window] = []
        for each in reversed(listed):
            constraint, given = each.get("constraint"), each.get("prices")
            found = dict(given) if isinstance(given, Mapping) else {}
            if isinstance(constraint, Mapping) and "start_time" in constraint:
                windows.append((str(constraint["start_time"]), str(constraint.get("end_time")), found))
            elif self._applies(constraint):
                return found, windows
        first = listed[0].get("prices") if listed else None
        return dict(first) if isinstance(first, Mapping) else {}, windows

    def _applies(self, constraint: object) -> bool:
        """Whether a condition of dates holds on the day of the book."""
        if constraint is None:
            return True
        start = constraint.get("start_date") if isinstance(constraint, Mapping) else None
        try:
            begins = date.fromisoformat(str(start))
        except ValueError:
            self.notes.skip(
                self.key, "prices", SkipReason.NO_CONDITION, f"{str(constraint)[:80]!r} is a condition unknown here"
            )
            return False
        if begins > self.at:
            self.notes.skip(
                self.key, "prices", SkipReason.LATER, f"other prices from {begins}: import again for that day"
            )
        return begins <= self.at

    def _modes(self) -> dict[str, Prices]:
        """Service tier to the prices that it replaces; of several variants the first decides, price by price."""
        found: dict[str, Prices] = {}
        variants = self.document.get("price_variants")
        for variant in variants if isinstance(variants, list) else ():
            if not isinstance(variant, Mapping):
                self.notes.skip(self.key, "price_variants", SkipReason.MALFORMED, f"{str(variant)[:80]!r} is none")
                continue
            when, prices = variant.get("when"), variant.get("prices")
            if not isinstance(when, Mapping) or not isinstance(prices, Mapping) or not prices:
                continue
            [(name, value)] = when.items() if len(when) == 1 else [("", "")]
            mode = MODES.get((str(name), str(value)))
            if mode is None:
                words = ", ".join(f"{name} {value}" for name, value in when.items())
                self.notes.skip(
                    self.key, f"price_variants, {words}", SkipReason.NO_MODE, "for something that no event tells"
                )
            elif self._applies(variant.get("constraint")):
                found[mode] = {**prices, **found.get(mode, {})}
        return found

    def _hours(self, windows: list[Window], overrides: Prices, plain: Resolved) -> Iterator[Mapping[str, object]]:
        for begin, end, prices in windows:
            cheap = resolve(self.key, {**prices, **overrides}, self.notes)
            if cheap.tiers or plain.tiers:
                self.notes.skip(
                    self.key, "prices", SkipReason.NO_CONDITION, "prices of hours that differ by the prompt's size"
                )
                continue
            meters = {
                meter: readable(price) for meter, price in cheap.meters.items() if price != plain.meters.get(meter)
            }
            if meters:
                yield {"from": _clock(begin), "to": _clock(end), "meters": meters}


def _clock(text: str) -> str:
    """`16:30` of a time of day in UTC, such as `16:30:00Z`; what is none as it is, for the entry to refuse."""
    try:
        return datetime.fromisoformat(f"2026-01-01T{text}").strftime("%H:%M")
    except ValueError:
        return printable(text)


def _aliases(models: list[_Model], priced: set[tuple[str, str]], notes: Notes) -> Iterator[Alias]:
    owner: dict[tuple[str, str], str] = {}
    for model in models:
        if (model.provider, model.name) not in priced:
            continue
        for clause in _clauses(model.document.get("match")):
            if isinstance(clause, str):
                if unusable(clause):
                    notes.skip(model.key, "match", SkipReason.MALFORMED, unusable(clause))
                elif (model.provider, clause) not in priced:
                    owner.setdefault((model.provider, clause), model.name)
            else:
                words = ", ".join(f"{name} {value!r}" for name, value in clause.items())
                notes.skip(
                    model.key,
                    f"match, {words}"[:200],
                    SkipReason.PATTERN,
                    "a pattern of names: write those in use as aliases",
                )
    names: dict[tuple[str, str], list[str]] = {}
    for (provider, name), meant in owner.items():
        names.setdefault((provider, meant), []).append(name)
    for (provider, meant), others in sorted(names.items()):
        yield Alias(provider=provider, model=meant, names=tuple(sorted(others)))


def _clauses(match: object) -> Iterator[str | Mapping[str, object]]:
    """The names that are matched as a whole, and every other clause."""
    if not isinstance(match, Mapping):
        return
    if isinstance(match.get("or"), list):
        for clause in match["or"]:
            yield from _clauses(clause)
    elif isinstance(match.get("equals"), str):
        yield match["equals"]
    else:
        yield match
