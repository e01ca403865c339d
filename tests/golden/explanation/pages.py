"""The golden explanations: events under the books beside this file, and the page of each; `make golden` writes them.

Ledger rows are what the rater bills for these events; voids and adjustments are written as the meter would store them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing.prices import PriceBooks
from billing.publication import BookDigest
from billing.published import record_of
from billing.rating import Rater
from billing.surcharges import RuleBooks
from sinks.tables import AMOUNTS
from tests.support.rating import DEFAULTS, frames
from tests.support.rows import Row, dead_letter_row, ledger_row, void_row
from tollstream.explanation.answers import EventAnswer, Letter
from tollstream.explanation.reading import Shelf, found
from topics.block import DIMENSION_COLUMNS
from topics.meters import load_catalogue

HERE = Path(__file__).parent
NOON = datetime(2026, 2, 1, 12, 4, 5, 678901, tzinfo=UTC)
CATALOGUE = load_catalogue()
PRICE_BOOKS, RULE_BOOKS = PriceBooks.load(HERE / "prices"), RuleBooks.load(HERE / "rules")


def digests() -> list[BookDigest]:
    """The books as they are published."""
    books = (PRICE_BOOKS.versions, PRICE_BOOKS.retroactive, RULE_BOOKS.versions, RULE_BOOKS.retroactive)
    return [record_of(book) for versions in books for book in versions]


def billed(offset: int, usage: dict[str, str], *, time: datetime = NOON, **tags: str) -> Row:
    """A usage row of tenant globex of Builder acme, as the stream bills it."""
    quantities = {meter: Decimal(quantity) for meter, quantity in usage.items()}
    full = dict.fromkeys(DIMENSION_COLUMNS, "") | DEFAULTS | {"source": "gateway/eu-1"}
    full |= {"builder": "acme", "tenant": "globex", "provider": "northwind", "model": "nw-large"} | tags
    [rated] = Rater(PRICE_BOOKS, RULE_BOOKS).rate(*frames([(time, full, quantities)])).to_dicts()
    start = time.replace(minute=0, second=0, microsecond=0)
    row = ledger_row(offset, id=f"call-{offset}", event_time=time, record_time=time + timedelta(seconds=2))
    return ledger_row(offset, **row | full | rated | {"usage": quantities, "window_start": start})


def void(offset: int, target: Row, **given: Any) -> Row:
    """Takes a row back."""
    later = target["event_time"] + timedelta(days=1)
    return void_row(offset, target, id=f"void-{offset}", event_time=later, record_time=later, **given)


def adjustment(offset: int, target: Row, amounts: dict[str, str], note: str, **given: Any) -> Row:
    """Adds signed amounts: reward, fee, earnings; the charge is their sum."""
    reward, fee, earnings = (Decimal(amounts[name]) for name in ("reward", "fee", "earnings"))
    later = target["event_time"] + timedelta(days=1)
    own = {"kind": "adjustment", "id": f"adjustment-{offset}", "usage": {}, "note": note, "target": target["id"]}
    own |= {"event_time": later, "record_time": later, "pricing": "rated", "unpriced_reason": ""}
    own |= {"base_cost": reward + fee, "provider_reward": reward, "platform_fee": fee, "builder_earnings": earnings}
    kept = {name: target[name] for name in target if not name.endswith(("_high", "_low", "_offset"))}
    return ledger_row(offset, **kept | own | {"customer_charge": reward + fee + earnings} | given)


def answer(asked: str, rows: Iterable[Row], letters: Iterable[Letter] = ()) -> EventAnswer:
    """What the store would lead to; `usage` as it is read back."""
    read = [row | {"usage": [{"key": meter, "value": each} for meter, each in row["usage"].items()]} for row in rows]
    shelf = Shelf(digests())
    mine = tuple(found(row, read, shelf, CATALOGUE) for row in read if row["id"] == asked)
    return EventAnswer(asked, mine[0].row["source"] if mine else "", mine, tuple(letters), CATALOGUE)


def cases() -> dict[str, EventAnswer]:
    """Name -> answer; each has a page <name>.txt."""
    plain = billed(812, {"input_tokens": "1000", "output_tokens": "200", "requests": "1"}, feature="chat")
    tier = billed(
        813, {"input_tokens": "150000", "cached_input_tokens": "100000", "output_tokens": "1000"},
        feature="agency", region="eu", model="nw-large-2025-08-07", requested_model="nw-huge", route="fallback",
    )  # fmt: skip
    third = billed(814, {"input_tokens": "1"}, feature="third")
    pages = billed(815, {"input_tokens": "1000", "pages": "20"}, feature="pages", workspace="legal", deployment="prod")
    night = billed(
        816, {"audio_input_seconds": "0.5"}, provider="lumen", model="lumen-voice", time=NOON.replace(hour=0, minute=29)
    )
    half = billed(829, {"audio_input_seconds": "0.5"}, provider="lumen", model="lumen-voice")
    funded = billed(817, {"output_tokens": "10000", "conversations": "1"}, feature="support", status="aborted")
    business = billed(818, {"conversations": "2"}, feature="support", provider="", model="")
    unknown = billed(819, {"input_tokens": "1000", "output_tokens": "5"}, model="nw-new", feature="chat")
    priority = billed(820, {"input_tokens": "1000"}, mode="priority", region="us")
    early = billed(821, {"input_tokens": "1000"}, time=datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    nobody = billed(822, {"input_tokens": "1000"}, builder="other")
    unit = billed(823, {"input_tokens": "1000"}, feature="support")
    nameless = billed(824, {"input_tokens": "1000"}, provider="", model="")
    wrong = plain | {"customer_charge": Decimal("0.005625000001"), "builder_earnings": Decimal("0.001125000001")}
    # By hand: base 0.002 + 0.002 = 0.004, reward 0.0028, fee 0.0012, charge 0.005; less what was billed before.
    rerated = adjustment(
        830, plain, {"reward": "-0.00035", "fee": "-0.00015", "earnings": "-0.000125"}, "northwind lowered its price",
        pricing="rerated", price_version="2026-01-corrected", rule_version="rules-1",
    )  # fmt: skip
    goodwill = adjustment(831, plain, {"reward": "0", "fee": "0", "earnings": "-0.001"}, "goodwill")
    # Rated again after the goodwill, back to the old books: it is kept on top of 0.005625, or replaced.
    kept, replaced = (
        adjustment(
            offset, plain, {"reward": "0.00035", "fee": "0.00015", "earnings": earnings}, "the old price after all",
            pricing="rerated", price_version="2026-01", rule_version="rules-1",
        )
        for offset, earnings in ((834, "0.000125"), (835, "0.001125"))
    )  # fmt: skip
    rest = {name: -(plain[name] + rerated[name] + goodwill[name]) for name in ("base_cost", *AMOUNTS)}
    back = void(832, plain, note="sent twice by the gateway", **rest)
    # By hand: 1000 x 0.000001 + 5 x 0.000004 = 0.00102; reward 0.000714, fee 0.000306; 25 % on top: 0.000255.
    later = adjustment(
        833, unknown, {"reward": "0.000714", "fee": "0.000306", "earnings": "0.000255"}, "nw-new has its price",
        pricing="rated_later", price_version="2026-01-corrected", rule_version="rules-1", rule_id="markup",
        currency="USD",
    )  # fmt: skip
    letter = dead_letter_row(
        840, reason="unknown_meter", record_key=b"acme/globex", record_value=b'{"id": "call-840"}',
        detail="data.usage.output_tokenz is no meter of the catalogue; did you mean output_tokens?",
    )  # fmt: skip
    return {
        "markup": answer("call-812", [plain]),
        "tier_alias_region_margin": answer("call-813", [tier]),
        "rounding": answer("call-814", [third]),
        "per_unit_with_a_cap": answer("call-815", [pages]),
        "hours": answer("call-816", [night]),
        "half_even": answer("call-829", [half]),
        "funded_by_the_builder": answer("call-817", [funded]),
        "no_ai": answer("call-818", [business]),
        "no_price_for_the_model": answer("call-819", [unknown]),
        "no_price_for_the_mode": answer("call-820", [priority]),
        "no_book": answer("call-821", [early]),
        "no_rule": answer("call-822", [nobody]),
        "no_unit": answer("call-823", [unit]),
        "no_model": answer("call-824", [nameless]),
        "the_ledger_is_wrong": answer("call-812", [wrong]),
        "rated_again": answer("call-812", [plain, rerated, goodwill]),
        "taken_back": answer("call-812", [plain, rerated, goodwill, back]),
        "rated_again_beneath_a_goodwill": answer("call-812", [plain, rerated, goodwill, kept]),
        "rated_again_instead_of_a_goodwill": answer("call-812", [plain, rerated, goodwill, replaced]),
        "the_void_itself": answer("void-832", [plain, rerated, goodwill, back]),
        "rated_later": answer("call-819", [unknown, later]),
        "a_void_without_its_target": answer("void-832", [back]),
        "dead_letter": answer("call-840", [], [Letter(letter, "gateway/eu-1", is_it=True)]),
    }
