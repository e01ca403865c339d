"""An event or a line as one JSON document: complete, every amount and quantity a string with all its digits.

Keys are stable: the console and other programs read them. A step is {name, formula, exact, endless, amount, rounded,
residue}: `amount` is `exact` at 12 places, half-even; of an endless quotient `exact` is the beginning, and there is no
residue.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing.explanation import (
    AMOUNTS,
    Amounts,
    Bound,
    Correction,
    Difference,
    MeterCost,
    Step,
    UsageExplanation,
    add_up,
    plain,
)
from billing.money import EXACT
from billing.prices import PriceEntry
from billing.publication import BookDigest
from billing.surcharges import Rule
from sinks.lines import COUNTS, Origin, Page, Sums, WindowSums, add
from tollstream.explanation.answers import EventAnswer, Found, Letter, LineAnswer, Rated, Row
from tollstream.explanation.words import missing, money, time
from topics.block import DIMENSION_COLUMNS

Document = dict[str, Any]


def event_document(answer: EventAnswer) -> Document:
    """All about an event."""
    return {
        "kind": "event",
        "id": answer.id,
        "source": answer.source,
        "holds": answer.holds,
        "rows": [_found(each) for each in answer.found],
        "dead_letters": [_letter(each) for each in answer.letters],
    }


def _found(found: Found) -> Document:
    rated = found.rated
    return {
        **ledger_row(found.row),
        "about": ledger_row(rated.row) if rated is not None and found.row["kind"] != "usage" else None,
        "explained": _rated(rated) if rated is not None else None,
    }


def ledger_row(row: Row) -> Document:
    """A ledger row: identity, place, tags, usage, and what it holds."""
    return {
        "row": row["kind"],
        "id": row["id"],
        "place": _place(row),
        "event_time": time(row["event_time"]),
        "record_time": time(row["record_time"]),
        "window_start": time(row["window_start"]),
        "tags": {name: row[name] for name in DIMENSION_COLUMNS},
        "traceparent": row["traceparent"],
        "note": row["note"],
        "usage": {each["key"]: plain(each["value"]) for each in row["usage"] or ()},
        "pricing": row["pricing"],
        "unpriced_reason": row["unpriced_reason"],
        "price_version": row["price_version"],
        "rule_version": row["rule_version"],
        "rule_id": row["rule_id"],
        "currency": row["currency"],
        "amounts": {name: _money(row[name]) for name in ("base_cost", *AMOUNTS)},
    }


def _place(row: Row) -> Document:
    return {
        "topic_epoch": row["topic_epoch"],
        "partition": row["source_partition"],
        "offset": row["source_offset"],
        "index": row["batch_index"],
    }


def _rated(rated: Rated) -> Document:
    told = rated.explained
    return {
        "holds": rated.holds,
        "obstacle": rated.obstacle,
        "price_book": _book(rated.prices),
        "rule_book": _book(rated.rules),
        "arithmetic": explanation(told) if told is not None else None,
        "what_is_missing": missing(told, rated.row, rated.begins) if told is not None and told.unpriced_reason else [],
        "differences": _differences(rated.differences),
        "corrections": [_correction(each) for each in rated.corrections],
        "standing": amounts(rated.standing),
    }


def explanation(told: UsageExplanation) -> Document:
    """Every step of rating one event."""
    rule = told.resolution.winner
    return {
        "currency": told.currency,
        "unpriced_reason": told.unpriced_reason,
        "looked_for": {
            "provider": told.lookup.provider,
            "served_model": told.lookup.served,
            "model": told.lookup.model,
            "mode": told.lookup.mode,
            "region": told.lookup.region,
            "other_entries": list(told.lookup.others),
        },
        "entry": _entry(told.quote.entry) if told.quote is not None else None,
        "prompt_tokens": plain(told.prompt),
        "tier": told.quote.tier.words if told.quote is not None and told.quote.tier is not None else None,
        "hours": told.quote.hours.words if told.quote is not None and told.quote.hours is not None else None,
        "hours_tier": (
            told.quote.hours_tier.words if told.quote is not None and told.quote.hours_tier is not None else None
        ),
        "region_multiplier": plain(told.quote.multiplier) if told.quote is not None and told.quote.multiplier else None,
        "meters": [_meter(each) for each in told.meters],
        "counted": [
            {
                "meter": each.meter.name,
                "label": each.meter.label,
                "unit": each.meter.unit,
                "quantity": plain(each.quantity),
            }
            for each in told.counted
        ],
        "base_cost": step(told.base),
        "reward_share": plain(told.share) if told.share is not None else None,
        "reward_share_is_default": told.share_is_default,
        "provider_reward": step(told.reward),
        "platform_fee": step(told.fee),
        "rule": _rule(rule) if rule is not None else None,
        "rules_that_lost": [{**_rule(each.rule), "because": each.sentence} for each in told.resolution.lost],
        "rules_that_nearly_match": [
            {"id": each.rule.id, "differences": [one.sentence for one in each.differences]}
            for each in told.resolution.nearest
        ],
        "charge": (
            {
                "words": told.charge.words,
                "steps": [step(each) for each in told.charge.steps],
                "bounds": [_bound(each) for each in told.charge.bounds],
                "amount": money(told.charge.amount),
            }
            if told.charge is not None
            else None
        ),
        "builder_earnings": step(told.earnings),
        "amounts": amounts(told.amounts),
        "identity": _identity(told.amounts),
    }


def step(each: Step | None) -> Document | None:
    """A line of arithmetic."""
    if each is None:
        return None
    return {
        "name": each.name,
        "formula": each.formula,
        "exact": plain(each.exact),
        "endless": each.endless,
        "amount": money(each.amount) if each.name not in ("factor", "divisor") else plain(each.amount),
        "rounded": each.was_rounded,
        "residue": None if each.endless else plain(each.residue),
    }


def amounts(each: Amounts | None) -> Document | None:
    """The five amounts, None for usage without a price."""
    return {name: money(getattr(each, name)) for name in ("base_cost", *AMOUNTS)} if each is not None else None


def _identity(each: Amounts | None) -> Document | None:
    if each is None:
        return None
    parts = add_up(getattr(each, name) for name in AMOUNTS[1:])
    return {"customer_charge": money(each.customer_charge), "sum_of_parts": money(parts), "holds": each.balanced}


def _meter(each: MeterCost) -> Document:
    quoted, price = each.quoted, each.price
    return {
        "meter": each.meter.name,
        "label": each.meter.label,
        "unit": each.meter.unit,
        "quantity": plain(each.quantity),
        "price": {"price": plain(price.price), "per": price.per} if price is not None else None,
        "origin": quoted.origin if quoted is not None else None,
        "price_of_one": plain(quoted.base_price) if quoted is not None else None,
        "multiplier": plain(quoted.multiplier) if quoted is not None and quoted.multiplier is not None else None,
        "unit_price": plain(quoted.unit_price) if quoted is not None else None,
        "missing": each.missing,
        "cost": step(each.cost),
    }


def _entry(entry: PriceEntry) -> Document:
    return {
        "provider": entry.provider,
        "model": entry.model,
        "mode": entry.mode,
        "region": entry.region,
        "provenance": entry.provenance.model_dump() if entry.provenance is not None else None,
    }


def _rule(rule: Rule) -> Document:
    named = {name: getattr(rule, name) for name in ("percent", "amount", "floor", "cap")}
    return {
        "id": rule.id,
        "kind": rule.kind,
        "match": dict(rule.match),
        "label": rule.label,
        "unit": rule.unit,
        "reason": rule.reason,
        "meter": rule.meter,
        **{name: None if value is None else plain(value) for name, value in named.items()},
    }


def _bound(each: Bound) -> Document:
    return {
        "name": each.name,
        "limit": plain(each.limit),
        "before": money(each.before),
        "after": money(each.after),
        "binds": each.binds,
    }


def _book(book: BookDigest | None) -> Document | None:
    if book is None:
        return None
    return {
        "version": book.version,
        "effective_from": time(book.effective_from),
        "retroactive": book.retroactive,
        "digest": book.digest,
        "published_by": book.published_by,
        "reason": book.reason,
        "recorded_at": time(book.recorded_at),
    }


def _differences(differences: Sequence[Difference]) -> list[Document]:
    return [{"name": each.name, "ledger": each.ledger, "explained": each.explained} for each in differences]


def _correction(each: Correction) -> Document:
    return {
        **ledger_row(each.row),
        "by_these_books": explanation(each.rerated) if each.rerated is not None else None,
        "difference_to": amounts(each.basis),
        "before": amounts(each.before),
        "standing": amounts(each.standing),
        "differences": _differences(each.differences),
    }


def _letter(each: Letter) -> Document:
    row = each.row
    return {
        "reason": row["reason"],
        "detail": row["detail"],
        "place": _place(row),
        "record_time": time(row["record_time"]),
        "source": each.source,
        "is_the_event": each.is_it,
    }


def line_document(answer: LineAnswer) -> Document:
    """A line, its windows, and what rated it; with the events of a window where they were asked for."""
    line = answer.line
    document: Document = {
        "kind": "line" if answer.pages is None else "window",
        "builder": line.builder,
        "tenant": line.tenant,
        "from": time(line.start),
        "to": time(line.end),
        "narrowed": dict(line.narrowed),
        "holds": answer.holds,
        "windows": [_window(each) for each in answer.sums.windows],
        "sums": {
            currency: {
                side: sums(add(getattr(each, side) for each in answer.windows(currency)))
                for side in ("totals", "ledger", "pending")
            }
            for currency in answer.currencies
        },
        "rated_by": [_origin(each) for each in answer.sums.origins],
    }
    if answer.pages is not None:
        document["pages"] = [_page(answer, currency, page) for currency, page in answer.pages.items()]
    return document


def _page(answer: LineAnswer, currency: str, page: Page) -> Document:
    shown = {name: add_up(row[name] or Decimal(0) for row in page.rows) for name in AMOUNTS}
    rest = {name: money(EXACT.subtract(page.amounts[name], shown[name])) for name in AMOUNTS}
    return {
        "currency": currency,
        "skipped": min(answer.skip, page.count),
        "events": [ledger_row(row) for row in page.rows],
        "not_shown": {"ledger_rows": page.count - len(page.rows), **rest},
        "all_events": {"ledger_rows": page.count, **{name: money(page.amounts[name]) for name in AMOUNTS}},
    }


def _window(each: WindowSums) -> Document:
    return {
        "window_start": time(each.window_start),
        "currency": each.currency,
        "holds": each.totals == each.ledger,
        "totals": sums(each.totals),
        "ledger": sums(each.ledger),
        "pending": sums(each.pending),
    }


def sums(each: Sums) -> Document:
    """Counts, amounts and quantities."""
    return {
        **{name: getattr(each, name) for name in COUNTS},
        **{name: money(each.amounts[name]) for name in AMOUNTS},
        "usage": {meter: plain(quantity) for meter, quantity in each.usage.items()},
    }


def _origin(each: Origin) -> Document:
    names = ("currency", "price_version", "rule_version", "rule_id", "pricing")
    return {name: getattr(each, name) for name in names} | {"sums": sums(each.sums)}


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else money(amount)
