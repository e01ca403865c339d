"""The oracle's own books: prices and surcharge rules from TOML, and what one event comes to under them.

Rules   A book is a full snapshot; at the event's time the one with the greatest effective_from that is not later
        applies. A price is that of provider, model (whose aliases stand for it), mode and region, else of no region
        times the region's multiplier; replaced by the highest tier that the prompt reaches, then by the hours of the
        day, then by their own tier. Of the rules that match, the one that names the weightiest field wins
        (MATCH_ORDER), among equals the next field decides; the served name goes before the one it is an alias of.
Amounts quantity x unit price, each rounded; their sum is the base; reward = base x share, rounded; fee = base - reward;
        charge by the rule, rounded, then cap, then floor; earnings = charge - base. Half-even, 12 places.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tollstream.demo.oracle.events import EPOCH, Event

MATCH_ORDER = (
    *("tenant", "workspace", "builder", "feature", "workflow", "action"),
    *("model", "model_class", "provider", "mode", "route"),
)
STEP = Decimal("0.000000000001")
HUNDRED = Decimal(100)
ZERO = Decimal(0)
Book = Mapping[str, Any]
_Terms = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, Decimal, Decimal]
PROMPT = (
    *("input_tokens", "cached_input_tokens", "explicit_cached_input_tokens"),
    *("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens"),
    *("audio_input_tokens", "cached_audio_input_tokens", "image_input_tokens", "cached_image_input_tokens"),
    *("video_input_tokens", "tool_use_input_tokens"),
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Rating:
    """What one event comes to; `amounts` in the order charge, reward, fee, earnings, None when unpriced."""

    amounts: tuple[Decimal, ...] | None
    unpriced_reason: str  # "" when rated
    currency: str
    price_version: str
    rule_version: str
    rule_id: str


class Books:
    """All versions of both books, and the built-in or the installation's meters (name -> inference | business)."""

    def __init__(self, prices: list[Book], rules: list[Book], meters: Mapping[str, str]) -> None:
        self._prices = _timeline(prices)
        self._rules = _timeline(rules)
        self._meters = meters
        self._terms: dict[tuple[object, ...], _Terms] = {}
        self._plain: dict[tuple[int, Decimal], dict[str, Decimal]] = {}  # of entries whose prices have no conditions

    @staticmethod
    def load(prices: Path, rules: Path, meters: Mapping[str, str]) -> Books:
        """From TOML files, or folders of them."""
        return Books(_read(prices), _read(rules), meters)

    def rate(self, event: Event) -> Rating:
        """The amounts of a usage event, or why it has none."""
        tags, usage = dict(event.tags), dict(event.usage)
        book, rules = _at(self._prices, event.time), _at(self._rules, event.time)
        rule, entry, multiplier, share = self._resolved(event.tags, book, rules)
        prices = self._unit_prices(entry, multiplier, usage, event.time) if entry else {}
        reason, base = "", ZERO
        for meter, quantity in usage.items():
            if quantity and self._meters[meter] == "inference":
                if meter not in prices:
                    reason = "no_price" if tags["provider"] and tags["model"] else "no_model"
                else:
                    base += _rounded(quantity * prices[meter])
        if book is None:
            reason = "no_book"
        elif not reason and rule is None:
            reason = "no_rule"
        elif not reason and rule is not None and rule["kind"] == "unit_price" and rule["meter"] not in usage:
            reason = "no_unit"
        amounts = None
        if not reason and book is not None and rule is not None:
            reward = _rounded(base * share)
            charge = _charge(rule, base, usage)
            amounts = (charge, reward, base - reward, charge - base)
        return Rating(
            amounts=amounts,
            unpriced_reason=reason,
            currency=book["currency"] if book else "",
            price_version=book["version"] if book else "",
            rule_version=rules["version"] if rules else "",
            rule_id=rule["id"] if rule else "",
        )

    def _unit_prices(
        self, entry: Mapping[str, Any], multiplier: Decimal, usage: Mapping[str, Decimal], time: int
    ) -> dict[str, Decimal]:
        if entry.get("tiers") or entry.get("hours"):
            return _unit_prices(entry, multiplier, usage, time)
        key = (id(entry), multiplier)
        if key not in self._plain:
            self._plain[key] = _unit_prices(entry, multiplier, usage, time)
        return self._plain[key]

    def _resolved(self, tags: tuple[tuple[str, str], ...], book: Book | None, rules: Book | None) -> _Terms:
        """Rule, price entry, multiplier and reward share of a set of tags; remembered: most events are like others."""
        key = (tags, book["version"] if book else None, rules["version"] if rules else None)
        if key not in self._terms:
            names = dict(tags)
            entry, multiplier = _entry(book, names) if book else (None, Decimal(1))
            self._terms[key] = (
                _most_specific(rules, names, _canonical(book, names) if book else names["model"]) if rules else None,
                entry,
                multiplier,
                _share(book, names["provider"]) if book else ZERO,
            )
        return self._terms[key]


