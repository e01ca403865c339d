"""`tollstream rewards`: decide what providers are owed for a month, in statements of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from sinks.payable import SettlementStore
from tollstream.errors import UserError
from tollstream.payouts.desk import user, with_store
from tollstream.payouts.layout import list_text, statement_text
from tollstream.payouts.numbering import REWARD
from tollstream.payouts.refusal import one_line
from tollstream.payouts.rewarding import EVERYBODY, Rewarded, reward
from tollstream.payouts.standing import Standing, read_standing
from tollstream.payouts.verbs import bold, json_option
from tollstream.verbs import LazyVerbs

VERBS: dict[str, str] = {
    "show": "Print the statement of a reward.",
    "export": "Write what is due for a payment run, or pay it by a command.",
    "mark-paid": "Record that a reward was paid, once, with a reference.",
    "release": "Say that a reward which was sent and not confirmed was not paid.",
}
IN_FULL = 5  # statements that are printed line by line; more of them get a line each


@click.group(
    "rewards",
    cls=LazyVerbs,
    package=__name__,
    verbs=VERBS,
    invoke_without_command=True,
    epilog="Example: tollstream rewards --period 2026-10 --json",
)
@click.option("--period", default="", help="A month, such as 2026-10: its rewards are decided.")
@click.option("--leave-out", multiple=True, metavar="BUILDER", help="Do not wait for this Builder to close.")
@click.option("--by", default="", metavar="NAME", help="Who decides; default: the user of this machine.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever audits it.")
@click.option("--dry-run", is_flag=True, help="Show what would be decided, record nothing.")
@json_option
@click.pass_context
def command(
    context: click.Context, period: str, leave_out: tuple[str, ...], by: str, reason: str, dry_run: bool,
    prints_json: bool,
) -> None:  # fmt: skip
    """Decide the rewards of a month: what each provider is owed in each currency, with a line for each Builder.

    Out of all closed periods that end in the month or before it and that no statement has covered. Numbered and
    recorded once: run again it shows what was decided. Never part of a Builder's payout.
    """
    if context.invoked_subcommand is not None:
        if period:
            raise UserError(f"--period stands behind the verb: tollstream rewards {context.invoked_subcommand} "
                            "--help shows what it takes.")  # fmt: skip
        return
    if not period:
        raise UserError("Give --period, a month such as 2026-10; `tollstream rewards --help` shows the verbs.")
    decider = one_line("--by", by or user())
    why = one_line("--reason", reason, needed=False)
    now = datetime.now(UTC)

    async def run(store: SettlementStore) -> tuple[Rewarded, list[Standing]]:
        made = await reward(store, period, by=decider, reason=why, leave_out=leave_out, dry_run=dry_run)
        known = {each.record.payout_id: each for each in await read_standing(store, EVERYBODY, REWARD, period)}
        return made, [known.get(record.payout_id, Standing(record, None, ())) for record in made.records]

    made, found = with_store(run)
    if prints_json:
        rows = [each.as_json(now) | {"new": made.new and not dry_run, "dry_run": dry_run} for each in found]
        click.echo(json.dumps({"period": period, "rewards": rows}, ensure_ascii=False))
        return
    if not found:
        click.echo(f"Nobody is owed a reward for {period}.")
        return
    if len(found) > IN_FULL:
        click.echo(list_text(found, now, bold))
    else:
        click.echo("\n\n".join(statement_text(each, now, bold) for each in found))
    click.echo()
    if dry_run:
        click.echo("Nothing was recorded: this is what would be decided now.")
    else:
        click.echo("Decided." if made.new else "Decided before: nothing was changed.")
