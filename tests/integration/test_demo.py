"""The demonstration as a user runs it: a process of its own, its exit code and its one JSON object."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tollstream.demo.offers import OFFERS

ROOT = Path(__file__).resolve().parents[2]
TRACE_VARIABLE = "TOLLSTREAM_TRACE"
TRACE = Path(os.environ.get(TRACE_VARIABLE) or ROOT.parent / "shared" / "traces" / "azure_llm_2023_conv.csv")
TENANTS = {f"{offer.builder}/{tenant}" for offer in OFFERS for tenant in offer.tenants}
KEYS = (
    *("published", "accepted", "duplicates", "dead_lettered", "voided", "unpriced", "workers_killed"),
    *("customer_charge", "provider_reward", "platform_fee", "builder_earnings", "oracle_customer_charge"),
    *("residual", "seconds", "checks", "rated_later"),
    *("period", "statements", "payouts", "rewards", "platform", "postings", "postings_residual"),
)

pytestmark = pytest.mark.timeout(300)


def environment(folder: Path) -> dict[str, str]:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
    return settings | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}


def demo(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run it to a good end; its JSON object."""
    done = subprocess.run(
        [sys.executable, "-m", "tollstream", "demo", "--json", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)  # one object and nothing else
    return outcome


def check(outcome: dict[str, Any], requests: int) -> None:
    assert [name for name in KEYS if name not in outcome] == []
    assert [each for each in outcome["checks"] if not each["holds"]] == []
    assert outcome["published"] == outcome["accepted"] + outcome["duplicates"] + outcome["dead_lettered"]
    assert outcome["accepted"] == requests + outcome["voided"] + outcome["rated_later"]
    assert 0 < outcome["rated_later"] <= outcome["unpriced"]
    assert min(outcome[name] for name in ("duplicates", "dead_lettered", "voided", "unpriced")) > 0
    assert outcome["workers_killed"] == 1
    parts = [Decimal(outcome[name]) for name in ("provider_reward", "platform_fee", "builder_earnings")]
    assert Decimal(outcome["customer_charge"]) == sum(parts) > 0
    assert outcome["customer_charge"] == outcome["oracle_customer_charge"]
    assert outcome["residual"] == "0.000000000000"
    check_month(outcome)


def check_month(outcome: dict[str, Any]) -> None:
    """A month that is over, every tenant with a statement, and nothing left on any account."""
    assert outcome["period"] < f"{datetime.now(UTC):%Y-%m}"
    assert {f"{each['builder']}/{each['tenant']}" for each in outcome["statements"]} == TENANTS
    assert {each["period"] for each in outcome["statements"]} == {outcome["period"]}
    assert {each["currency"] for each in outcome["statements"]} == {"USD", "EUR"}
    assert all(Decimal(each["total"]) == Decimal(each["net"]) + Decimal(each["tax"]) for each in outcome["statements"])
    assert {each["party"] for each in outcome["payouts"]} == {offer.builder for offer in OFFERS}
    assert {each["party"] for each in outcome["rewards"]} == {"anthropic", "google", "openai"}
    assert min(Decimal(each["amount"]) for each in outcome["payouts"] + outcome["rewards"]) > 0
    assert outcome["platform"]["USD"]["platform_fee"] == outcome["platform_fee"]
    rewarded = sum(Decimal(each["amount"]) for each in outcome["rewards"])
    assert 0 <= Decimal(outcome["provider_reward"]) - rewarded < Decimal("0.01") * len(outcome["rewards"])
    assert outcome["postings_residual"] == "0"
    assert {each["residual"] for each in outcome["postings"].values()} == {"0.000000000000"}


def test_a_small_day_ends_with_residual_0_after_a_real_sigkill(tmp_path: Path) -> None:
    check(demo(tmp_path, "--requests", "2000", "--seed", "7"), requests=2_000)
    assert list(tmp_path.glob("tollstream-demo-*")) == [], "it left its folder behind"


@pytest.mark.skipif(not TRACE.is_file(), reason=f"no trace file: set {TRACE_VARIABLE} to the public trace's path")
def test_the_real_trace_ends_with_residual_0_after_a_real_sigkill(tmp_path: Path) -> None:
    check(demo(tmp_path, "--trace", str(TRACE)), requests=19_366)


def test_ctrl_c_stops_everything_it_started(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tollstream", "demo", "--requests", "2000"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("tollstream-demo-*/logs/worker-2.log")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline, "no worker was started"
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(150) == 130
    assert list(tmp_path.glob("tollstream-demo-*")) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running, "a process outlived it"


def test_a_trace_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("a,b,c\n")
    done = subprocess.run(
        [sys.executable, "-m", "tollstream", "demo", "--trace", "trace.csv"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 2
    assert "line 1: expected the header TIMESTAMP,ContextTokens,GeneratedTokens, found 'a,b,c'" in done.stderr
    assert "Traceback" not in done.stderr