def _charge(rule: Mapping[str, Any], base: Decimal, usage: Mapping[str, Decimal]) -> Decimal:
    kind = rule["kind"]
    if kind == "markup":
        charge = base * (1 + Decimal(rule["percent"]) / HUNDRED)
    elif kind == "margin":
        charge = base / (1 - Decimal(rule["percent"]) / HUNDRED)
    elif kind == "per_unit":
        charge = base + _rounded(Decimal(rule["amount"]) * usage.get(rule["meter"], ZERO))
    elif kind == "unit_price":
        charge = Decimal(rule["amount"]) * usage[rule["meter"]]
    elif kind == "included":
        charge = ZERO
    elif kind == "pass_through":
        charge = base
    else:
        raise ValueError(f"rule {rule['id']}: the oracle does not know the kind {kind}")
    charge = _rounded(charge)
    if "cap" in rule:
        charge = min(charge, Decimal(rule["cap"]))
    if "floor" in rule:
        charge = max(charge, Decimal(rule["floor"]))
    return charge


def _most_specific(book: Book, tags: Mapping[str, str], canonical: str) -> Mapping[str, Any] | None:
    classes = book.get("model_classes", {})

    def matches(rule: Mapping[str, Any], model: str) -> bool:
        named = {**tags, "model": model}
        return all(
            model in classes[wanted] if field == "model_class" else named[field] == wanted
            for field, wanted in rule.get("match", {}).items()
        )

    def weight(rule: Mapping[str, Any]) -> tuple[list[bool], bool]:
        return [field in rule.get("match", {}) for field in MATCH_ORDER], matches(rule, tags["model"])

    found = [rule for rule in book["rules"] if matches(rule, tags["model"]) or matches(rule, canonical)]
    return max(found, key=weight, default=None)


def _canonical(book: Book, tags: Mapping[str, str]) -> str:
    for alias in book.get("aliases", ()):
        if alias["provider"] == tags["provider"] and tags["model"] in alias["names"]:
            return str(alias["model"])
    return tags["model"]


def _entry(book: Book, tags: Mapping[str, str]) -> tuple[Mapping[str, Any] | None, Decimal]:
    """The entry that prices these tags, and what its prices are multiplied by."""
    model = _canonical(book, tags)
    for region in (tags["region"], ""):
        for entry in book["prices"]:
            wanted = (entry["provider"], entry["model"], entry.get("mode", "standard"), entry.get("region", ""))
            if wanted == (tags["provider"], model, tags["mode"], region):
                return entry, _multiplier(book, tags, model) if region != tags["region"] else Decimal(1)
    return None, Decimal(1)


def _multiplier(book: Book, tags: Mapping[str, str], model: str) -> Decimal:
    regions = [each for each in book.get("regions", ()) if each["provider"] == tags["provider"]]
    own = [each for each in regions if each["region"] == tags["region"] and model in each.get("models", ())]
    of_all = [each for each in regions if each["region"] == tags["region"] and not each.get("models")]
    return Decimal((own + of_all)[0]["multiplier"]) if own or of_all else Decimal(1)


def _unit_prices(
    entry: Mapping[str, Any], multiplier: Decimal, usage: Mapping[str, Decimal], time: int
) -> dict[str, Decimal]:
    prompt = sum((usage.get(meter, ZERO) for meter in PROMPT), ZERO)
    meters = dict(entry["meters"]) | _tier(entry, prompt)
    for hours in entry.get("hours", ()):
        if _within(hours, EPOCH + timedelta(microseconds=time)):
            meters |= dict(hours["meters"]) | _tier(hours, prompt)
    return {meter: _unit_price(price) * multiplier for meter, price in meters.items()}


def _tier(priced: Mapping[str, Any], prompt: Decimal) -> dict[str, Any]:
    reached = [
        (Decimal(tier.get("from", tier.get("above"))), "above" in tier, tier["meters"])
        for tier in priced.get("tiers", ())
        if ("from" in tier and prompt >= tier["from"]) or ("above" in tier and prompt > tier["above"])
    ]
    return dict(max(reached, key=lambda tier: tier[:2])[2]) if reached else {}


def _within(hours: Mapping[str, Any], moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(hours.get("zone", "UTC")))
    now = f"{local:%H:%M}"
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    days = hours.get("days", DAYS)
    if hours["from"] < hours["to"]:
        return today in days and hours["from"] <= now < hours["to"]
    return (today in days and now >= hours["from"]) or (yesterday in days and now < hours["to"])


def _unit_price(price: object) -> Decimal:
    if isinstance(price, Mapping):
        return Decimal(price["price"]) / Decimal(price.get("per", 1))
    return Decimal(str(price))


def _share(book: Book, provider: str) -> Decimal:
    for contract in book.get("rewards", ()):
        if contract["provider"] == provider:
            return Decimal(contract["share"])
    return Decimal(book.get("default_reward_share", "0.70"))


def _timeline(books: list[Book]) -> list[tuple[int, Book]]:
    return [(_microseconds(book["effective_from"]), book) for book in books if not book.get("retroactive")]


def _at(versions: list[tuple[int, Book]], time: int) -> Book | None:
    begun = [(start, book) for start, book in versions if start <= time]
    return max(begun, key=lambda version: version[0])[1] if begun else None


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(STEP, ROUND_HALF_EVEN)


def _read(path: Path) -> list[Book]:
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    return [tomllib.loads(file.read_text(encoding="utf-8")) for file in files]


def _microseconds(moment: datetime | str) -> int:
    aware = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (aware - EPOCH) // timedelta(microseconds=1)
