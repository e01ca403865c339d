"""`tollstream prices`: the price book, from import to publication."""

from __future__ import annotations

import click

from tollstream.verbs import LazyVerbs

# In the order in which somebody meets them; `tollstream.commands.prices.<verb>:command`.
VERBS: dict[str, str] = {
    "import": "Make a price book out of litellm, genai-prices or a CSV file, and show what would change.",
    "check": "Validate a price book file.",
    "diff": "Compare a price book file with the published one.",
    "publish": "Publish a version: immutable, dated, known to every worker before it applies.",
    "show": "Print a published version.",
    "history": "List the published versions.",
}


@click.group(
    "prices",
    cls=LazyVerbs,
    package=__name__,
    verbs=VERBS,
    epilog="Example: tollstream prices history --json",
)
def command() -> None:
    """Import, check, compare and publish price books."""
