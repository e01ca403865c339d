"""The verbs of payouts, rewards and notes, on the real engine; processes that pay at once, and one that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settlement_store import ClickHouseSettlementStore
from tests.support.billed import bill, month, usage
from tests.support.settlement import put_closed
from tollstream import cli

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
REPOSITORY = Path(__file__).parents[2]
TERMS = """
version = "2026-05"
effective_from = 2026-05-01T00:00:00Z
builder = "acme"
chargeback_share = "0.5"
[threshold]
USD = "5"
"""
Verb = Callable[..., Any]


@pytest.fixture
def installation(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    """A database with October of two Builders closed, which the settings of this process name."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    migrate(configuration)
    asyncio.run(_close(configuration, "2026-10"))
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


async def _close(configuration: ClickHouseConfiguration, label: str) -> None:
    store = await ClickHouseSettlementStore.connect(configuration)
    mine = [
        bill("globex", label, usage("100", "30", "10"), tax=True),
        bill("initech", label, usage("50", "20", "5", "lumen"), currency="EUR", rate="0.8"),
    ]
    await put_closed(store, "acme", month(label), mine)
    await put_closed(store, "bolt", month(label), [bill("globex", label, usage("9", "2", "1"), builder="bolt")])
    await store.close()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Verb:
    """What a verb answers with --json; it has to exit with `code`."""

    def run(*words: str, code: int = 0) -> Any:
        found = cli.main([*words, "--json"])
        out, err = capsys.readouterr()
        assert found == code, (words, out, err)
        return json.loads(out) if out else err

    return run


