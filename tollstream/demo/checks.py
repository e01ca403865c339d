"""What must hold at the end of a demonstration, each check a sentence with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.plans import REQUESTS
from billing.postings import BUILDER_PAYABLE, PLATFORM_FEE, PROVIDER_PAYABLE
from tollstream.demo.oracle import Comparison, OracleResult
from tollstream.demo.settling import Settlement

OUTCOMES = ("published", "accepted", "duplicates", "dead_lettered", "voided", "unpriced")
USAGE_ACCOUNTS = {
    PROVIDER_PAYABLE: "provider_reward",
    PLATFORM_FEE: "platform_fee",
    BUILDER_PAYABLE: "builder_earnings",
}
ZERO = Decimal(0)
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Killing:
    """How one worker died, and what that did."""

    pid: int
    exit_code: int
    partitions: tuple[int, ...]  # what it owned
    stored: int  # records of these partitions that were stored when it died
    published: int  # records of these partitions in the log at the end
    unfinished: tuple[int, ...]  # of its partitions, those with records that it had not stored
    taken_over: tuple[int, ...]  # of these, those that the other worker finished


def killing_checks(killing: Killing) -> list[Check]:
    """The crash was real, in the middle of the work, and the work went on elsewhere."""
    return [
        Check(
            "a worker was killed by SIGKILL",
            killing.exit_code == -9,
            f"worker {killing.pid} ended with exit code {killing.exit_code}",
        ),
        Check(
            "it had stored some of its partitions' records and not all",
            0 < killing.stored < killing.published,
            f"{killing.stored} of {killing.published} records were stored when it died",
        ),
        Check(
            "what it left unfinished was finished by the other worker",
            killing.taken_over == killing.unfinished != (),
            f"of its partitions {list(killing.partitions)}, {list(killing.taken_over)} moved",
        ),
    ]


def outcome_checks(planned: Mapping[str, int], stored: Mapping[str, int], oracle: OracleResult) -> list[Check]:
    """Three countings of every outcome agree: what was planned, what workers counted, what the oracle says."""
    checks = [
        Check(
            f"{name} are as planned, stored and recomputed",
            planned.get(name, 0) == stored[name] == oracle.outcomes[name],
            f"planned {planned.get(name, 0)}, stored {stored[name]}, recomputed {oracle.outcomes[name]}",
        )
        for name in OUTCOMES
    ]
    parts = {name: stored[name] for name in OUTCOMES[1:4]}
    told = " + ".join(f"{count} {name}" for name, count in parts.items())
    sound = stored["published"] == sum(parts.values())
    return [*checks, Check("every event has exactly one outcome", sound, f"{stored['published']} = {told}")]


def money_checks(sums: Mapping[str, Decimal], findings: Sequence[str], comparison: Comparison) -> list[Check]:
    """The three sides add up, ledger and totals agree, and so does the independent recomputation."""
    parts = sums["provider_reward"] + sums["platform_fee"] + sums["builder_earnings"]
    first = comparison.differences[0] if comparison.differences else "every row and every total is equal"
    return [
        Check("money was made", sums["customer_charge"] > 0, f"customers pay {sums['customer_charge']}"),
        Check(
            "customer charge = provider reward + platform fee + builder earnings",
            sums["customer_charge"] == parts,
            f"{sums['customer_charge']} = {parts}",
        ),
        Check("the store's own reconciliation holds", not findings, findings[0] if findings else "no finding"),
        Check(
            "ledger, totals and dead letters equal the independent recomputation",
            comparison.equal,
            f"residual {comparison.residual:f}; {len(comparison.differences)} differences: {first}",
        ),
    ]


def rerate_checks(waiting: int, stored: int, oracle: OracleResult, knowing: OracleResult) -> list[Check]:
    """What waited was rated later, to what it would have come to with the price from the beginning (`knowing`)."""
    apart = [
        key
        for key in oracle.totals.keys() | knowing.totals.keys()
        if key not in oracle.totals
        or key not in knowing.totals
        or oracle.totals[key].amounts != knowing.totals[key].amounts
    ]
    left = sum(total.unpriced_events for total in oracle.totals.values())
    return [
        Check(
            "what waited for a price was rated later",
            waiting == stored > 0 and left == 0,
            f"{waiting} events waited, {stored} adjustments are stored, {left} still wait",
        ),
        Check(
            "every total is what it would be with that price from the beginning",
            not apart,
            f"{len(oracle.totals)} totals recomputed, {len(apart)} of them differ",
        ),
    ]


def counted_check(meters: Mapping[tuple[str, str], str], counted: Rows, used: Rows) -> Check:
    """What statements count by plans is what was used. `counted` has the quantity of each usage line, `used` what the
    ledger has of each Builder, tenant and rule: usage by meter, and events."""
    ledger = {(row["builder"], row["tenant"], row["rule_id"]): row for row in used}
    apart = []
    for row in counted:
        held = ledger.get((row["builder"], row["tenant"], row["rule_id"]), {"usage": {}, "events": 0})
        meter = meters.get((row["builder"], row["unit"]))
        if meter is None:  # a tenant without a plan: the rule says what it counts
            continue
        there = held["events"] if meter == REQUESTS else held["usage"].get(meter, ZERO)
        if row["quantity"] != there:
            apart.append(f"{row['builder']}/{row['tenant']} {row['rule_id']}: {row['quantity']:f}, ledger {there:f}")
    return Check(
        "every quantity on a statement = what the ledger has of that rule",
        bool(counted) and not apart,
        "; ".join(apart[:5]) or f"{len(counted)} lines with a number",
    )


def settlement_checks(
    settlement: Settlement, sums: Mapping[str, Decimal], billed: Rows, posted: Rows, due: Rows
) -> list[Check]:
    """The closed month: nothing left out, nothing added, everything in balance. `sums` is of the ledger; `billed`,
    `posted` and `due` are sums by currency, of usage lines, usage postings, and what is to be paid."""
    accepted = [f"{each.entry.builder} {problem.kind}" for each in settlement.closings for problem in each.problems]
    gaps = [
        each.entry.builder
        for each in settlement.closings
        if [one.head.number for one in settlement.statements if one.head.builder == each.entry.builder]
        != list(range(1, each.entry.statements + 1))
    ]
    balances = ", ".join(f"{each.debits:f} {each.currency}" for each in settlement.balances)
    [charge] = [row["charge"] for row in billed] or [ZERO]
    checks = [
        Check(
            f"the month {settlement.period.label} of every Builder is closed, with nothing to accept",
            bool(settlement.closings) and not accepted,
            ", ".join(accepted) or f"{len(settlement.closings)} Builders, {len(settlement.statements)} statements",
        ),
        Check("statements are numbered without gaps", not gaps, ", ".join(gaps) or "each Builder's from 1 on"),
        Check(
            "debits = credits in every currency",
            bool(settlement.balances) and not settlement.residual and not settlement.unbalanced,
            f"{balances}; residual {settlement.residual.normalize():f}, {settlement.unbalanced} documents unbalanced",
        ),
        _equal("billed usage = customer charge of the ledger", charge, sums["customer_charge"]),
    ]
    for account, name in USAGE_ACCOUNTS.items():
        found = -sum((row["amount"] for row in posted if row["account"] == account), ZERO)
        words = f"{account.replace('_', ' ')} of usage = {name.replace('_', ' ')} of the ledger"
        checks.append(_equal(words, found, sums[name]))
    for account, what, decided in (
        ("payout_due", "payouts", settlement.payouts),
        ("reward_due", "rewards", settlement.rewards),
    ):
        found = -sum((row["amount"] for row in due if row["account"] == account), ZERO)
        amount = sum((each.record.amount for each in decided), ZERO)
        checks.append(_equal(f"{what} decided = {what} posted as due", amount, found, some=True))
    return [
        *checks,
        Check(
            "closing, paying and rewarding again changes no document",
            not settlement.changed,
            "; ".join(settlement.changed[:5]) or f"{_documents(settlement)} documents are identical",
        ),
    ]


def _equal(words: str, one: Decimal, other: Decimal, *, some: bool = False) -> Check:
    return Check(words, one == other and (one > 0 or not some), f"{one:.12f} = {other:.12f}")


def _documents(settlement: Settlement) -> int:
    return len(settlement.statements) + len(settlement.payouts) + len(settlement.rewards)
