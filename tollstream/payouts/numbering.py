"""Numbers of payouts and rewards: `acme-P000012`, `R000007`; without gaps for each Builder, and over all rewards.

A statement's number ends in a dash and digits, so none of these can be taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from sinks.payouts import PayoutRecord
from tollstream.payouts.refusal import PayoutRefusedError

Kind = Literal["payout", "reward"]
PAYOUT: Kind = "payout"
REWARD: Kind = "reward"
_WRITTEN = re.compile(r"(?:(?P<builder>.+)-P|R)(?P<digits>[0-9]{6,})")


def written(kind: Kind, builder: str, number: int) -> str:
    """The number as it stands on the document."""
    return f"{builder}-P{number:06d}" if kind == PAYOUT else f"R{number:06d}"


def place_of(text: str) -> tuple[Kind, str]:
    """(kind, Builder whose journal holds it: "" for rewards); PayoutRefusedError for no number."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise PayoutRefusedError(
            f"{text!r} is no number of a payout, such as acme-P000012, nor of a reward, such as R000007: "
            "`tollstream payouts --period` and `tollstream rewards --period` print them."
        )
    return (PAYOUT, found["builder"]) if found["builder"] else (REWARD, "")


def following(kind: Kind, standing: Iterable[PayoutRecord]) -> int:
    """The number after the last one of a kind."""
    written_so_far = [_WRITTEN.fullmatch(record.payout_id) for record in standing if record.kind == kind]
    return max((int(found["digits"]) for found in written_so_far if found), default=0) + 1
