"""From litellm's map to entries: one for each model as served, service tier and region.

Several keys can price one model (`gemini-2.5-pro` and `vertex_ai/gemini-2.5-pro`; pictures of each size). Prices that
agree or complement each other become one entry. Where they contradict, the key that names the provider wins, as it does
in litellm's lookup, and the other is a conflict, named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from pydantic import ValidationError

from billing.prices.book import Alias
from billing.prices.entry import PriceEntry, Provenance
from billing.prices.importers.contract import (
    ImportedBook,
    Listed,
    Notes,
    SkipReason,
    printable,
    refusal,
    representable,
    too_precise,
    unusable,
)
from billing.prices.importers.litellm.keys import parse_key
from billing.prices.importers.litellm.layers import Layering
from billing.prices.importers.litellm.regions import regional
from billing.prices.importers.litellm.rows import Row, read_row
from billing.prices.importers.litellm.stated import stated_meters
from billing.prices.writing import readable

SAMPLE = "sample_spec"  # the map's own explanation of its fields
Drafts = dict[tuple[str, str, str, str], PriceEntry]


def import_litellm(
    document: Mapping[str, object], *, source: str = "litellm", free: bool = False, vertex_regions: Iterable[str] = ()
) -> ImportedBook:
    """Everything of the map that a book can hold.

    `free` takes entries whose prices are all 0, too; `vertex_regions` are the locations in use of Vertex AI, which
    costs more in every one but `global`, and which the map does not list."""
    notes = Notes()
    rows = [row for key, value in document.items() if key != SAMPLE and (row := _row(key, value, notes)) is not None]
    drafts: Drafts = {}
    taken: set[str] = set()
    uplifts: list[tuple[PriceEntry, Mapping[str, Decimal]]] = []
    for row in sorted(_wanted(rows, notes, free=free), key=lambda row: not row.names_provider):
        made = [entry for entry in _entries(row, source, notes) if _add(drafts, entry, notes)]
        if made:
            taken.add(row.key.raw)
            uplifts += [(entry, row.uplifts.of(vertex_regions)) for entry in made]
            if row.uplifts.anywhere and not vertex_regions:
                sentence = f"x{row.uplifts.anywhere} everywhere but at the global endpoint: name the regions in use"
                notes.skip(row.key.raw, "regional_endpoint_uplift_multiplier", SkipReason.NO_CONDITION, sentence)
    merged = [(drafts[entry.key], factors) for entry, factors in uplifts]
    of_regions, multipliers = regional(merged, frozenset(drafts), notes)
    entries = (*drafts.values(), *of_regions)
    aliases = tuple(_aliases(document, {(entry.provider, entry.model) for entry in entries}, notes))
    return ImportedBook(
        source=source,
        in_source=len(document) - (SAMPLE in document),
        entries=entries,
        aliases=aliases,
        regions=tuple(multipliers),
        skipped=notes.skipped,
        listed={row.key.raw: Listed(row.key.provider, row.priced, row.key.raw in taken) for row in rows},
        noise=len(notes.noise),
    )


def _row(raw: str, value: object, notes: Notes) -> Row | None:
    if isinstance(value, Mapping) and isinstance(value.get("litellm_provider"), str):
        key = parse_key(raw, str(value["litellm_provider"]))
        wrong = unusable(key.provider, key.model, *filter(None, [key.region]))
        if not wrong:
            return read_row(raw, value, notes)
        notes.skip(printable(raw), "", SkipReason.MALFORMED, wrong)
        return None
    if isinstance(value, Mapping) and "rules" in value:
        notes.skip(raw, "", SkipReason.NO_PRICE, "rules for names, without prices")
    elif not (isinstance(value, Mapping) and "alias_of" in value):
        notes.skip(printable(raw), "", SkipReason.MALFORMED, "names no provider")
    return None


def _wanted(rows: Iterable[Row], notes: Notes, *, free: bool) -> Iterator[Row]:
    for row in rows:
        if not row.stated:
            notes.skip(row.key.raw, "", SkipReason.NO_PRICE, "states no price")
        elif row.priced or free:
            yield row
        else:
            sentence = "every price is 0: free or unknown, which look the same"
            notes.skip(row.key.raw, "", SkipReason.ALL_ZERO, sentence)


def _entries(row: Row, source: str, notes: Notes) -> Iterator[PriceEntry]:
    """One for each service tier that has prices."""
    url = str(row.document.get("source") or "")
    url = url if url.startswith("http") and len(url) <= 1024 else ""
    provenance = Provenance(source=source, key=row.key.raw[:512], url=printable(url))
    modes = row.tokens.modes()
    modes += ["standard"] if row.units else []
    modes += ["batch"] if any(unit.batch for unit in row.units) else []
    for mode in dict.fromkeys(modes):
        try:
            entry = _entry(row, mode, provenance, notes)
        except ValidationError as error:
            notes.skip(row.key.raw, mode, SkipReason.MALFORMED, refusal(error))
            continue
        if entry is not None:
            yield entry


def _entry(row: Row, mode: str, provenance: Provenance, notes: Notes) -> PriceEntry | None:
    stated = stated_meters(row.key.provider, row.document, row.tokens, mode)
    block = row.document.get("off_peak_pricing")
    off_peak = block if isinstance(block, Mapping) else None
    layers = Layering(row.key.raw, row.key.provider, row.tokens, mode, stated, off_peak, notes).layers()
    meters = layers.meters | _units(row, mode, notes)
    if not meters:
        return None
    return PriceEntry(
        provider=row.key.provider,
        model=row.key.model,
        mode=mode,
        region=row.key.region,
        meters={meter: readable(price) for meter, price in meters.items()},
        tiers=layers.tiers,
        hours=layers.hours,
        provenance=provenance,
    )


def _units(row: Row, mode: str, notes: Notes) -> dict[str, Decimal]:
    """Prices of everything but tokens; batches have their own where the map says so."""
    found: dict[str, Decimal] = {}
    for unit in sorted(row.units, key=lambda unit: unit.batch):
        if unit.price is None or (unit.batch and mode != "batch"):
            continue
        if representable(unit.price):
            found[unit.meter] = unit.price
        else:
            found.pop(unit.meter, None)
            notes.add(too_precise(row.key.raw, unit.field, unit.price))
    return found


def _add(drafts: Drafts, entry: PriceEntry, notes: Notes) -> bool:
    """Put an entry among the others; False where one of them contradicts it."""
    other = drafts.setdefault(entry.key, entry)
    if other is entry:
        return True
    shared = entry.meters.keys() & other.meters.keys()
    agree = all(other.meters[meter].unit_price == entry.meters[meter].unit_price for meter in shared)
    if agree and (other.tiers, other.hours) == (entry.tiers, entry.hours):
        drafts[entry.key] = other.model_copy(update={"meters": {**entry.meters, **other.meters}})
        return True
    if entry.provenance and other.provenance:
        sentence = f"{entry.words} has other prices in {other.provenance.key}, which comes first"
        notes.skip(entry.provenance.key, "", SkipReason.CONFLICT, sentence)
    return False


def _aliases(document: Mapping[str, object], priced: set[tuple[str, str]], notes: Notes) -> Iterator[Alias]:
    names: dict[tuple[str, str], list[str]] = {}
    for raw, value in document.items():
        target = value.get("alias_of") if isinstance(value, Mapping) else None
        if target is None:
            continue
        other = document.get(str(target))
        provider = str(other.get("litellm_provider")) if isinstance(other, Mapping) else ""
        meant, alias = parse_key(str(target), provider), parse_key(raw, provider)
        if unusable(alias.model):
            notes.skip(printable(raw), "", SkipReason.MALFORMED, unusable(alias.model))
        elif (meant.provider, meant.model) not in priced:
            notes.skip(raw, "", SkipReason.ALIAS, f"an alias of {target}, which has no price here")
        elif (alias.provider, alias.model) in priced:
            notes.skip(raw, "", SkipReason.ALIAS, f"an alias of {target}, and has prices of its own")
        else:
            names.setdefault((meant.provider, meant.model), []).append(alias.model)
    for (provider, model), others in sorted(names.items()):
        yield Alias(provider=provider, model=model, names=tuple(sorted(set(others))))
