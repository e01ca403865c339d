"""Two thousand runs, each drawn from its seed: whatever goes wrong on the way, the store ends as the log says.

TOLLSTREAM_SIM_SEED replays one seed; TOLLSTREAM_SIM_SEEDS sets how many are run.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.run import check_seed

SEEDS = int(os.environ.get("TOLLSTREAM_SIM_SEEDS", "2000"))
CHUNK = 20
ONE = os.environ.get("TOLLSTREAM_SIM_SEED")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", [int(ONE)] if ONE else range(1, SEEDS + 1, CHUNK))
def test_a_run_ends_as_its_log_says(first: int) -> None:
    for seed in range(first, first + (1 if ONE else CHUNK)):
        check_seed(seed)
