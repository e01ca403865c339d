"""The arithmetic of one event, section by section: what the AI cost, who gets what, what the rule makes of it."""

from __future__ import annotations

from billing.explanation import AMOUNTS, Bound, MeterCost, Step, UsageExplanation, add_up, plain
from billing.publication import BookDigest
from billing.surcharges import Rule
from billing.surcharges.precedence import names
from tollstream.explanation.answers import Rated
from tollstream.explanation.layout import NO_BREAK, Page
from tollstream.explanation.words import NAMES, TO_DO, business, charged, grouped, missing, money, time

DIGEST_SHOWN = 16


def cost(page: Page, told: UsageExplanation, rated: Rated) -> None:
    """Section 1: quantities times prices."""
    page.heading("1  What the AI cost")
    if told.book is not None:
        page.say(book("Price book", rated.prices, told.book.version), indent=3)
    if told.quote is not None and told.meters:
        _entry(page, told)
    for each in told.meters:
        if each.cost is not None:
            page.gap()
            meter(page, each, told)
    if told.base is not None:
        widest = max([len(money(each.cost.amount)) for each in told.meters if each.cost], default=0)
        if widest:
            page.rule(max(widest, len(money(told.base.amount))))
        page.amount(
            "what the AI cost, in " + told.currency if told.meters else "no AI was used", money(told.base.amount)
        )
    if told.unpriced_reason:
        page.gap()
        for sentence in missing(told, rated.row, rated.begins):
            # What has been corrected since has nothing left to do.
            if not (rated.corrections and sentence.startswith(TO_DO)):
                page.say(sentence, indent=3)
    if business(told):
        page.gap()
        page.say(f"Counted, and priced by no price book: {', '.join(business(told))}.", indent=3)


def again(page: Page, told: UsageExplanation) -> None:
    """The arithmetic of a re-rating, without the words around it."""
    rule = told.resolution.winner
    if told.amounts is None or told.base is None or told.reward is None or told.charge is None or rule is None:
        return
    for each in told.meters:
        meter(page, each, told)
    page.amount(f"what the AI cost, in {told.currency}", money(told.base.amount), 3)
    step(page, told.reward, "provider reward", 3)
    page.say(f"Rule {rule.id} charges {charged(told.charge, told.currency)}.", indent=3)
    for one in told.charge.steps:
        _charge_step(page, one, rule)
    for bound in told.charge.bounds:
        _bound(page, bound, told.currency)


def book(what: str, digest: BookDigest | None, version: str) -> str:
    """A version, in a line."""
    if digest is None:
        return f"{what} {version}"
    begins = "rates the past by name only" if digest.retroactive else f"in force from {time(digest.effective_from)}"
    by = f", published by {digest.published_by}" if digest.published_by else ""
    return f"{what} {version}, {begins}{by} (SHA-256 {digest.digest[:DIGEST_SHOWN]}…)"


def _entry(page: Page, told: UsageExplanation) -> None:
    if told.quote is None:
        return
    quote, entry = told.quote, told.quote.entry
    alias = (
        f"; the served name {told.lookup.served} stands for {told.lookup.model}"
        if told.lookup.served != told.lookup.model
        else ""
    )
    page.say(f"Entry {entry.words}{alias}", indent=3)
    if entry.provenance is not None:
        source = entry.provenance
        details = ", ".join(filter(None, (source.key, source.note, source.url)))
        page.say(f"taken from {source.source}{f' ({details})' if details else ''}", indent=5)
    prompt = f"The prompt has {grouped(told.prompt)} token{'' if told.prompt == 1 else 's'}"
    if quote.tier is not None:
        page.say(f"{prompt}: that reaches the tier “{quote.tier.words}”, whose prices hold for all of it", indent=3)
    elif entry.tiers:
        page.say(f"{prompt}: that reaches no tier (the first is “{entry.tiers[0].words}”)", indent=3)
    if quote.hours is not None:
        inner = f", and in them the tier “{quote.hours_tier.words}”" if quote.hours_tier is not None else ""
        page.say(f"It happened in the hours {quote.hours.words}{inner}, which have prices of their own", indent=3)
    elif entry.hours:
        page.say(f"It happened outside of the hours {', '.join(each.words for each in entry.hours)}", indent=3)
    if quote.multiplier is not None:
        page.say(f"Region {told.lookup.region} has no entry of its own, and costs {quote.multiplier:f} times", indent=3)


