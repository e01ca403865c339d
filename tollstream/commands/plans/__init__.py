"""`tollstream plans`: what tenants pay for by the period, and who has which plan."""

from __future__ import annotations

import click

from tollstream.verbs import LazyVerbs

# In the order in which somebody meets them; `tollstream.commands.plans.<verb>:command`.
VERBS: dict[str, str] = {
    "check": "Validate a plan book file.",
    "publish": "Publish a version: immutable, dated, by whom and why.",
    "show": "Print a published version.",
    "history": "List the published versions.",
}


@click.group(
    "plans", cls=LazyVerbs, package=__name__, verbs=VERBS, epilog="Example: tollstream plans history --builder acme"
)
def command() -> None:
    """Check and publish plan books: fees, allowances, tiers, minimums, caps, and who has which plan since when."""
