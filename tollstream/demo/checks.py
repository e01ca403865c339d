"""What must hold at the end of a demonstration, each check a sentence with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tollstream.demo.oracle import Comparison, OracleResult

OUTCOMES = ("published", "accepted", "duplicates", "dead_lettered", "voided", "unpriced")


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