def meter(page: Page, each: MeterCost, told: UsageExplanation) -> None:
    """What one meter cost: the price as the book writes it, of one unit, times the quantity."""
    if each.cost is None or each.quoted is None or each.price is None:
        return
    origin = "" if each.quoted.origin == "base" else f" ({each.quoted.origin})"
    per = each.price.per
    units = f"{grouped(per)} {each.meter.unit}s" if per != 1 else f"a {each.meter.unit}"
    page.say(f"{each.meter.label} ({each.meter.name})", indent=3)
    price = f"{each.price.price:f} {told.currency} for {units}{origin}"
    if per != 1:
        price += f" = {plain(each.quoted.base_price)} each"
    if each.quoted.multiplier is not None:
        price += (
            f"; × {plain(each.quoted.multiplier)} for region {told.lookup.region} = {plain(each.quoted.unit_price)}"
        )
    page.say(price, indent=5)
    step(page, each.cost)


def step(page: Page, each: Step, words: str = "", indent: int = 5) -> None:
    """One line of arithmetic, and what rounding did to it."""
    prefix = f"{words} = " if words else ""
    if not each.was_rounded:
        page.amount(f"{prefix}{each.formula}{NO_BREAK}=", money(each.amount), indent)
        return
    exact = f"{each.exact:f}…" if each.endless else plain(each.exact)
    page.amount(f"{prefix}{each.formula} = {exact}{NO_BREAK}≈", money(each.amount), indent)
    if each.endless:
        page.say("rounded half-even at 12 places: the quotient never ends", indent + 2)
        return
    adds = "adds" if each.residue > 0 else "takes away"
    page.say(f"rounded half-even at 12 places, which {adds} {plain(abs(each.residue))}", indent + 2)


def split(page: Page, told: UsageExplanation, rated: Rated) -> None:
    """Sections 2 to 5: reward, fee, charge, earnings, and that they add up."""
    row = rated.row
    if not (told.reward and told.fee and told.charge and told.earnings and told.amounts and told.base):
        return
    provider = row["provider"] or "the provider"
    page.heading(f"2  What {provider} gets of it, and what the platform keeps")
    default = ", the book's default" if told.share_is_default else ", its contract"
    step(page, told.reward, f"provider reward ({plain((told.share or 0) * 100)} %{default})", 3)
    step(page, told.fee, "platform fee", 3)
    _rule(page, told, rated)
    page.heading(f"4  What {row['builder']} earns")
    step(page, told.earnings, "charge − what the AI cost", 3)
    if told.earnings.amount < 0:
        page.say(f"Negative: {row['builder']} funds this event.", indent=3)
    page.heading("5  Check: the charge is split three ways")
    parts = {name: money(getattr(told.amounts, name)) for name in AMOUNTS[1:]}
    for name, amount in parts.items():
        page.amount(NAMES[name], amount, 3)
    together = money(add_up(getattr(told.amounts, name) for name in AMOUNTS[1:]))
    page.rule(max(map(len, (*parts.values(), together))))
    page.amount("their sum, which is the charge" if told.amounts.balanced else "their sum: NOT THE CHARGE", together, 3)


def _rule(page: Page, told: UsageExplanation, rated: Rated) -> None:
    rule, charge = told.resolution.winner, told.charge
    if rule is None or charge is None or told.base is None or told.rules is None:
        return
    page.heading(f"3  What {rated.row['tenant']} is charged")
    page.say(book("Rule book", rated.rules, told.rules.version), indent=3)
    page.say(f"Rule {rule.id} applies: it is for {names(rule)}.", indent=3)
    page.say(f"It charges {charge.words}.", indent=3)
    for lost in told.resolution.lost:
        page.say(f"Rule {lost.rule.id} matches too, and lost: {lost.sentence}.", indent=3)
    page.gap()
    for each in charge.steps:
        _charge_step(page, each, rule)
    for bound in charge.bounds:
        _bound(page, bound, told.currency)


def _charge_step(page: Page, each: Step, rule: Rule) -> None:
    if each.name in ("factor", "divisor"):
        page.say(f"{each.name}: {each.formula} = {plain(each.exact)}", indent=3)
    else:
        step(page, each, {"customer_charge": "charge", "surcharge": f"{rule.meter}"}[each.name], 3)


def _bound(page: Page, bound: Bound, currency: str) -> None:
    relation = "at most" if bound.name == "cap" else "at least"
    verdict = "which changes it" if bound.binds else "which changes nothing"
    page.amount(f"{bound.name}: {relation} {plain(bound.limit)} {currency}, {verdict}", money(bound.after), 3)
