"""Why there is no statement: a value, so that one pass over all tenants shows everything that is missing."""

from __future__ import annotations

from dataclasses import dataclass

from billing.fx import MissingRate


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement that cannot be made yet, and every exchange rate that it waits for."""

    builder: str
    tenant: str
    period: str
    missing: tuple[MissingRate, ...]

    @property
    def text(self) -> str:
        """One sentence for whoever closes the period."""
        rates = "; ".join(each.text for each in self.missing)
        return f"{self.builder}/{self.tenant} {self.period}: {rates}: publish it and close again"
