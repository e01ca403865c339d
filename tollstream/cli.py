"""The command line `tollstream`: verbs are loaded when asked for, and a user's mistake is one sentence.

Exit codes  0 done; 1 the verb ran and its answer is no (a check failed); 2 a mistake that the sentence says how to
            mend; 130 interrupted. Anything else is a bug, and shows its traceback.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence

import click

from tollstream.errors import operator_sentence
from tollstream.shadowing import refuse_shadowed_packages
from tollstream.verbs import LazyVerbs

# In the order in which somebody meets them; `tollstream.commands.<verb>:command`, hyphens as underscores.
VERBS: dict[str, str] = {
    "demo": "A day's traffic end to end, with a worker killed on the way, checked to the last digit.",
    "up": "Start the embedded Kafka and ClickHouse.",
    "worker": "Decode, admit, rate and store usage events.",
    "emit": "Publish usage events from a JSONL file.",
    "topics": "Create and check the Kafka topics.",
    "schema": "Create and check the ClickHouse tables and views.",
    "prices": "Import, check, compare and publish price books.",
    "rules": "Write, check, try out and publish surcharge rules.",
    "rate": "Rate a JSONL file offline: what would this cost?",
    "explain": "Explain an event or a line to the last digit.",
    "unpriced": "List usage that waits for a price.",
    "rerate": "Rate past usage again: a dry-run difference, or signed adjustments in the log.",
    "plans": "Check and publish what tenants pay for by the period, and who has which plan.",
    "fx": "Record exchange rates by day.",
    "grants": "Grant credits to tenants: top-ups, prepaid, promotional, goodwill.",
    "close": "Close a period: numbered statements, balanced to the smallest unit.",
    "statement": "Show a statement of a closed period.",
    "payouts": "Decide what Builders are paid for a closed period; export it, pay it, mark it as paid once.",
    "rewards": "Decide what providers are owed for a month, in statements of their own.",
    "payment": "Record that a tenant has paid a statement.",
    "credit-note": "Credit a tenant a part of a closed statement.",
    "refund": "Give money back to a tenant who is owed it.",
    "write-off": "Write off what a tenant will never pay.",
    "chargeback": "Record that a bank has taken a payment back.",
    "notes": "List what was noted on closed statements.",
    "balance": "Show allowances, credits and spend so far, in the period that runs.",
    "alerts": "Publish each threshold that a tenant passes, once, so that gateways warn or stop.",
    "reconcile": "Compare log, ledger and totals to the last digit.",
    "console": "Show statements, usage, earnings and payouts on a web page.",
    "backfill": "Let events older than the deduplication horizon in, on record.",
    "doctor": "Check this machine and these settings.",
}
DEBUG_VARIABLE = "TOLLSTREAM_DEBUG"
CONFIG_VARIABLE = "TOLLSTREAM_CONFIG"


def _version() -> str:
    try:
        return importlib.metadata.version("tollstream")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unreleased"


@click.group(
    cls=LazyVerbs,
    package="tollstream.commands",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tollstream demo --keep",
)
@click.version_option(_version(), prog_name="tollstream")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    help=f"Settings file; default: tollstream.toml in the current folder, or {CONFIG_VARIABLE}.",
)
def cli(config: str | None) -> None:
    """Raw inference events in, exact money out."""
    if config is not None:
        os.environ[CONFIG_VARIABLE] = os.path.abspath(config)  # noqa: PTH100  workers started from here read it too


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    try:
        refuse_shadowed_packages()
        outcome = cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Abort:
        return _say("Interrupted.", 130)
    except KeyboardInterrupt:
        return _say("Interrupted.", 130)
    except click.ClickException as error:
        error.show()
        return 2
    except Exception as error:
        sentence = operator_sentence(error)
        if sentence is None:
            raise
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        return _say(sentence, 2)
    return outcome if isinstance(outcome, int) else 0


def _say(sentence: str, code: int) -> int:
    click.echo(f"tollstream: {sentence}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
