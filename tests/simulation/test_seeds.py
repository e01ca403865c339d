"""Two thousand runs, each drawn from its seed: whatever goes wrong on the way, the store ends as the log says.

TOLLSTREAM_SIM_SEED replays one seed; TOLLSTREAM_SIM_SEEDS sets how many are run. The seeds of seeds.txt come first.
Every chunk also has to have shown something: a harness in which nothing happens would pass for ever.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.simulation.auditor import Truth
from tests.simulation.run import check_seed
from tests.simulation.traffic import draw_log
from topics.reasons import Reason

SEEDS = int(os.environ.get("TOLLSTREAM_SIM_SEEDS") or 2000)
CHUNK = 20
ONE = os.environ.get("TOLLSTREAM_SIM_SEED")
FOUND_A_BUG = [
    int(line.partition("#")[0])
    for line in Path(__file__).with_name("seeds.txt").read_text(encoding="utf-8").splitlines()
    if line.partition("#")[0].strip()
]
IN_EVERY_CHUNK = (
    *("accepted", "duplicate", "usage", "void", "adjustment", "unpriced"),
    *(Reason.CONFLICTING_DUPLICATE, Reason.TARGET_UNKNOWN, Reason.TARGET_ALREADY_VOIDED),
    *("failed write", "crash", "rebalance", "refused commit"),
)
IN_SOME_LOG = (
    *(Reason.TOO_LATE, Reason.FUTURE_TIME, Reason.TARGET_NOT_USAGE, Reason.TARGET_OF_OTHER_TENANT),
    *("rerated", "rated_later", Reason.CURRENCY_MISMATCH),
    *(Reason.NULL_VALUE, Reason.INVALID_UTF8, Reason.NOT_JSON, Reason.NOT_CLOUDEVENTS),
    *(Reason.UNKNOWN_VERSION, Reason.UNKNOWN_METER, Reason.EMPTY_FIELD),
)


@pytest.mark.skipif(bool(ONE), reason="one seed is replayed")
@pytest.mark.parametrize("seed", FOUND_A_BUG)
def test_a_seed_that_once_found_a_bug_finds_none(seed: int) -> None:
    check_seed(seed)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", [int(ONE)] if ONE else range(1, SEEDS + 1, CHUNK))
def test_a_run_ends_as_its_log_says(first: int) -> None:
    seeds = range(first, first + 1) if ONE else range(first, min(first + CHUNK, SEEDS + 1))
    counts: Counter[str] = Counter()
    for seed in seeds:
        counts += check_seed(seed).counts
    if len(seeds) == CHUNK:
        assert _never_happened(counts, IN_EVERY_CHUNK) == []


def test_a_harness_in_which_nothing_happens_is_noticed() -> None:
    assert _never_happened(Counter(accepted=100), IN_EVERY_CHUNK) == [
        name for name in map(str, IN_EVERY_CHUNK) if name != "accepted"
    ]


def test_the_logs_hold_every_kind_of_refusal() -> None:
    counts: Counter[str] = Counter()
    for seed in range(1, 101):
        counts += Truth(draw_log(Random(seed))).counts()
    assert _never_happened(counts, IN_SOME_LOG) == []


def _never_happened(counts: Counter[str], names: tuple[str, ...]) -> list[str]:
    return [str(name) for name in names if not counts[str(name)]]
