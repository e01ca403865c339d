"""A plan book: one dated, immutable version of a Builder's plans, of who has them, and of taxes.

Which version   Plans are those of the version in force when a period starts, so that a price never changes within it;
                a plan that is newer is taken from the first version that has it. Who has which plan, in which currency
                and with which tax, is what the version in force at the period's end says: a tenant need not wait.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from billing.currencies import Currency
from billing.documents import BookError, Moment, Versions
from billing.loading import load_versions
from billing.periods import Cycle, Period
from billing.plans.amounts import Name, Text
from billing.plans.letters import Customer, Sender
from billing.plans.plan import Plan
from billing.plans.subscription import Segment, Subscription, TaxRate, segment_of, whole

INSTANT = timedelta(microseconds=1)


class PlanCycle(BaseModel):
    """How the Builder's periods are cut; checked by `billing.periods.Cycle`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["month", "week", "anniversary"] = "month"
    zone: str = "UTC"
    anchor: date | None = None

    @model_validator(mode="after")
    def _possible(self) -> PlanCycle:
        try:
            Cycle(self.kind, self.zone, self.anchor)
        except Exception as error:
            raise ValueError(str(error)) from None
        return self


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan book says about a tenant in a period. Without segments the tenant has no plan: usage alone."""

    segments: tuple[Segment, ...]
    currency: str  # of the statement
    tax: TaxRate | None


class PlanBook(BaseModel):
    """One version. Amounts are in `currency`, which is the price book's: the charge currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Text
    effective_from: Moment
    retroactive: Literal[False] = False
    builder: Text
    currency: Currency
    cycle: PlanCycle = PlanCycle()
    plans: tuple[Plan, ...] = Field(min_length=1)
    default_plan: Name | None = None  # of tenants that are not in `tenants`, for whole periods
    tenants: tuple[Subscription, ...] = ()
    taxes: tuple[TaxRate, ...] = ()
    sender: Sender = Sender()
    customers: tuple[Customer, ...] = ()
    content: str = Field("", repr=False)
    digest: str = ""
    _by_tenant: dict[str, tuple[Subscription, ...]] = PrivateAttr(default_factory=dict)
    _plans: dict[str, Plan] = PrivateAttr(default_factory=dict)
    _taxes: dict[str, TaxRate] = PrivateAttr(default_factory=dict)
    _customers: dict[str, Customer] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> PlanBook:
        for plan in self.plans:
            if self._plans.setdefault(plan.id, plan) is not plan:
                raise ValueError(f"plan {plan.id} stands twice: give each plan an id of its own")
        if self.default_plan is not None and self.default_plan not in self._plans:
            raise ValueError(f"default_plan {self.default_plan} is not among {', '.join(sorted(self._plans))}")
        for tax in self.taxes:
            if self._taxes.setdefault(tax.id, tax) is not tax:
                raise ValueError(f"tax {tax.id} stands twice")
        for customer in self.customers:
            if self._customers.setdefault(customer.tenant, customer) is not customer:
                raise ValueError(f"customer {customer.tenant} stands twice: a tenant has one name and one address")
        by_tenant: dict[str, list[Subscription]] = {}
        for each in self.tenants:
            if each.plan not in self._plans:
                raise ValueError(
                    f"tenant {each.tenant}: plan {each.plan} is not among {', '.join(sorted(self._plans))}"
                )
            if each.tax is not None and each.tax not in self._taxes:
                raise ValueError(f"tenant {each.tenant}: tax {each.tax} is not among the book's taxes")
            by_tenant.setdefault(each.tenant, []).append(each)
        for tenant, found in by_tenant.items():
            found.sort(key=lambda each: each.since)
            for before, after in pairwise(found):
                if before.until is None or before.until > after.since:
                    raise ValueError(
                        f"tenant {tenant}: {before.plan} has to end (until) before {after.plan} begins on {after.since}"
                    )
            self._by_tenant[tenant] = tuple(found)
        return self

    @property
    def billing_cycle(self) -> Cycle:
        """How periods are cut."""
        return Cycle(self.cycle.kind, self.cycle.zone, self.cycle.anchor)

    def plan(self, plan_id: str) -> Plan | None:
        """The plan of this id."""
        return self._plans.get(plan_id)

    def customer(self, tenant: str) -> Customer:
        """How the tenant is called on a letter; by its id where the book does not say."""
        return self._customers.get(tenant) or Customer(tenant=tenant)

    def subscriptions(self, tenant: str) -> tuple[Subscription, ...]:
        """All plans that the tenant has or had, oldest first."""
        return self._by_tenant.get(tenant, ())

    @property
    def subscribed(self) -> Mapping[str, tuple[Subscription, ...]]:
        """By tenant."""
        return self._by_tenant

    def _tax_of(self, subscription: Subscription) -> TaxRate | None:
        if subscription.tax is not None:
            return self._taxes[subscription.tax]
        if subscription.tax_rate is not None and subscription.tax_label is not None:
            return TaxRate.model_construct(
                id=subscription.tax_label, label=subscription.tax_label, rate=subscription.tax_rate
            )
        return None


class PlanBooks(Versions[PlanBook]):
    """All versions of one Builder's plan book."""

    @staticmethod
    def load(path: Path) -> PlanBooks:
        """From a file or a folder of versions."""
        return PlanBooks(load_versions(path, PlanBook))

    def in_force(self, period: Period) -> PlanBook | None:
        """The version that says who has which plan in a period: the one in force at its end."""
        return self.at(period.end - INSTANT)

    def terms(self, tenant: str, period: Period) -> Terms | None:
        """Plans, currency and tax of a tenant in a period; None before the first version."""
        book = self.in_force(period)
        if book is None:
            return None
        found: list[tuple[Subscription, Segment]] = []
        for subscription in book.subscriptions(tenant):
            segment = segment_of(subscription, self._plan(subscription.plan, period, book), period)
            if segment is not None:
                found.append((subscription, segment))
        if not found:
            last = book.subscriptions(tenant)[-1:]
            if not last:
                default = book.default_plan
                segments = (whole(period, self._plan(default, period, book)),) if default else ()
                return Terms(segments, book.currency, None)
            return Terms((), last[0].currency or book.currency, book._tax_of(last[0]))
        latest = found[-1][0]
        return Terms(tuple(segment for _, segment in found), latest.currency or book.currency, book._tax_of(latest))

    def _plan(self, plan_id: str, period: Period, latest: PlanBook) -> Plan:
        """From the version in force when the period starts, else from the first later one that has it."""
        starts = bisect_right([version.effective_from for version in self.versions], period.start) - 1
        for version in self.versions[max(starts, 0) :]:
            plan = version.plan(plan_id)
            if plan is not None:
                return plan
        raise BookError(f"plan {plan_id} of version {latest.version} is in no version")
