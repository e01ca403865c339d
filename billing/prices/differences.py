"""What a new price book would change, served name by served name, and what of it nobody should publish unread.

Change      one price of one name under one condition: provider, model as served, mode, region, condition, meter; the
            old and the new price of one unit, None where there is none, and how many times the old one the new one is.
Conditions  prices are compared as they apply: where only one of the books has a tier or hours, the other's price under
            that condition is the one that applies there without them. So an added tier shows as the change it makes.
Regions     likewise: where only one of the books has an entry of a region, the other's price is that of the entry for
            any region, times this region's multiplier. A multiplier that changes is told by itself.
Aliases     a name that stands for the same model in both books changes with that model, and is not listed again.
Dangers     sentences: half of the book or more would be gone, a price would be ten times or a tenth of what it was, or
            become free or stop being free, or the currency would be another one.
Retroactive versions replace nothing, and usage that they have no price for stays as it is: such a book is compared only
            in what it has entries for, model and mode, and in what else decides about their prices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from billing.money import EXACT, ROUNDING
from billing.prices.book import PriceBook
from billing.prices.conditions import Hours, Tier
from billing.prices.entry import PriceEntry
from billing.prices.price import Price
from billing.prices.sheet import PriceSheet

JUMP = 10  # times the old price, up or down
RATIO_PLACES = Decimal("0.000001")
Condition = tuple[tuple[int, str] | None, str]  # (bound in millionths of a token and its words, or none; hours' words)
Served = dict[tuple[str, str], str]  # (provider, served name) -> model
Entries = dict[tuple[str, str], dict[tuple[str, str], PriceEntry]]  # (provider, model) -> (mode, region) -> entry


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One price that would be added, removed or changed."""

    provider: str
    model: str
    mode: str
    region: str
    condition: str  # "", "above 200000", "16:30 to 00:30 UTC", or both
    meter: str
    old: Decimal | None
    new: Decimal | None

    @property
    def kind(self) -> str:
        """added, removed or changed."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def ratio(self) -> Decimal | None:
        """How many times the old price the new one is, to 6 places; None without either, or where it was free."""
        if self.new is None or not self.old:
            return None
        return ROUNDING.divide(self.new, self.old).quantize(RATIO_PLACES, context=ROUNDING)

    @property
    def where(self) -> str:
        """`openai / gpt-5 / batch, above 200000, input_tokens`."""
        name = " / ".join(filter(None, (self.provider, self.model, self.mode, self.region)))
        return ", ".join(filter(None, (name, self.condition, self.meter)))

    @property
    def words(self) -> str:
        """One line for a reviewer."""
        times = f" (x{self.ratio.normalize():f})" if self.ratio is not None else ""
        return f"{self.kind} {self.where}: {_plain(self.old)} -> {_plain(self.new)}{times}"

    def record(self) -> dict[str, str | None]:
        """For --json: amounts as text."""
        return {
            "kind": self.kind,
            "provider": self.provider,
            "model": self.model,
            "mode": self.mode,
            "region": self.region,
            "condition": self.condition,
            "meter": self.meter,
            "old": None if self.old is None else _plain(self.old),
            "new": None if self.new is None else _plain(self.new),
            "ratio": None if self.ratio is None else f"{self.ratio.normalize():f}",
        }


@dataclass(frozen=True, slots=True)
class PriceDifference:
    """Everything that would change."""

    changes: tuple[PriceChange, ...]
    terms: tuple[str, ...]  # aliases, region multipliers, reward shares, currency: a sentence each
    dangers: list[str]
    entries_before: int
    entries_after: int

    @property
    def counts(self) -> dict[str, int]:
        """How many prices are added, removed, changed."""
        counted = Counter(change.kind for change in self.changes)
        return {kind: counted[kind] for kind in ("added", "removed", "changed")}

    @property
    def empty(self) -> bool:
        """Whether both books say the same."""
        return not (self.changes or self.terms)


def compare(old: PriceBook | None, new: PriceBook) -> PriceDifference:
    """What `new` changes against `old`, None meaning that nothing is published yet: then everything is added."""
    changes = tuple(sorted(_changes(old, new), key=_order))
    terms = tuple(_terms(old, new)) if old else ()
    dangers = list(_dangers(old, new, changes)) if old else []
    return PriceDifference(changes, terms, dangers, len(old.prices) if old else 0, len(new.prices))


def _order(change: PriceChange) -> tuple[str, ...]:
    return change.provider, change.model, change.mode, change.region, change.condition, change.meter


def _changes(old: PriceBook | None, new: PriceBook) -> Iterator[PriceChange]:
    served_before, served_after = _served(old), _served(new)
    before, after = _entries(old), _entries(new)
    for provider, name in served_before.keys() | served_after.keys():
        model_before = served_before.get((provider, name))
        model_after = served_after.get((provider, name))
        if model_before == model_after != name:
            continue
        olds = before.get((provider, model_before), {}) if model_before is not None else {}
        news = after.get((provider, model_after), {}) if model_after is not None else {}
        if new.retroactive:
            modes = {mode for mode, _ in news}
            olds = {key: entry for key, entry in olds.items() if key[0] in modes}
        for key in olds.keys() | news.keys():
            if key in olds and key in news and _same(olds[key], news[key]):
                continue
            was, becomes = (book.sheet(provider, name, *key) if book else None for book in (old, new))
            for condition, meter, old_price, new_price in _entry_changes(was, becomes):
                yield PriceChange(provider, name, *key, condition, meter, old_price, new_price)


def _served(book: PriceBook | None) -> Served:
    if book is None:
        return {}
    names = {(entry.provider, entry.model): entry.model for entry in book.prices}
    return names | {(alias.provider, name): alias.model for alias in book.aliases for name in alias.names}


def _entries(book: PriceBook | None) -> Entries:
    indexed: Entries = {}
    for entry in book.prices if book else ():
        indexed.setdefault((entry.provider, entry.model), {})[entry.mode, entry.region] = entry
    return indexed


def _same(one: PriceEntry, other: PriceEntry) -> bool:
    return (one.meters, one.tiers, one.hours) == (other.meters, other.tiers, other.hours)


def _entry_changes(
    old: PriceSheet | None, new: PriceSheet | None
) -> Iterator[tuple[str, str, Decimal | None, Decimal | None]]:
    both = [sheet.entry for sheet in (old, new) if sheet is not None]
    for condition in sorted({condition for entry in both for condition in _conditions(entry)}, key=str):
        for meter in sorted({meter for entry in both for meters in entry.all_meters() for meter in meters}):
            if not any(_names(entry, condition, meter) for entry in both):
                continue  # what applies there is the price of a wider condition, which has its own line
            was, becomes = (_price(sheet, condition, meter) if sheet else None for sheet in (old, new))
            if was != becomes:
                yield _condition_words(condition), meter, was, becomes


def _conditions(entry: PriceEntry) -> Iterator[Condition]:
    tiers = [None, *((tier.millionths_above, tier.words) for tier in entry.tiers)]
    yield from ((tier, "") for tier in tiers)
    for hours in entry.hours:
        inner = [(tier.millionths_above, tier.words) for tier in hours.tiers]
        yield from ((tier, hours.words) for tier in dict.fromkeys([*tiers, *inner]))


def _condition_words(condition: Condition) -> str:
    tier, hours = condition
    return ", ".join(filter(None, (hours, tier[1] if tier else "")))


def _names(entry: PriceEntry, condition: Condition, meter: str) -> bool:
    """Whether the entry gives the meter a price of its own under exactly this condition."""
    tier, hours = condition
    outer = _at(entry.tiers, tier)
    if not hours:
        return meter in (outer.meters if outer else entry.meters if tier is None else {})
    met = _hours(entry, hours)
    inner = _at(met.tiers, tier) if met else None
    if inner is not None and meter in inner.meters:
        return True
    # Hours replace a tier's price: the pair is news where both name the meter, or the hours alone without a tier.
    return met is not None and meter in met.meters and (tier is None or (outer is not None and meter in outer.meters))


def _price(sheet: PriceSheet, condition: Condition, meter: str) -> Decimal | None:
    """The price of one unit that applies under the condition."""
    entry, (tier, hours) = sheet.entry, condition
    bound = tier[0] if tier else -1
    met = _hours(entry, hours)
    layers: list[dict[str, Price]] = [entry.meters]
    layers += [each.meters for each in entry.tiers if each.millionths_above <= bound][-1:]
    if met is not None:
        layers.append(met.meters)
        layers += [each.meters for each in met.tiers if each.millionths_above <= bound][-1:]
    found = next((layer[meter] for layer in reversed(layers) if meter in layer), None)
    if found is None or sheet.multiplier is None:
        return found.unit_price if found else None
    return EXACT.multiply(found.unit_price, sheet.multiplier)


def _at(tiers: tuple[Tier, ...], tier: tuple[int, str] | None) -> Tier | None:
    return next((each for each in tiers if tier and each.millionths_above == tier[0]), None)


def _hours(entry: PriceEntry, words: str) -> Hours | None:
    return next((hours for hours in entry.hours if words and hours.words == words), None)


def _terms(old: PriceBook, new: PriceBook) -> Iterator[str]:
    """What changes beside the prices of entries."""
    if old.currency != new.currency:
        yield f"currency: {old.currency} -> {new.currency}"
    if old.default_reward_share != new.default_reward_share:
        yield f"reward share of all other providers: {old.default_reward_share:f} -> {new.default_reward_share:f}"
    decides = _scope(new)
    shares = [
        {contract.provider: contract.share for contract in book.rewards if decides(contract.provider, "")}
        for book in (old, new)
    ]
    yield from _moved("reward share of", *shares)
    multipliers = [{_joined(key): value for key, value in _multipliers(each, new)} for each in (old, new)]
    yield from _moved("multiplier of", *multipliers)
    aliases = [
        {
            _joined((provider, name)): model
            for (provider, name), model in _served(each).items()
            if model != name and decides(provider, model)
        }
        for each in (old, new)
    ]
    yield from _moved("alias", *aliases)


def _scope(new: PriceBook) -> Callable[[str, str], bool]:
    """Whether what is said about a provider, or (unless "") about one of its models, bears on what is compared."""
    if not new.retroactive:
        return lambda provider, model: True
    named = {(entry.provider, model) for entry in new.prices for model in ("", entry.model)}
    return lambda provider, model: (provider, model) in named


def _moved(
    what: str, old: dict[str, Decimal] | dict[str, str], new: dict[str, Decimal] | dict[str, str]
) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        was, becomes = old.get(name), new.get(name)
        if was != becomes:
            words = (f"{each:f}" if isinstance(each, Decimal) else each or "none" for each in (was, becomes))
            yield f"{what} {name}: {' -> '.join(words)}"


def _joined(parts: tuple[str, ...]) -> str:
    return " / ".join(filter(None, parts))


def _multipliers(book: PriceBook, new: PriceBook) -> Iterator[tuple[tuple[str, str, str], Decimal]]:
    decides = _scope(new)
    for region in book.regions:
        for model in region.models or ("",):
            if decides(region.provider, model):
                yield (region.provider, region.region, model), region.multiplier


def _dangers(old: PriceBook, new: PriceBook, changes: tuple[PriceChange, ...]) -> Iterator[str]:
    if old.currency != new.currency:
        yield f"the currency would be {new.currency} in place of {old.currency}: every price would mean something else"
    sizes = {
        "entries": (len(old.prices), len(new.prices)),
        "prices": (sum(len(entry.meters) for entry in old.prices), sum(len(entry.meters) for entry in new.prices)),
    }
    for what, (was, becomes) in sizes.items():
        if becomes * 2 <= was and not new.retroactive:
            yield f"the book would shrink from {was} {what} to {becomes}: half of it or more would be gone"
            break
    for change in changes:
        if change.old is not None and change.new is not None:
            jump = _jump(change.old, change.new)
            if jump:
                yield f"{change.where}: {_plain(change.old)} -> {_plain(change.new)}, {jump}"
    before, after = dict(_multipliers(old, new)), dict(_multipliers(new, new))
    for key in sorted(before.keys() | after.keys()):
        was_times, becomes_times = before.get(key, Decimal(1)), after.get(key, Decimal(1))
        jump = _jump(was_times, becomes_times)
        if jump:
            yield f"multiplier of {_joined(key)}: {was_times:f} -> {becomes_times:f}, {jump}"


def _jump(old: Decimal, new: Decimal) -> str:
    """Why a move is one that somebody has to confirm, "" where it is not."""
    if old == new:
        return ""
    if not old:
        return "no longer free"
    if not new:
        return "becomes free"
    if new >= old * JUMP:
        return f"{JUMP} times as much or more"
    if new * JUMP <= old:
        return "a tenth or less"
    return ""


def _plain(price: Decimal | None) -> str:
    """`0.0000025`, without the zeros of the twelfth place."""
    if price is None:
        return "none"
    return f"{price.normalize(EXACT):f}"
