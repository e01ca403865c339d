"""One line of the doctor's answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from tollstream.errors import operator_sentence

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do where it is not well."""

    check: str
    level: Level
    found: str
    cure: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


Check = Callable[[], Sequence[Finding]]


def run_checks(checks: Sequence[tuple[str, Check]]) -> list[Finding]:
    """Every check's findings, in order; a check that breaks is a finding itself."""
    findings: list[Finding] = []
    for name, check in checks:
        try:
            with _silence():
                findings.extend(check())
        except Exception as error:  # the doctor has to come to its last line
            sentence = operator_sentence(error) or f"{type(error).__name__}: {error}"
            findings.append(Finding(name, "fail", sentence, "mend what the sentence names, then run this again"))
    return findings


@contextmanager
def _silence() -> Iterator[None]:
    """Clients also log what a check is about to say in its own words."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
