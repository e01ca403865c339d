"""Usage for every imported token price, rated by us and by litellm, and how close the two amounts have to be.

Cases     for each entry of a chat, completion, response, realtime or embedding model: text, cached input, cache writes,
          reasoning, audio, pictures, and prompts one token below, at and above each context tier; off-peak prices at
          times inside and outside of their hours; regional entries with what makes litellm apply the region's uplift.
Close     litellm computes in binary doubles: a price, a product, a sum and an uplift are each rounded once to 53 bits.
          So an exact amount of n classes and litellm's double may differ by n + 5 half units in the last place, and no
          more. Most are the very double nearest to the exact amount.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing.prices import PriceBook, PriceBooks
from billing.prices.entry import PriceEntry
from billing.prices.importers.contract import ImportedBook
from billing.prices.importers.litellm.keys import parse_key
from billing.rating import Rater
from tests.support.book_strategies import rule_books_of
from tests.support.rating import frames

ROOT = Path(__file__).resolve().parents[2]
KINDS = frozenset({"chat", "completion", "responses", "realtime", "embedding"})
SHAPES: tuple[dict[str, int], ...] = (
    {"input_tokens": 1234, "output_tokens": 567},
    {"input_tokens": 1001, "cached_input_tokens": 9003, "output_tokens": 501},
    {"input_tokens": 10, "cache_write_5m_tokens": 3001, "cached_input_tokens": 5, "output_tokens": 7},
    {"input_tokens": 10, "cache_write_1h_tokens": 2003, "cache_write_12h_tokens": 1007, "output_tokens": 7},
    {"input_tokens": 77, "output_tokens": 301, "reasoning_tokens": 1709},
    {"input_tokens": 19, "audio_input_tokens": 811, "cached_audio_input_tokens": 101, "audio_output_tokens": 409},
    {"input_tokens": 19, "image_input_tokens": 709, "video_input_tokens": 403, "image_output_tokens": 1290},
    {"input_tokens": 3, "explicit_cached_input_tokens": 501, "video_output_tokens": 23},
    {"embedding_tokens": 4321},
)
AROUND = {"cached_input_tokens": 40_000, "cache_write_5m_tokens": 10_001, "output_tokens": 700, "reasoning_tokens": 90}
READ = ("cached_input_tokens", "cache_write_5m_tokens")
PLAIN_TIME = "2026-11-25T03:00:00+00:00"  # a Wednesday
TIMES = (PLAIN_TIME, "2026-11-25T05:00:00+00:00", "2026-11-29T03:00:00+00:00", "2026-11-27T17:00:00+00:00")
HALF_UNIT = Decimal(2) ** -53
RULE = 'id = "cost"\nkind = "pass_through"\nlabel = "At cost"\nunit = "token"\nreason = "what the provider asks"'


@dataclass(frozen=True, slots=True)
class Case:
    """One request."""

    key: str  # of the map
    tags: Mapping[str, str]
    usage: Mapping[str, int]
    time: str
    uplift: str = ""  # the region for which litellm multiplies, "" where it does not

    @property
    def question(self) -> list[Any]:
        """As the process that asks litellm reads it."""
        return [self.key, self.tags["mode"], dict(self.usage), self.time, self.uplift]


def cases_of(imported: ImportedBook, kinds: Mapping[str, str]) -> Iterator[Case]:
    """Every case; `kinds` maps a key to its `mode`, which is what the model is for."""
    multiplied = {(region.provider, model): region.region for region in imported.regions for model in region.models}
    for entry in imported.entries:
        key = entry.provenance.key if entry.provenance else ""
        if kinds[key] not in KINDS or not {"input_tokens", "embedding_tokens"} & entry.meters.keys():
            continue
        uplift = (
            "" if parse_key(key, "bedrock" if key.startswith("bedrock") else entry.provider).region else entry.region
        )
        yield from _cases(entry, key, uplift, entry.region)
        region = multiplied.get((entry.provider, entry.model))
        if region and not entry.region:
            yield from _cases(entry, key, region, region)


def _cases(entry: PriceEntry, key: str, uplift: str, region: str) -> Iterator[Case]:
    tags = {"provider": entry.provider, "model": entry.model, "mode": entry.mode, "region": region}
    seen = set()
    for usage in (*(SHAPES[:2] if uplift else SHAPES), *_around_tiers(entry)):
        fitting = {meter: number for meter, number in usage.items() if meter in entry.meters}
        told = tuple(sorted(fitting.items()))
        if fitting and told not in seen:
            seen.add(told)
            yield from (Case(key, tags, fitting, time, uplift) for time in (TIMES if entry.hours else (PLAIN_TIME,)))


def _around_tiers(entry: PriceEntry) -> Iterator[dict[str, int]]:
    """Prompts of one token less than, exactly, and one token more than each tier's bound."""
    for tier in entry.tiers:
        bound = tier.above if tier.above is not None else tier.from_ or 0
        beside = {meter: number for meter, number in AROUND.items() if meter in entry.meters}
        read = sum(number for meter, number in beside.items() if meter in READ)
        if read >= bound:
            beside, read = {"output_tokens": 700}, 0
        yield from ({**beside, "input_tokens": bound + step - read} for step in (-1, 0, 1))


def litellm_costs(cases: Iterable[Case], folder: Path, how: str) -> list[list[str]]:
    """What litellm answers, in a process of its own that cannot open a connection."""
    asked, told = folder / f"cases-{how}.json", folder / f"costs-{how}.json"
    asked.write_text(json.dumps([case.question for case in cases]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.litellm_costs", str(asked), str(told), how],
        cwd=ROOT,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[list[str]] = json.loads(told.read_text(encoding="utf-8"))
    return answers


def our_costs(cases: Iterable[Case], book: PriceBook) -> list[Decimal | None]:
    """What our rating says, through the same code as in the stream."""
    rules = rule_books_of([f'version = "r"\neffective_from = 2026-01-01T00:00:00Z\n[[rules]]\n{RULE}\n'])
    rows = [
        (
            datetime.fromisoformat(case.time),
            {**case.tags, "builder": "b", "tenant": "t"},
            {meter: Decimal(number) for meter, number in case.usage.items()},
        )
        for case in cases
    ]
    costs: list[Decimal | None] = Rater(PriceBooks([book]), rules).rate(*frames(rows))["base_cost"].to_list()
    return costs


def close(ours: Decimal | None, theirs: list[str], classes: int) -> bool:
    """Whether litellm's double is one that exact arithmetic can have become on its way."""
    if ours is None or len(theirs) != 2:
        return False
    total = float(theirs[0]) + float(theirs[1])
    return abs(Decimal(total) - ours) <= (classes + 5) * HALF_UNIT * ours


def nearest(ours: Decimal | None, theirs: list[str]) -> bool:
    """Whether litellm's double is the one nearest to our exact amount."""
    return ours is not None and len(theirs) == 2 and float(ours) == float(theirs[0]) + float(theirs[1])


def book_of(imported: ImportedBook) -> PriceBook:
    """The book, in force for all cases."""
    return imported.book(version="imported", effective_from=datetime(2026, 1, 1, tzinfo=UTC))
