"""The list of lints, and the run over all of them: a new lint is a function and a line in its file's CHECKS."""

from __future__ import annotations

from billing.prices import PriceBook
from billing.surcharges.book import RuleBook
from billing.surcharges.lints import amounts, earnings, meters, reach, wording
from billing.surcharges.lints.finding import Check, Lint, Severity, Subject
from billing.surcharges.lints.last_month import LastMonth
from topics.meters import MeterCatalogue

LINTS: tuple[Check, ...] = tuple(
    sorted(
        (*wording.CHECKS, *amounts.CHECKS, *meters.CHECKS, *reach.CHECKS, *earnings.CHECKS),
        key=lambda check: check.severity is not Severity.ERROR,
    )
)


def lint(
    book: RuleBook, *, catalogue: MeterCatalogue, prices: PriceBook | None, last_month: LastMonth | None
) -> list[Lint]:
    """Everything that is found: errors first, then in the order of the book's rules, then in that of LINTS."""
    subject = Subject(book, catalogue, prices, last_month)
    places = {rule.id: number for number, rule in enumerate(book.rules)}
    found = [
        Lint(check.code, check.severity, rule_id, sentence)
        for check in LINTS
        for rule_id, sentence in check.find(subject)
    ]
    return sorted(found, key=lambda each: (each.severity is not Severity.ERROR, places.get(each.rule_id, -1)))


def not_checked(*, prices: PriceBook | None, last_month: LastMonth | None) -> list[str]:
    """A sentence for each thing that `lint` could not look at, for want of prices or of last month's usage."""
    unmet = {}
    if prices is None:
        unmet["prices"] = "no price book is known"
    if last_month is None:
        unmet["last_month"] = "no store was asked for last month's usage"
    elif not last_month.groups:
        unmet["last_month"] = f"the store has no usage of {last_month.name}"
    return [
        f"Not checked, because {why}: {', '.join(check.code for check in LINTS if check.needs == need)}."
        for need, why in unmet.items()
    ]
