"""A line or a window, explained to a person: what is shown, and the row that says what is not, add up exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from billing.explanation import AMOUNTS, add_up
from billing.money import EXACT
from sinks.lines import Origin, Sums, WindowSums, add
from sinks.lines import Page as EventPage
from tollstream.explanation.answers import LineAnswer, Row
from tollstream.explanation.layout import WIDTH, Page
from tollstream.explanation.words import NAMES, counted, grouped, money, time

PRICING = {"rated": "", "unpriced": "waiting for a price", "rerated": "rated again", "rated_later": "rated later"}
SPLIT = ("provider_reward", "platform_fee", "builder_earnings")


def line_text(answer: LineAnswer, *, width: int = WIDTH, emphasis: Callable[[str], str] = str) -> str:
    """The page of a line, or of one of its windows."""
    page = Page(width, emphasis)
    for currency in answer.currencies:
        _currency(page, answer, currency)
    _verdict(page, answer)
    return page.text()


def _currency(page: Page, answer: LineAnswer, currency: str) -> None:
    windows = answer.windows(currency)
    sums = add(each.totals for each in windows)
    line = answer.line
    narrowed = "".join(f", {name.replace('_id', '')} {value or '(none)'}" for name, value in line.narrowed.items())
    when = (
        f"from {time(line.start)} to {time(line.end)}"
        if answer.pages is None
        else f"in the window that starts {time(line.start)}"
    )
    few = "1 of them waits" if sums.unpriced_events == 1 else f"{sums.unpriced_events:,} of them wait"
    waiting = f"; {few} for a price" if sums.unpriced_events else ""
    page.heading(
        f"{line.tenant} of {line.builder} pays {money(sums.customer_charge)} {currency or '(no currency)'} {when}"
        f"{narrowed}: {counted(sums.net_events, 'event')}{waiting}."
    )
    page.gap()
    if answer.pages is None:
        _windows(page, answer, windows, sums)
    else:
        _events(page, answer, answer.pages[currency], currency)
    _split(page, sums)
    if sums.usage:
        page.gap()
        used = (f"{name} {grouped(quantity)}" for name, quantity in sums.usage.items())
        page.say(f"Used: {', '.join(used)}.")
    _origins(page, [each for each in answer.sums.origins if each.currency == currency])


def _windows(page: Page, answer: LineAnswer, windows: Sequence[WindowSums], sums: Sums) -> None:
    """A row for each window, as many columns as the page has room for."""
    end = len(windows) if answer.limit is None else answer.skip + answer.limit
    parts = [(f"{counted(len(windows[: answer.skip]), 'window')} before", windows[: answer.skip])]
    parts += [(time(each.window_start), [each]) for each in windows[answer.skip : end]]
    parts += [(f"and {counted(len(windows[end:]), 'window')} more", windows[end:])]
    shown = [(name, add(each.totals for each in some)) for name, some in parts if some]
    shown.append((f"all: {counted(len(windows), 'window')}", sums))
    for amounts in (("customer_charge", *SPLIT), ("customer_charge",)):
        headings = ["window starts", "events", "no price", *(NAMES[name] for name in amounts)]
        rows = [
            [
                name,
                f"{some.net_events:,}",
                f"{some.unpriced_events:,}",
                *(money(some.amounts[each]) for each in amounts),
            ]
            for name, some in shown
        ]
        if Page.table_width(headings, rows) <= page.width:
            break
    page.table(headings, rows, foot=1)


def _events(page: Page, answer: LineAnswer, events: EventPage, currency: str) -> None:
    """A row for each ledger row."""
    sources = {row["source"] for row in events.rows}
    if len(sources) == 1:
        page.say(f"All that is shown is from {next(iter(sources))}.")
    skipped = min(answer.skip, events.count)
    shown = add_up(row["customer_charge"] or Decimal(0) for row in events.rows)
    rest = EXACT.subtract(events.amounts["customer_charge"], shown)
    more = events.count - skipped - len(events.rows)
    for row in events.rows:
        page.amount(_event(row, with_source=len(sources) > 1), _charge(row), 0)
    if skipped or more:
        before = f"{counted(skipped, 'row')} before" if skipped else ""
        after = f"and {counted(more, 'row')} more" if more else ""
        page.amount(", ".join(filter(None, (before, after))), money(rest), 0)
    widest = max(map(len, (money(rest), money(events.amounts["customer_charge"]), *map(_charge, events.rows))))
    page.rule(widest)
    page.amount(
        f"all: {counted(events.count, 'ledger row')}, {currency or 'no currency'}",
        money(events.amounts["customer_charge"]),
        0,
    )


def _event(row: Row, *, with_source: bool) -> str:
    source = f" from {row['source']}" if with_source else ""
    return f"{time(row['event_time'])}  {row['kind']:<10}  {row['id']}{source}"


def _charge(row: Row) -> str:
    return "no price" if row["customer_charge"] is None else money(row["customer_charge"])


def _split(page: Page, sums: Sums) -> None:
    page.gap()
    for name in SPLIT:
        page.amount(NAMES[name], money(sums.amounts[name]), 0)
    together = add_up(sums.amounts[name] for name in SPLIT)
    page.rule(max(len(money(each)) for each in (together, *(sums.amounts[name] for name in AMOUNTS))))
    equal = together == sums.customer_charge
    page.amount("their sum, which is the charge" if equal else "their sum: NOT THE CHARGE", money(together), 0)


def _origins(page: Page, origins: Sequence[Origin]) -> None:
    page.gap()
    page.say("By what rated it:")
    for each in origins:
        words = [
            PRICING.get(each.pricing, each.pricing),
            f"price book {each.price_version}" if each.price_version else "no price book",
            f"rule {each.rule_id} of {each.rule_version}" if each.rule_id else "no rule",
            counted(each.sums.ledger_rows, "ledger row"),
        ]
        page.amount(", ".join(filter(None, words)), money(each.sums.customer_charge), 2)
    if len(origins) > 1:
        every = add_up(each.sums.customer_charge for each in origins)
        page.rule(max(len(money(amount)) for amount in (every, *(each.sums.customer_charge for each in origins))))
        page.amount("all", money(every), 2)


def _verdict(page: Page, answer: LineAnswer) -> None:
    page.gap()
    wrong = [each for each in answer.sums.windows if each.totals != each.ledger]
    for each in wrong:
        page.say(
            f"ATTENTION: the window that starts {time(each.window_start)} has {money(each.totals.customer_charge)} "
            f"{each.currency} in {counted(each.totals.ledger_rows, 'row')} by its totals, and "
            f"{money(each.ledger.customer_charge)} in {counted(each.ledger.ledger_rows, 'row')} by the ledger. "
            "`tollstream reconcile` says more."
        )
    if not wrong:
        page.say("Totals and ledger rows are equal to the last digit, in every window.")
    pending = [each for each in answer.sums.windows if each.pending.ledger_rows]
    if pending:
        rows = sum(each.pending.ledger_rows for each in pending)
        page.say(f"{counted(rows, 'ledger row')} just stored and in no total yet: a flush is under way. Ask again.")
    if not answer.settled:
        page.say(
            "ATTENTION: rows kept arriving while this was read, so the events are not those of the sums. Ask again."
        )
    who = f"{answer.line.builder}/{answer.line.tenant}"
    if answer.pages is None:
        first = time(answer.sums.windows[0].window_start)
        page.command("The events of a window:", f"tollstream explain {who} --window {first}")
    else:
        row = next((row for each in answer.pages.values() for row in each.rows), None)
        if row is not None:
            page.command("One event:", f"tollstream explain event {row['id']} --source {row['source']}")
