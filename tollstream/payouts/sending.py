"""Paying by a command of the operator's: one payout as JSON on its input, a reference on its output.

1  the attempt is recorded (SENT), at a place that one writer gets: nobody else starts the command for this payout
2  marks are read again: whoever was marking by hand has either been seen, or sees the attempt
3  the command runs
4  its answer is recorded (ANSWERED): exit code, reference, the end of what it wrote
5  exit 0 and a reference: the payout is marked as paid

After a crash between 4 and 5 the next run writes the mark and starts nothing. After one between 1 and 4 nobody but a
person can know whether money left, so nothing is started again: "sent, not confirmed".

Exit code   0 with a reference on the first line of output: paid. 75: certainly nothing was paid, try again later.
            Everything else, no reference, or no answer in time: not confirmed. A command that breaks down after it has
            paid exits with 1, too, so 1 cannot mean that nothing was paid.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sinks.payable import SettlementStore
from sinks.payout_terms import ANSWERED, RELEASED, SENT, SendRecord
from sinks.payouts import PayoutMark
from tollstream.errors import UserError
from tollstream.payouts.documents import without_postings
from tollstream.payouts.marking import claim, record_mark
from tollstream.payouts.refusal import AlreadyPaidError, PayoutRefusedError
from tollstream.payouts.standing import PAID_EXIT, TRY_AGAIN_EXIT, Standing, State, read_one, row
from topics.events import CONTROL_CHARACTERS, TEXT_BYTES_MAX

OUTPUT_CHARACTERS = 2_000


class Outcome(StrEnum):
    """What came of one payout in a run."""

    PAID = "paid"
    RECOVERED = "recovered"  # paid by an earlier run; only the mark was missing
    NOT_PAID = "not_paid"  # the command says so; it may be sent again
    UNCONFIRMED = "unconfirmed"  # a person has to find out
    SKIPPED = "skipped"  # held, paid before, or somebody else is at it


@dataclass(frozen=True, slots=True)
class Sent:
    """One payout of a run, and what came of it."""

    number: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class Hook:
    """The command, who runs it, and for how long it may run."""

    command: str
    by: str
    seconds: int = 60

    @property
    def words(self) -> list[str]:
        """As the system starts it, without a shell; UserError where the quotes do not fit."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise UserError(f"--hook {self.command!r}: {error}.") from None
        if not words:
            raise UserError("--hook: the command is empty.")
        return words


async def send_all(
    store: SettlementStore, payouts: Sequence[Standing], hook: Hook, now: datetime
) -> AsyncIterator[Sent]:
    """One after the other; what is not due is skipped."""
    words = hook.words
    for standing in payouts:
        yield await _send(store, standing, hook, words, now)


async def _send(store: SettlementStore, standing: Standing, hook: Hook, words: Sequence[str], now: datetime) -> Sent:
    record = standing.record
    number = record.payout_id
    if standing.answer is not None:
        return await _settle(store, standing, standing.answer, now, Outcome.RECOVERED)
    state = standing.state(now)
    if state == State.UNCONFIRMED:
        return Sent(number, Outcome.UNCONFIRMED, unconfirmed_sentence(standing))
    if state != State.DUE:
        return Sent(number, Outcome.SKIPPED, f"{number} is {state}: nothing was sent.")
    attempt = SendRecord(record.builder, number, SENT, hook.by, hook.command)
    try:
        await claim(store, standing, attempt)  # 1
    except PayoutRefusedError as error:
        return Sent(number, Outcome.SKIPPED, str(error))
    claimed = await read_one(store, number)  # 2
    if claimed.mark is not None:
        return Sent(number, Outcome.SKIPPED, f"{number} was paid in the meantime: nothing was sent.")
    try:
        answer = await asyncio.to_thread(_run, words, claimed, attempt, hook.seconds, now)  # 3
    except OSError as error:
        await claim(store, claimed, replace(attempt, state=RELEASED, reason=f"the command cannot be started: {error}"))
        raise UserError(f"--hook {hook.command!r} cannot be started ({error.strerror}): nothing was sent.") from None
    await claim(store, claimed, answer)  # 4
    if answer.exit_code == TRY_AGAIN_EXIT:
        return Sent(number, Outcome.NOT_PAID, f"{number} was not paid, says the command: {_told(answer)}")
    if answer.exit_code == PAID_EXIT and answer.reference:
        return await _settle(store, claimed, answer, now, Outcome.PAID)  # 5
    return Sent(number, Outcome.UNCONFIRMED, unconfirmed_sentence(await read_one(store, number)))


async def _settle(store: SettlementStore, standing: Standing, answer: SendRecord, now: datetime, how: Outcome) -> Sent:
    record = standing.record
    mark = PayoutMark(
        record.builder, record.payout_id, answer.reference, now, answer.recorded_by, f"paid by {answer.command}"
    )
    try:
        await record_mark(store, record, mark)
    except AlreadyPaidError as error:
        if error.reference == answer.reference:
            return Sent(record.payout_id, how, f"{record.payout_id} is paid: {answer.reference}.")
        return Sent(
            record.payout_id,
            Outcome.UNCONFIRMED,
            f"{error} But the command says that it has paid, too, under {answer.reference!r}: one payment too many may "
            "have left. Look at both.",
        )
    return Sent(record.payout_id, how, f"{record.payout_id} is paid: {answer.reference}.")


def unconfirmed_sentence(standing: Standing) -> str:
    """What is known, and what a person has to do."""
    number, verbs = standing.record.payout_id, f"{standing.record.kind}s"
    last = standing.last
    how = "nobody knows why it ended" if last is None or last.state == SENT else _told(last)
    return (
        f"{number} was sent and is not confirmed ({how}). Find out whether the money has left: if it has, "
        f"`tollstream {verbs} mark-paid {number} --reference REF --by NAME`; if not, "
        f"`tollstream {verbs} release {number} --by NAME --reason TEXT`. Until then it is not sent again."
    )


def _run(words: Sequence[str], standing: Standing, attempt: SendRecord, seconds: int, now: datetime) -> SendRecord:
    given = row(standing, now) | {"attempt": len([each for each in standing.sends if each.state == SENT])}
    document = without_postings(standing.record.document)
    written = json.dumps(document | given, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as process:  # OSError: it never ran
        try:
            output, complaint = map(_text, process.communicate(written, timeout=seconds))
        except subprocess.TimeoutExpired as late:
            process.kill()
            seen = f"no answer within {seconds} s\n{_text(late.stdout)}{_text(late.stderr)}"
            return replace(attempt, state=ANSWERED, output=seen[-OUTPUT_CHARACTERS:])
    return replace(
        attempt,
        state=ANSWERED,
        exit_code=process.returncode,
        reference=_reference(output),
        output=(output + complaint)[-OUTPUT_CHARACTERS:],
    )


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")


def _reference(output: str) -> str:
    """The first line that says anything; "" where it is none that can stand on record."""
    found = next((line.strip() for line in output.splitlines() if line.strip()), "")
    return "" if CONTROL_CHARACTERS.search(found) or len(found.encode()) > TEXT_BYTES_MAX else found


def _told(answer: SendRecord) -> str:
    code = "no answer" if answer.exit_code is None else f"exit code {answer.exit_code}"
    last = next((line.strip() for line in reversed(answer.output.splitlines()) if line.strip()), "")
    return f"{code}, {last[:200]!r}" if last else code