def _process(*words: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """`tollstream …` in a process of its own, against the same store."""
    return subprocess.Popen(
        [sys.executable, "-m", "tollstream", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | dict(environment or {}),
        cwd=REPOSITORY,
    )


def _residuals(said: Verb) -> dict[str, str]:
    report = said("reconcile")
    assert [each for each in report["findings"] if each["check"] == "postings balance"] == []
    return {currency: each["residual"] for currency, each in report["postings"].items()}


def test_a_month_of_disputes_payouts_and_rewards_balances(
    installation: ClickHouseConfiguration, said: Verb, tmp_path: Path
) -> None:
    terms = tmp_path / "acme.toml"
    terms.write_text(TERMS, encoding="utf-8")
    [published] = said("payouts", "terms", str(terms), "--by", "eve", "--reason", "contract")
    assert (published["new"], published["threshold"]) == (True, {"USD": "5"})
    assert [each["version"] for each in said("payouts", "terms")] == ["2026-05"]

    why = ("--reason", "ticket 812", "--by", "ada")
    said("payment", "acme-000001", "--amount", "121", "--reference", "SEPA-77", *why)
    credited = said("credit-note", "acme-000001", "--amount", "24.20", "--key", "t812", *why)
    again = said("credit-note", "acme-000001", "--amount", "24.20", "--key", "t812", *why)
    assert (credited["number"], credited["new"], again["number"], again["new"]) == (
        "acme-N000002", True, "acme-N000002", False,
    )  # fmt: skip
    assert said("refund", "acme-000001", "--amount", "24.2", *why)["open"] == "0.00"
    said("chargeback", "acme-000001", "--amount", "20", "--fee", "15", *why)
    assert said("write-off", "acme-000002", "--amount", "40", *why)["open"] == "0.00"
    assert "takes a write-off of at most 0.00 EUR" in said("write-off", "acme-000002", "--amount", "1", *why, code=2)
    assert [each["kind"] for each in said("notes", "acme-000001")["notes"]] == [
        "payment", "credit_note", "refund", "chargeback",
    ]  # fmt: skip
    assert len(said("notes", "--builder", "acme", "--tenant", "initech")["notes"]) == 1
    shown = said("statement", "acme-000001")
    assert ([each["number"] for each in shown["notes"]][:2], shown["open"]) == (
        ["acme-N000001", "acme-N000002"],
        "0.00",
    )

    assert said("payouts", "--period", "2026-10", "--dry-run")["payouts"][0]["new"] is False
    october = said("payouts", "--period", "2026-10")
    acme, bolt = october["payouts"]
    # 60 + 25 earned, 20 credited, half of 35 charged back; the write-off is the platform's.
    assert (acme["number"], acme["amount"], acme["net"], acme["state"]) == (
        "acme-P000001", "47.50", "47.500000000000", "due",
    )  # fmt: skip
    assert (bolt["number"], bolt["amount"]) == ("bolt-P000001", "6.00")
    assert [each["new"] for each in said("payouts", "--period", "2026-10")["payouts"]] == [False, False]
    rewards = said("rewards", "--period", "2026-10")["rewards"]
    assert [(each["number"], each["party"], each["amount"]) for each in rewards] == [
        ("R000001", "lumen", "20.00"), ("R000002", "north", "32.00"),
    ]  # fmt: skip

    exported = said("payouts", "export", "--period", "2026-10")
    assert exported["totals"] == {"USD": "53.50"}
    file = tmp_path / "run.csv"
    assert cli.main(["rewards", "export", "--period", "2026-10", "--output", str(file)]) == 0
    assert (
        file.read_text().splitlines()[1].startswith("R000001,reward,lumen,2026-10,USD,20.00,2026-11-01T00:00:00Z,due")
    )
    [paid] = said("payouts", "mark-paid", "acme-P000001", "--reference", "SEPA-1", "--by", "ada")
    assert paid["paid"]["reference"] == "SEPA-1"
    refused = said("payouts", "mark-paid", "acme-P000001", "--reference", "SEPA-2", "--by", "bob", code=2)
    assert "says ada, under the reference 'SEPA-1'" in refused
    said("rewards", "mark-paid", "R000001", "R000002", "--reference", "WIRE-1", "--by", "ada")
    assert said("payouts", "export", "--period", "2026-10")["totals"] == {"USD": "6.00"}
    assert said("rewards", "show", "R000001")[0]["state"] == "paid"

    asyncio.run(_close(installation, "2026-11"))
    assert said("payouts", "--period", "2026-11", "--builder", "acme")["payouts"][0]["amount"] == "85.00"
    assert _residuals(said) == {"EUR": "0", "USD": "0"}


def test_of_processes_that_mark_one_payout_at_once_one_has_paid_it(
    installation: ClickHouseConfiguration, said: Verb
) -> None:
    said("payouts", "--period", "2026-10")
    started = [
        _process("payouts", "mark-paid", "acme-P000001", "--reference", f"SEPA-{n}", "--by", f"p{n}") for n in range(5)
    ]
    ended = [(process.communicate(timeout=240), process.returncode) for process in started]
    codes = sorted(code for _, code in ended)
    assert codes == [0, 2, 2, 2, 2], ended
    for (_, err), code in ended:
        assert code == 0 or "was paid on" in err or "in the meantime" in err, err
    [shown] = said("payouts", "show", "acme-P000001")
    winner = next(n for n, (_, code) in enumerate(ended) if code == 0)
    assert shown["paid"]["reference"] == f"SEPA-{winner}"
    assert _residuals(said) == {"EUR": "0", "USD": "0"}


def _hook(folder: Path, body: str) -> Path:
    """A command that notes each call of it."""
    path = folder / "pay.py"
    calls = folder / "calls.txt"
    path.write_text(
        f"#!{sys.executable}\nimport json, os, signal, sys\npayment = json.load(sys.stdin)\n"
        f"open({str(calls)!r}, 'a').write(payment['number'] + '\\n')\n{body}\n",
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_run_that_is_killed_while_it_pays_is_found_and_nothing_is_sent_again_without_a_person(
    installation: ClickHouseConfiguration, said: Verb, tmp_path: Path
) -> None:
    said("payouts", "--period", "2026-10")
    run = ("payouts", "export", "--period", "2026-10", "--by", "ada", "--hook")
    killing = _hook(tmp_path, "print('REF-1', flush=True)\nos.kill(os.getppid(), signal.SIGKILL)")
    process = _process(*run, str(killing))
    process.communicate(timeout=240)
    assert process.returncode == -9

    paying = _hook(tmp_path, "print('REF-' + payment['number'])")
    acme, bolt = said(*run, str(paying), code=1)
    assert (acme["number"], acme["outcome"], bolt["outcome"]) == ("acme-P000001", "unconfirmed", "paid")
    assert (tmp_path / "calls.txt").read_text().split() == ["acme-P000001", "bolt-P000001"]
    report = said("reconcile")
    assert [each["level"] for each in report["findings"] if "acme-P000001 was sent" in each["sentence"]] == ["warning"]

    said("payouts", "release", "acme-P000001", "--by", "bob", "--reason", "the bank has no such order")
    [again] = said(*run, str(paying))
    assert (again["number"], again["outcome"]) == ("acme-P000001", "paid")
    assert (tmp_path / "calls.txt").read_text().split().count("acme-P000001") == 2
    assert _residuals(said) == {"EUR": "0", "USD": "0"}


def test_of_runs_that_pay_by_a_command_at_once_each_payout_is_sent_by_one(
    installation: ClickHouseConfiguration, said: Verb, tmp_path: Path
) -> None:
    said("payouts", "--period", "2026-10")
    paying = _hook(tmp_path, "import time\ntime.sleep(0.2)\nprint('REF-' + payment['number'])")
    run = ("payouts", "export", "--period", "2026-10", "--by", "ada", "--hook", str(paying), "--json")
    started = [_process(*run) for _ in range(3)]
    for process in started:
        process.communicate(timeout=240)
    assert sorted((tmp_path / "calls.txt").read_text().split()) == ["acme-P000001", "bolt-P000001"]
    assert said("payouts", "export", "--period", "2026-10")["payments"] == []


def test_reconcile_says_no_when_a_posting_was_written_past_the_constraint(
    installation: ClickHouseConfiguration, said: Verb
) -> None:
    assert said("reconcile")["holds"] is True
    client = Client.connect(installation)
    name = f"{installation.database}.posting_sets"
    client.command(f"ALTER TABLE {name} DROP CONSTRAINT balanced", doing="letting a wrong set in")
    client.command(
        f"INSERT INTO {name} (builder, document_kind, document, account, party, currency, refers_to, amount) "
        "VALUES ('acme', 'refund', 'acme-N000099', ['cash'], ['platform'], ['USD'], ['x'], [0.000000000001])",
        doing="writing a wrong set",
    )
    client.close()
    report = said("reconcile", code=1)
    sentences = [each["sentence"] for each in report["findings"] if each["check"] == "postings balance"]
    whole, document = sentences
    assert whole == "all postings in USD add up to 0.000000000001, and should to 0."
    assert document.startswith(
        "refund acme-N000099 adds up to 0.000000000001 USD, and should to 0: somebody has written"
    )
    assert report["postings"]["USD"]["residual"] == "0.000000000001"
