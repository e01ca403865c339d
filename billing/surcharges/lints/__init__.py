"""Lints: what a pricing expert would object to in a rule book that can be loaded, as findings with code and sentence.

`lint(book, catalogue=…, prices=…, last_month=…)` runs every check of register.py; an error stops publication, a warning
asks for a second look (docs/rules.md lists all of them, docs/decisions/015-what-stops-a-publication.md says why).
"""

from billing.surcharges.lints.finding import Lint, Severity
from billing.surcharges.lints.last_month import LastMonth, UsageGroup
from billing.surcharges.lints.register import LINTS, lint, not_checked

__all__ = ["LINTS", "LastMonth", "Lint", "Severity", "UsageGroup", "lint", "not_checked"]
