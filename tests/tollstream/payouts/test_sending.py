"""Paying by a command: real processes that pay, refuse, break down, hang, and kill whoever has started them."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sinks.errors import StoreBusyError
from sinks.journals import Journal
from sinks.payout_terms import SEND_JOURNAL
from sinks.payouts import MARK_JOURNAL
from tests.support.billed import earned, month
from tests.support.settlement import ClosableStore, MemorySettlement, put_closed
from tests.support.settlement_engine import on_the_engine_too
from tests.tollstream.payouts.test_marking import Crashing
from tollstream.errors import UserError
from tollstream.payouts.deciding import decide_all
from tollstream.payouts.marking import mark_paid, release
from tollstream.payouts.numbering import PAYOUT
from tollstream.payouts.refusal import PayoutRefusedError
from tollstream.payouts.sending import Hook, Outcome, Sent, send_all
from tollstream.payouts.standing import read_one
from tollstream.payouts.verbs import read_period

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NUMBER = "acme-P000001"
Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A command out of lines of Python; `payment` is what it got, and each call of it is a line of calls.txt."""

    def write(body: str) -> str:
        path = tmp_path / "pay.py"
        begin = "import json, os, signal, sys, time\npayment = json.load(sys.stdin)\n"
        count = f"open({str(tmp_path / 'calls.txt')!r}, 'a').write(payment['number'] + '\\n')\n"
        path.write_text(f"#!{sys.executable}\n{begin}{count}{body}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """For which payouts the command was started, in order."""
    file = tmp_path / "calls.txt"
    return lambda: file.read_text().split() if file.exists() else []


async def _decided(store: ClosableStore, *builders: str) -> None:
    for builder in builders or ("acme",):
        await put_closed(store, builder, month("2026-10"), earned("2026-10", "10.25", builder=builder))
    await decide_all(store, "2026-10", by="ada")


async def _send(store: ClosableStore, command: str, seconds: int = 30) -> list[Sent]:
    found = await read_period(store, PAYOUT, "2026-10", "")
    return [each async for each in send_all(store, found, Hook(command, "ada", seconds), NOW)]


def _outcomes(sent: list[Sent]) -> list[Outcome]:
    return [each.outcome for each in sent]


@on_the_engine_too
async def test_a_command_that_pays_gives_the_reference_and_is_started_once(
    store: ClosableStore, script: Script, calls: Callable[[], list[str]]
) -> None:
    await _decided(store, "acme", "bolt")
    command = script("print(); print('REF-' + payment['number'], payment['amount'], payment['currency'])")
    assert _outcomes(await _send(store, command)) == [Outcome.PAID, Outcome.PAID]
    assert _outcomes(await _send(store, command)) == [Outcome.SKIPPED, Outcome.SKIPPED]
    assert calls() == ["acme-P000001", "bolt-P000001"]
    paid = await read_one(store, NUMBER)
    assert paid.mark is not None
    assert (paid.mark.reference, paid.mark.recorded_by) == ("REF-acme-P000001 10.25 USD", "ada")
    assert [(each.state, each.exit_code) for each in paid.sends] == [("sent", None), ("answered", 0)]
    assert [balance.residual for balance in await store.read_balance()] == [0]


async def test_the_command_gets_the_whole_statement_of_the_payout(script: Script, tmp_path: Path) -> None:
    store = MemorySettlement()
    await _decided(store)
    await _send(store, script(f"json.dump(payment, open({str(tmp_path / 'got')!r}, 'w')); print('R')"))
    got = json.loads((tmp_path / "got").read_text())
    assert {name: got[name] for name in ("number", "kind", "party", "currency", "amount", "attempt")} == {
        "number": NUMBER, "kind": "payout", "party": "acme", "currency": "USD", "amount": "10.25", "attempt": 1,
    }  # fmt: skip
    assert got["lines"] == [{"kind": "gross", "refers_to": "usage", "exact": "10.250000000000", "amount": "10.25"}]


async def test_exit_code_75_means_that_nothing_was_paid_and_it_is_tried_again(
    script: Script, calls: Callable[[], list[str]]
) -> None:
    store = MemorySettlement()
    await _decided(store)
    sent = await _send(store, script("print('the bank is closed', file=sys.stderr); sys.exit(75)"))
    assert _outcomes(sent) == [Outcome.NOT_PAID]
    assert "exit code 75, 'the bank is closed'" in sent[0].sentence
    assert _outcomes(await _send(store, script("print(payment['attempt'])"))) == [Outcome.PAID]
    assert len(calls()) == 2
    mark = (await read_one(store, NUMBER)).mark
    assert mark is not None
    assert mark.reference == "2"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("print('REF'); sys.exit(1)", "exit code 1, 'REF'"),
        ("raise SystemExit", "exit code 0"),  # without a reference
        ("print('REF\\x1b[2J')", "exit code 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("sys.stdout.write('half'); sys.stdout.flush(); time.sleep(60)", "no answer, 'half'"),
    ],
)
async def test_anything_else_is_not_confirmed_and_not_sent_again(
    script: Script, calls: Callable[[], list[str]], body: str, told: str
) -> None:
    store = MemorySettlement()
    await _decided(store)
    command = script(body)
    [sent] = await _send(store, command, seconds=2)
    assert (sent.outcome, told in sent.sentence) == (Outcome.UNCONFIRMED, True), sent.sentence
    assert _outcomes(await _send(store, command)) == [Outcome.UNCONFIRMED]
    assert calls() == [NUMBER]
    await mark_paid(store, NUMBER, reference="found at the bank", by="bob", now=NOW)
    assert _outcomes(await _send(store, command)) == [Outcome.SKIPPED]
    assert calls() == [NUMBER]


@on_the_engine_too
async def test_two_runs_at_once_start_the_command_once(
    store: ClosableStore, script: Script, calls: Callable[[], list[str]]
) -> None:
    await _decided(store)
    command = script("time.sleep(0.3); print('R')")
    runs = await asyncio.gather(*(_send(store, command) for _ in range(4)))
    assert sorted(each.outcome for run in runs for each in run).count(Outcome.PAID) == 1
    assert calls() == [NUMBER]


async def test_a_crash_after_the_answer_is_mended_by_the_mark_alone(
    script: Script, calls: Callable[[], list[str]]
) -> None:
    store = Crashing()
    await _decided(store)
    command = script("print('R-1')")
    store.before = MARK_JOURNAL.table
    with pytest.raises(StoreBusyError):
        await _send(store, command)
    store.before = ""
    with pytest.raises(PayoutRefusedError, match="the mark is missing"):
        await release(store, NUMBER, by="bob", reason="I think so")
    assert _outcomes(await _send(store, command)) == [Outcome.RECOVERED]
    assert calls() == [NUMBER]
    mark = (await read_one(store, NUMBER)).mark
    assert mark is not None
    assert mark.reference == "R-1"


class DyingAfterTheHook(MemorySettlement):
    """The process ends while the command runs: what it answers is never recorded."""

    async def record(self, journal: Journal[Any], entries: Sequence[Any]) -> None:
        if journal is SEND_JOURNAL and entries[0].state == "answered":
            raise KeyboardInterrupt
        await super().record(journal, entries)


async def test_a_crash_between_command_and_answer_is_said_and_needs_a_person(
    script: Script, calls: Callable[[], list[str]]
) -> None:
    store = DyingAfterTheHook()
    await _decided(store)
    command = script("print('R')")
    with pytest.raises(KeyboardInterrupt):
        await _send(store, command)
    [sent] = await _send(store, command)
    assert sent.outcome == Outcome.UNCONFIRMED
    assert "was sent and is not confirmed (nobody knows why it ended)" in sent.sentence
    assert f"`tollstream payouts release {NUMBER} --by NAME --reason TEXT`" in sent.sentence
    assert calls() == [NUMBER]


async def test_nothing_is_sent_where_the_command_cannot_be_started() -> None:
    store = MemorySettlement()
    await _decided(store)
    with pytest.raises(UserError, match="cannot be started"):
        await _send(store, "/no/such/command --now")
    assert [each.state for each in (await read_one(store, NUMBER)).sends] == ["sent", "released"]
    with pytest.raises(UserError, match="No closing quotation"):
        await _send(store, "pay 'me")
    with pytest.raises(UserError, match="the command is empty"):
        await _send(store, "  ")


async def test_the_command_paid_what_a_person_has_paid_meanwhile_is_said_loudly(script: Script, tmp_path: Path) -> None:
    store = MemorySettlement()
    await _decided(store)
    go = tmp_path / "go"
    command = script(f"\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('BY-MACHINE')")
    running = asyncio.create_task(_send(store, command))
    while not (await read_one(store, NUMBER)).sends:
        await asyncio.sleep(0.01)
    await mark_paid(store, NUMBER, reference="BY-HAND", by="bob", now=NOW)
    go.touch()
    [sent] = await running
    assert sent.outcome == Outcome.UNCONFIRMED
    assert "under the reference 'BY-HAND'" in sent.sentence
    assert "under 'BY-MACHINE': one payment too many" in sent.sentence
