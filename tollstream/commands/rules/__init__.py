"""`tollstream rules`: surcharge rules, from a template to publication."""

from __future__ import annotations

import click

from tollstream.verbs import LazyVerbs

# In the order in which somebody meets them; `tollstream.commands.rules.<verb>:command`.
VERBS: dict[str, str] = {
    "new": "Write a rule book for one of four common offers.",
    "check": "Validate a rule book file, and say what a pricing expert would object to.",
    "explain": "Say which rule applies to given usage, which others matched, and why they lost.",
    "simulate": "Rate past usage under other rules or prices, and show who wins and who loses.",
    "diff": "Compare a rule book file with the published one.",
    "publish": "Publish a version: immutable, dated, known to every worker before it applies.",
    "show": "Print a published version.",
    "history": "List the published versions.",
}


@click.group(
    "rules",
    cls=LazyVerbs,
    package=__name__,
    verbs=VERBS,
    epilog="Example: tollstream rules history --json",
)
def command() -> None:
    """Write, check, try out and publish surcharge rules."""
