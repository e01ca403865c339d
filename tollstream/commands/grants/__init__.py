"""`tollstream grants`: credits of tenants."""

from __future__ import annotations

import click

from tollstream.verbs import LazyVerbs

# `tollstream.commands.grants.<verb>:command`.
VERBS: dict[str, str] = {
    "add": "Grant a credit: a top-up, prepaid, promotional or goodwill.",
    "list": "List the credits of a Builder's tenants.",
}


@click.group(
    "grants", cls=LazyVerbs, package=__name__, verbs=VERBS, epilog="Example: tollstream grants list acme/globex"
)
def command() -> None:
    """Grant credits to tenants, units or money, with expiry and priority; statements draw them in a stated order."""
