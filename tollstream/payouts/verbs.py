"""Verbs that payouts and rewards share, made for one kind: export, mark-paid, release, show."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sinks.payable import SettlementStore
from tollstream.errors import UserError
from tollstream.payouts import marking
from tollstream.payouts.closed import read_calendars
from tollstream.payouts.desk import with_store
from tollstream.payouts.export import as_csv, as_json, payable
from tollstream.payouts.layout import statement_text
from tollstream.payouts.numbering import PAYOUT, Kind
from tollstream.payouts.refusal import PayoutRefusedError, one_line
from tollstream.payouts.sending import Hook, Outcome, Sent, send_all
from tollstream.payouts.standing import Standing, read_one, read_standing

bold = functools.partial(click.style, bold=True)
FAILED = (Outcome.NOT_PAID, Outcome.UNCONFIRMED)


def moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """An aware time, such as 2026-12-01T00:00:00Z."""
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise click.BadParameter(f"{value!r} is no time with an offset, such as 2026-12-01T00:00:00Z.")
    return parsed.astimezone(UTC)


as_of = click.option("--as-of", callback=moment, metavar="TIME", help="What is due at this time; default: now.")
json_option = click.option("--json", "prints_json", is_flag=True, help="Print JSON, amounts as strings.")


async def read_period(store: SettlementStore, kind: Kind, period: str, builder: str) -> list[Standing]:
    """Everything decided for a period; PayoutRefusedError where nothing was."""
    builders = [""] if kind != PAYOUT else [builder] if builder else list(await read_calendars(store))
    found = [each for name in builders for each in await read_standing(store, name, kind, period)]
    if not found:
        raise PayoutRefusedError(
            f"No {kind} of {period} was decided yet: `tollstream {kind}s --period {period}` decides."
        )
    return found


def export_command(kind: Kind) -> click.Command:
    """`tollstream <kind>s export`."""

    @click.command(
        "export",
        epilog=f"\b\nExample: tollstream {kind}s export --period 2026-10 --format csv \\\n"
        f"             --output {kind}s.csv",
        help=f"""Write the {kind}s of a period that are due, for a payment run; or pay each one by a command (--hook).

        The command gets the JSON of one {kind} on its input. Exit code 0 and a reference on its first line of output:
        it is marked as paid. 75: nothing was paid, it may be tried again. Anything else, and a crash in between: "sent,
        not confirmed", and nobody sends it again until a person has said what happened (mark-paid, release).
        Exit code 0, or 1 when --hook left something unpaid.
        """,
    )
    @click.option("--period", required=True, help="Label of the period, such as 2026-10.")
    @click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
    @click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default: standard output.")
    @click.option("--all", "every", is_flag=True, help="Also what is held, sent, paid, or nothing.")
    @as_of
    @click.option("--hook", "command", default="", metavar="CMD", help="Pay by this command, one after the other.")
    @click.option("--hook-seconds", type=click.IntRange(1, 3600), default=60, show_default=True, metavar="N")
    @click.option("--by", default="", metavar="NAME", help="Who pays; needed with --hook.")
    @json_option
    @click.pass_context
    def command(
        context: click.Context, period: str, form: str, output: Path | None, every: bool, as_of: datetime | None,
        command: str, hook_seconds: int, by: str, prints_json: bool, builder: str = "",
    ) -> None:  # fmt: skip
        now = as_of or datetime.now(UTC)
        if command:
            hook = Hook(command, one_line("--by", by), hook_seconds)
            if output is not None or every:
                raise UserError("--hook pays what is due: --output and --all are about a file.")
            sent = with_store(lambda store: _send(store, kind, period, builder, hook, now))
            _say_sent(sent, prints_json=prints_json or form == "json")
            context.exit(1 if any(each.outcome in FAILED for each in sent) else 0)
        found = with_store(lambda store: read_period(store, kind, period, builder))
        chosen = found if every else payable(found, now)
        text = as_json(chosen, now, kind, period) + "\n" if form == "json" or prints_json else as_csv(chosen, now)
        if output is None:
            click.echo(text, nl=False)
            return
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output}: {len(chosen)} of {len(found)} {kind}s of {period} are in it.", err=True)

    if kind == PAYOUT:
        command.params.insert(1, click.Option(["--builder"], default="", help="Only this Builder's."))
    return command


async def _send(store: SettlementStore, kind: Kind, period: str, builder: str, hook: Hook, now: datetime) -> list[Sent]:
    found = await read_period(store, kind, period, builder)
    return [each async for each in send_all(store, [each for each in found if each.mark is None], hook, now)]


def _say_sent(sent: list[Sent], *, prints_json: bool) -> None:
    if prints_json:
        rows = [{"number": each.number, "outcome": str(each.outcome), "sentence": each.sentence} for each in sent]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for each in sent:
        click.echo(f"{each.outcome.replace('_', ' '):<12} {each.sentence}")
    if not sent:
        click.echo("Nothing to send: everything is paid.")


def mark_paid_command(kind: Kind) -> click.Command:
    """`tollstream <kind>s mark-paid`."""
    example = "acme-P000012" if kind == PAYOUT else "R000007"

    @click.command(
        "mark-paid",
        epilog=f"\b\nExample: tollstream {kind}s mark-paid {example} \\\n"
        "             --reference SEPA-2026-11-15-0042 --by ada",
        help=f"""Record that {kind}s were paid, once, under the reference of whoever paid them.

        One that was paid already is refused, with who, when and which reference. For one that is "sent, not confirmed"
        it says that it was paid.
        """,
    )
    @click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
    @click.option("--reference", required=True, help="What the payment is called outside: the bank's reference.")
    @click.option("--by", required=True, metavar="NAME", help="Who says so.")
    @click.option("--reason", default="", metavar="TEXT", help="Why, for whoever audits it.")
    @click.option("--paid-at", callback=moment, metavar="TIME", help="When it was paid; default: now.")
    @click.option("--early", is_flag=True, help="It was paid before its hold days were over.")
    @json_option
    def command(
        numbers: tuple[str, ...], reference: str, by: str, reason: str, paid_at: datetime | None, early: bool,
        prints_json: bool,
    ) -> None:  # fmt: skip
        said = {
            "reference": one_line("--reference", reference),
            "by": one_line("--by", by),
            "reason": one_line("--reason", reason, needed=False),
        }

        async def run(store: SettlementStore, number: str) -> Standing:
            return await marking.mark_paid(store, number, now=datetime.now(UTC), paid_at=paid_at, early=early, **said)

        _each(numbers, run, prints_json=prints_json)

    return command


def release_command(kind: Kind) -> click.Command:
    """`tollstream <kind>s release`."""
    example = "acme-P000012" if kind == PAYOUT else "R000007"

    @click.command(
        "release",
        epilog=f"\b\nExample: tollstream {kind}s release {example} --by ada \\\n"
        "             --reason 'the bank has no such order'",
        help=f"""Say that a {kind} which was sent and not confirmed was not paid: it may be sent again.""",
    )
    @click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
    @click.option("--by", required=True, metavar="NAME", help="Who says so.")
    @click.option("--reason", required=True, metavar="TEXT", help="How you know, for whoever audits it.")
    @json_option
    def command(numbers: tuple[str, ...], by: str, reason: str, prints_json: bool) -> None:
        said = {"by": one_line("--by", by), "reason": one_line("--reason", reason)}

        async def run(store: SettlementStore, number: str) -> Standing:
            return await marking.release(store, number, **said)

        _each(numbers, run, prints_json=prints_json)

    return command


def show_command(kind: Kind) -> click.Command:
    """`tollstream <kind>s show`."""
    example = "acme-P000012" if kind == PAYOUT else "R000007"

    @click.command(
        "show",
        epilog=f"Example: tollstream {kind}s show {example} --json",
        help=f"""Print the statement of a {kind}, line by line, and what became of it.""",
    )
    @click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
    @json_option
    def command(numbers: tuple[str, ...], prints_json: bool) -> None:
        _each(numbers, read_one, prints_json=prints_json)

    return command


def _each(numbers: tuple[str, ...], run: Callable[..., Any], *, prints_json: bool) -> None:
    """One after the other: what was done before a refusal stands, and is said."""

    async def all_of(store: SettlementStore) -> tuple[list[Standing], Exception | None]:
        done: list[Standing] = []
        for number in numbers:
            try:
                done.append(await run(store, number))
            except UserError as error:
                return done, error
        return done, None

    done, refused = with_store(all_of)
    now = datetime.now(UTC)
    if prints_json and (done or refused is None):
        click.echo(json.dumps([each.as_json(now) for each in done], ensure_ascii=False))
    elif not prints_json:
        for each in done:
            click.echo(statement_text(each, now, bold))
    if refused is not None:
        raise refused
