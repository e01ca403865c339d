"""Can the settings, and the books and meters that they name, be used?"""

from __future__ import annotations

from collections.abc import Sequence

from tollstream.diagnosis.finding import Finding
from tollstream.settings import Settings, settings_file, unknown_variables


def settings_read(settings: Settings) -> Sequence[Finding]:
    """Where the settings came from, and variables that look like one and are none."""
    given = len(settings.model_fields_set)
    source = f"the environment and {settings_file()}" if settings_file() else "the environment"
    shown = f"valid: {given} from {source}, {len(type(settings).model_fields) - given} by default"
    strangers = [Finding("settings", "warn", sentence, "correct or remove it") for sentence in unknown_variables()]
    return [Finding("settings", "ok", shown), *strangers]


def meters(settings: Settings) -> Sequence[Finding]:
    """The built-in meters and the installation's own."""
    from topics.meters import load_catalogue

    own = f", with those of {settings.meters}" if settings.meters else ", built in"
    return [Finding("meters", "ok", f"{len(load_catalogue(settings.meters))} meters{own}")]


def books(settings: Settings) -> Sequence[Finding]:
    """Every version in the book files that workers publish at their start; files are optional."""
    from billing.prices import PriceBooks
    from billing.surcharges import RuleBooks

    findings = []
    if settings.prices is not None:
        prices = PriceBooks.load(settings.prices)
        number = len(prices.versions) + len(prices.retroactive)
        findings.append(Finding("prices", "ok", f"{number} version(s) in {settings.prices}"))
    if settings.rules is not None:
        rules = RuleBooks.load(settings.rules)
        number = len(rules.versions) + len(rules.retroactive)
        findings.append(Finding("rules", "ok", f"{number} version(s) in {settings.rules}"))
    return findings
