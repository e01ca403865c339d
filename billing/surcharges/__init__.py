"""Surcharge rules: how a customer's charge comes from the base cost, and which rule applies to an event."""

from billing.surcharges.book import RuleBook, RuleBooks, resolve_rule
from billing.surcharges.rule import Rule

__all__ = ["Rule", "RuleBook", "RuleBooks", "resolve_rule"]
