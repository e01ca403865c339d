"""Plans: what a tenant pays for by the period, who has which, and how parts of a period are counted."""

from billing.plans.allowance import Allowance
from billing.plans.book import PlanBook, PlanBooks, Terms
from billing.plans.letters import Customer, Sender
from billing.plans.plan import REQUESTS, Cap, Plan, PlanUnit, TopUp
from billing.plans.subscription import Segment, Subscription, TaxRate, part, part_of_units, segment_of, whole
from billing.plans.tier import Tier, TierStep

__all__ = [
    "REQUESTS",
    "Allowance",
    "Cap",
    "Customer",
    "Plan",
    "PlanBook",
    "PlanBooks",
    "PlanUnit",
    "Segment",
    "Sender",
    "Subscription",
    "TaxRate",
    "Terms",
    "Tier",
    "TierStep",
    "TopUp",
    "part",
    "part_of_units",
    "segment_of",
    "whole",
]
