"""docs/payouts.md: its example is closed, noted and paid out by the code; its steps are plain arithmetic."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import pytest

from billing.loading import parse_version
from billing.payout_terms import PayoutTerms
from billing.payouts import ACCOUNTS, KINDS
from billing.settled import KINDS as NOTES
from billing.settled import NoteKind
from sinks.payouts import PAYOUT_JOURNAL, PayoutRecord
from tests.support import pages
from tests.support.billed import bill, month, usage
from tests.support.settlement import MemorySettlement, put_closed
from tollstream import cli
from tollstream.disputes.recording import note
from tollstream.disputes.request import NoteRequest
from tollstream.payouts.deciding import decide
from tollstream.payouts.layout import statement_text
from tollstream.payouts.rewarding import reward
from tollstream.payouts.sending import Outcome
from tollstream.payouts.standing import TRY_AGAIN_EXIT, State, read_one
from tollstream.payouts.terms import publish_terms

PAGE = (pages.DOCS / "payouts.md").read_text(encoding="utf-8")
EXAMPLE = pages.section(PAGE, "A worked example")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
STEP = re.compile(r"^(\w+) +(\w+) += (.+?) += (-?[\d.]+)$")
D = Decimal


async def _told() -> tuple[MemorySettlement, list[PayoutRecord]]:
    """The example, as it happens."""
    store = MemorySettlement()
    terms = parse_version(pages.block(PAGE, "toml"), ".toml", "the page", PayoutTerms)
    await publish_terms(store, terms, by="eve", reason="contract")
    _, notes = _tables()
    records: list[PayoutRecord] = []
    for label, when in (("2026-10", "before October's payout"), ("2026-11", "before November's payout")):
        rows = [row for row in _tables()[0] if row["month"] == label]
        statements = [
            bill(
                row["tenant"], label, usage(row["charge"], row["reward"], row["fee"], row["provider"]),
                builder="quill", tax=row["tax"] == "yes",
            )
            for row in rows
        ]  # fmt: skip
        await put_closed(store, "quill", month(label), statements)
        for row in notes:
            if row["when"] == when:
                kind = cast("NoteKind", row["note"].replace("-", "_"))
                asked = NoteRequest(kind, row["statement"], D(row["amount"]), "ada", "why", fee=D(row["fee"]))
                await note(store, asked, now=NOW)
        records += (await decide(store, "quill", label, by="ada")).records
    records += (await reward(store, "2026-11", by="ada")).records
    return store, records


def _tables() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    closed, noted = EXAMPLE.split("and this is noted on them")
    return pages.table(closed), pages.table(noted)


def _steps() -> dict[tuple[str, str], Decimal]:
    found = {}
    for line in pages.block(EXAMPLE, "text").splitlines():
        step = STEP.match(line)
        assert step, f"no step: {line}"
        who, what, expression, answer = step.groups()
        assert pages.value(expression) == D(answer), line
        found[who, what] = D(answer)
    return found


async def test_what_is_printed_is_what_the_page_shows() -> None:
    store, records = await _told()
    printed = [statement_text(await read_one(store, record.payout_id), NOW) for record in records]
    assert printed == [block.rstrip() for block in re.findall(r"```statement\n(.*?)```", EXAMPLE, re.DOTALL)]
    assert not any(balance.residual for balance in await store.read_balance())


async def test_the_steps_come_to_what_is_decided() -> None:
    store, _ = await _told()
    steps = _steps()
    october, november = await store.read_journal(PAYOUT_JOURNAL, {"builder": "quill"})
    shown = [(await read_one(store, record.payout_id)).as_json(NOW) for record in (october, november)]
    for name, document in zip(("october", "november"), shown, strict=True):
        for part in ("gross", "net", "carried"):
            if (name, part) in steps:
                assert D(document[part]) == steps[name, part], (name, part)
    assert D(shown[0]["refunds"]) == steps["credit", "refunds"]
    assert D(shown[1]["chargebacks"]) == steps["bank", "chargebacks"]
    rows, _ = _tables()
    for row in rows[:3]:
        earned = D(row["charge"]) - D(row["reward"]) - D(row["fee"])
        assert earned == steps[row["tenant"], "earns"]


def test_every_part_state_and_note_of_the_code_is_named() -> None:
    parts = pages.table(pages.section(PAGE, "What is in a payout"))
    assert [row["kind"] for row in parts] == list(KINDS)
    states = pages.table(pages.section(PAGE, "Paying"))
    assert [row["state"] for row in states] == [str(state) for state in State]
    notes = pages.table(pages.section(PAGE, "Notes on statements"))
    assert {row["verb"] for row in notes} == {kind.replace("_", "-") for kind in NOTES}
    assert str(TRY_AGAIN_EXIT) in {row["exit code"] for row in pages.table(PAGE.split("by its exit code:")[1])}
    assert str(Outcome.UNCONFIRMED) == str(State.UNCONFIRMED)
    for account in ACCOUNTS:
        assert f"`{account}`" in pages.section(PAGE, "Postings")


@pytest.mark.parametrize(
    "command", re.findall(r"`(?:tollstream )((?:\w|-)+(?: (?:export|mark-paid|release|terms|show))?)", PAGE)
)
def test_every_verb_on_the_page_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = command.split()
    if words[0] in ("reconcile", "statement"):
        words = words[:1]
    assert cli.main([*words, "--help"]) == 0
    assert "Example: tollstream" in capsys.readouterr().out
