"""Payout terms: one dated, immutable version of what was agreed with a Builder about being paid.

Which version   A payout follows the version in force at the end of its period, a chargeback the one in force when it is
                recorded; each keeps the version's name. Without any: no threshold, no days held, all of a chargeback.
Units           thresholds in whole smallest units of their currency; `chargeback_share` is a part of 1, as "0.5".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.currencies import Currency, exponent
from billing.disputes import ChargebackPolicy
from billing.documents import Moment, Versions
from billing.payouts import PayoutPolicy
from billing.plans.amounts import Amount, Rate, Text

HOLD_DAYS_MAX = 366


class PayoutTerms(BaseModel):
    """One version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Text
    effective_from: Moment
    retroactive: Literal[False] = False
    builder: Text
    hold_days: Annotated[int, Field(ge=0, le=HOLD_DAYS_MAX)] = 0  # from the end of the period on
    threshold: Mapping[Currency, Amount] = {}  # below it nothing is paid, and everything is carried
    chargeback_share: Rate = Decimal(1)  # of a chargeback and of the bank's fee for it
    content: str = Field("", repr=False)
    digest: str = ""

    @model_validator(mode="after")
    def _payable(self) -> PayoutTerms:
        for currency, amount in self.threshold.items():
            if amount % Decimal(1).scaleb(-exponent(currency)):
                raise ValueError(f"threshold {amount} {currency} is no whole number of the currency's smallest unit")
        return self

    @property
    def policy(self) -> PayoutPolicy:
        """For payouts."""
        return PayoutPolicy(dict(self.threshold), self.hold_days)

    @property
    def chargeback_policy(self) -> ChargebackPolicy:
        """For chargebacks."""
        return ChargebackPolicy(self.chargeback_share)


class PayoutTermsVersions(Versions[PayoutTerms]):
    """All versions of one Builder's terms."""

    def policy_at(self, moment: datetime) -> tuple[str, PayoutPolicy]:
        """(version, policy) in force; ("", what holds without terms) before the first."""
        found = self.at(moment)
        return (found.version, found.policy) if found else ("", PayoutPolicy())

    def chargeback_policy_at(self, moment: datetime) -> tuple[str, ChargebackPolicy]:
        """The same for chargebacks."""
        found = self.at(moment)
        return (found.version, found.chargeback_policy) if found else ("", ChargebackPolicy())
