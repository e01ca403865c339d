"""`tollstream payouts`: decide what Builders are paid for a closed period; the verbs below export and mark it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from sinks.payable import SettlementStore
from tollstream.errors import UserError
from tollstream.payouts.deciding import Decided, decide, decide_all
from tollstream.payouts.desk import user, with_store
from tollstream.payouts.layout import list_text, statement_text
from tollstream.payouts.numbering import PAYOUT
from tollstream.payouts.refusal import one_line
from tollstream.payouts.standing import Standing, read_standing
from tollstream.payouts.verbs import bold, json_option
from tollstream.verbs import LazyVerbs

VERBS: dict[str, str] = {
    "show": "Print the statement of a payout.",
    "export": "Write what is due for a payment run, or pay it by a command.",
    "mark-paid": "Record that a payout was paid, once, with a reference.",
    "release": "Say that a payout which was sent and not confirmed was not paid.",
    "terms": "Publish and list what was agreed with Builders: thresholds, days held, chargebacks.",
}
IN_FULL = 5  # statements that are printed line by line; more of them get a line each


@click.group(
    "payouts",
    cls=LazyVerbs,
    package=__name__,
    verbs=VERBS,
    invoke_without_command=True,
    epilog="Example: tollstream payouts --period 2026-10 --builder acme --json",
)
@click.option("--period", default="", help="Label of a closed period, such as 2026-10: its payouts are decided.")
@click.option("--builder", default="", help="Only this Builder; default: all who have closed the period.")
@click.option("--by", default="", metavar="NAME", help="Who decides; default: the user of this machine.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever audits it.")
@click.option("--dry-run", is_flag=True, help="Show what would be decided, record nothing.")
@json_option
@click.pass_context
def command(
    context: click.Context, period: str, builder: str, by: str, reason: str, dry_run: bool, prints_json: bool
) -> None:
    """Decide the payouts of a closed period: earnings, less funded allowances, refunds and chargebacks.

    Each is numbered and recorded once: run again it shows what was decided. Below the threshold, or below 0, everything
    is carried to the next payout. Exit code 0, or 1 when there is a Builder for whom it cannot be decided yet.
    """
    if context.invoked_subcommand is not None:
        if period or builder:
            raise UserError(f"--period and --builder stand behind the verb: tollstream payouts "
                            f"{context.invoked_subcommand} --help shows what it takes.")  # fmt: skip
        return
    if not period:
        raise UserError("Give --period, such as 2026-10; `tollstream payouts --help` shows the verbs.")
    decider = one_line("--by", by or user())
    why = one_line("--reason", reason, needed=False)
    now = datetime.now(UTC)

    async def run(store: SettlementStore) -> tuple[Decided, list[Standing]]:
        if builder:
            decision = await decide(store, builder, period, by=decider, reason=why, dry_run=dry_run)
            decided = Decided((decision,), ())
        else:
            decided = await decide_all(store, period, by=decider, reason=why, dry_run=dry_run)
        found: list[Standing] = []
        for each in decided.decisions:
            known = {one.record.payout_id: one for one in await read_standing(store, each.builder, PAYOUT, period)}
            found += [known.get(record.payout_id, Standing(record, None, ())) for record in each.records]
        return decided, found

    decided, found = with_store(run)
    new = {each.builder for each in decided.decisions if each.new}
    if prints_json:
        rows = [
            each.as_json(now) | {"new": each.record.builder in new and not dry_run, "dry_run": dry_run}
            for each in found
        ]
        click.echo(
            json.dumps({"period": period, "payouts": rows, "refused": list(decided.refused)}, ensure_ascii=False)
        )
    else:
        _say(found, decided, now, len(new), dry_run=dry_run)
    context.exit(1 if decided.refused else 0)


def _say(found: list[Standing], decided: Decided, now: datetime, new: int, *, dry_run: bool) -> None:
    if len(found) > IN_FULL:
        click.echo(list_text(found, now, bold))
    else:
        click.echo("\n\n".join(statement_text(each, now, bold) for each in found))
    click.echo()
    old = len(decided.decisions) - new
    if dry_run:
        click.echo("Nothing was recorded: this is what would be decided now.")
    elif new:
        click.echo(f"Decided for {new} Builder{'s' * (new != 1)}." + (f" {old} stood already." if old else ""))
    else:
        click.echo("Decided before: nothing was changed.")
    for sentence in decided.refused:
        click.echo(sentence)
