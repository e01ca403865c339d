"""`tollstream fx`: exchange rates by day, for statements in another currency than prices."""

from __future__ import annotations

import click

from tollstream.verbs import LazyVerbs

# `tollstream.commands.fx.<verb>:command`.
VERBS: dict[str, str] = {
    "add": "Record rates: one for each pair and day, for ever.",
    "list": "List the recorded rates.",
}


@click.group("fx", cls=LazyVerbs, package=__name__, verbs=VERBS, epilog="Example: tollstream fx list --base USD")
def command() -> None:
    """Record exchange rates by day. A period is converted at that of its last day; a missing one refuses to close."""
