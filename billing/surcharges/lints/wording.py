"""Lints of words: label, unit and reason are all that a customer sees of a rule.

A text is compared without case; words are compared whole, so `apiary` holds no API.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Set

from billing.surcharges.lints.finding import Check, Found, Severity, Subject
from billing.surcharges.lints.reach import can_win
from billing.surcharges.precedence import names
from billing.surcharges.rule import Rule

TEXTS = ("label", "unit", "reason")
PLACEHOLDERS = frozenset(
    {
        "a", "n/a", "na", "nil", "none", "null", "tba", "tbc", "tbd", "todo", "to do", "fixme", "xxx", "x", "test",
        "reason", "label", "unit", "units", "text", "lorem ipsum", "see contract", "see terms", "as agreed",
        "price", "pricing", "charge", "charges", "fee", "fees", "surcharge", "misc", "miscellaneous", "other",
        "various", "usage", "ai", "cost", "costs", "item", "items", "thing", "piece", "because",
        "default",
    }
)  # fmt: skip
UNLIMITED = re.compile(
    r"(?<!\w)(un-?limited|limitless|without (?:any )?limits?|no limits?|infinite(?:ly)?|infinity|endless(?:ly)?"
    r"|uncapped|boundless|as much as you (?:want|like|need)|all you can \w+|unmetered|∞"
    r"|unbegrenzt\w*|unlimitiert\w*|grenzenlos\w*|unendlich\w*|ohne (?:limit|begrenzung|grenzen?)"
    r"|illimit[ée]e?s?|sans limites?|ilimitad[oa]s?|sin l[íi]mites?|sem limites?|illimitat[oaie]|senza limiti"
    r"|onbeperkte?|obegränsa[dt]e?|bez limitu)(?!\w)",
    re.IGNORECASE,
)
JARGON = re.compile(
    r"(?<!\w)((?i:tokens?|tokeni[sz]\w+|inferenc\w+|llms?|slms?|prompts?|completions|context (?:window|length|size)s?"
    r"|apis?|embeddings?|vectors?|end-?points?|latency|throughput|gpus?|tpus?|fine-?tun\w+|payloads?|webhooks?|sdks?|json"
    r"|cach(?:e|es|ed|ing)|back-?end|rate limits?|retriev\w+|rerank\w*|quanti[sz]\w+|multi-?modal|chain of thought"
    r"|top-?k|few-?shot|zero-?shot)|RAG|TTFT|RPM|TPM|MCP|SSE|RPC)(?!\w)"
)
# What a customer counts without being told how, beside the units of the catalogue.
PLAIN = frozenset(
    {
        "word", "letter", "sentence", "line", "answer", "question", "draft", "email", "mail", "photo", "picture",
        "video", "song", "search", "translation", "summary", "contact", "lead", "invoice", "order", "ticket",
        "booking", "chat", "visit",
    }
)  # fmt: skip
WORD = re.compile(r"[\w./:@-]*\w", re.UNICODE)


def _says_nothing(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        for name in TEXTS:
            if _is_empty(_plain(getattr(rule, name))):
                yield Found(
                    rule.id,
                    f'{name} "{getattr(rule, name)}" says nothing: it is what the customer reads on the statement, so '
                    f"{_WANTED[name]}",
                )
        reason = _plain(rule.reason)
        others = {"label": rule.label, "unit": rule.unit, "id": rule.id, "kind": rule.kind.replace("_", " ")}
        same = next((name for name, other in others.items() if reason == _plain(other)), None)
        if _is_empty(reason):
            continue
        if same is not None:
            yield Found(rule.id, f"reason only repeats the {same}, and explains nothing: {_WANTED['reason']}")
        elif reason.isascii() and len(WORD.findall(reason)) < 3:
            yield Found(rule.id, f'reason "{rule.reason}" is too short to explain a charge: {_WANTED["reason"]}')


def _is_empty(text: str) -> bool:
    return text in PLACEHOLDERS or not re.search(r"[^\W\d_]", text)


_WANTED = {
    "label": 'name what was used, such as "Premium drafts"',
    "unit": 'name one of what is counted, such as "page"',
    "reason": 'say what creates the charge and how much it is, such as "Every page that is read costs 1 cent."',
}


def _unlimited(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        for name in TEXTS:
            if found := UNLIMITED.search(getattr(rule, name)):
                yield Found(
                    rule.id,
                    f'{name} says "{found[0]}": usage that costs money has a limit somewhere, and the customer will '
                    "quote this word when it is reached; say what is included, and what happens beyond it",
                )


def _jargon(subject: Subject) -> Iterator[Found]:
    plain, models = _plain_units(subject), _model_ids(subject)
    for rule in subject.book.rules:
        for name in TEXTS:
            text = getattr(rule, name)
            term = _first_jargon(text, models)
            if term is None or (name != "unit" and _holds_a_plain_unit(text, plain)):
                continue
            yield Found(
                rule.id,
                f'{name} says "{term}", which a customer can neither count nor check: name a plain unit beside it or '
                "instead of it, such as pages, messages or runs",
            )


def _first_jargon(text: str, models: Set[str]) -> str | None:
    if found := JARGON.search(text):
        return found[0]
    return next((word for word in WORD.findall(text) if word.casefold() in models), None)


def _holds_a_plain_unit(text: str, plain: Set[str]) -> bool:
    words = [word.casefold() for word in WORD.findall(text)]
    return any(form in plain for word in words for form in _singular(word))


def _singular(word: str) -> tuple[str, ...]:
    """The word, and what it may be the plural of."""
    return word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"


def _plain_units(subject: Subject) -> frozenset[str]:
    """Units of the catalogue that are no jargon themselves, and everyday ones."""
    units = {meter.unit.casefold() for meter in subject.catalogue.values()}
    return PLAIN | {unit for unit in units if not JARGON.search(unit)} - {"call", "query", "session"}


def _model_ids(subject: Subject) -> frozenset[str]:
    """Names under which models are known here and that are no plain word: `nw-large-2026`, not `large`."""
    known = {model for members in subject.book.model_classes.values() for model in members}
    known |= {rule.match["model"] for rule in subject.book.rules if "model" in rule.match}
    if subject.prices is not None:
        known |= {entry.model for entry in subject.prices.prices}
        known |= {name for alias in subject.prices.aliases for name in alias.names}
    return frozenset(model.casefold() for model in known if re.search(r"[\d-]", model))


def _same_label(subject: Subject) -> Iterator[Found]:
    by_label: dict[str, list[Rule]] = defaultdict(list)
    for rule in subject.book.rules:
        by_label[_plain(rule.label)].append(rule)
    for rules in by_label.values():
        of_customer: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        for rule in rules:
            earlier = _of_one_customer(rule, of_customer)
            other = next((each for each in earlier if _confusable(subject, rule, each)), None)
            if other is not None:
                yield Found(
                    rule.id,
                    f"one customer can be charged by this rule and by {other.id} ({names(other)}) under the same label "
                    f'"{rule.label}", at different prices: two lines of a statement would look alike; give each a '
                    "label of its own",
                )
            of_customer[rule.match.get("builder", ""), rule.match.get("tenant", "")].append(rule)


def _of_one_customer(rule: Rule, of_customer: dict[tuple[str, str], list[Rule]]) -> Iterator[Rule]:
    """Rules seen before that no tag of a customer keeps apart from this one."""
    builder, tenant = rule.match.get("builder", ""), rule.match.get("tenant", "")
    if builder and tenant:
        keys = {(builder, tenant), (builder, ""), ("", tenant), ("", "")} & of_customer.keys()
    else:
        keys = {
            key
            for key in of_customer
            if (not builder or key[0] in ("", builder)) and (not tenant or key[1] in ("", tenant))
        }
    for key in sorted(keys):
        yield from of_customer[key]


def _confusable(subject: Subject, rule: Rule, other: Rule) -> bool:
    if _price(rule) == _price(other):
        return False
    customer = {field: rule.match.get(field) or other.match.get(field, "") for field in ("builder", "tenant")}
    return can_win(subject, rule, customer) and can_win(subject, other, customer)


def _price(rule: Rule) -> tuple[object, ...]:
    return rule.kind, rule.percent, rule.amount, rule.meter, rule.floor, rule.cap


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!:; ").strip()


CHECKS = (
    Check("says-nothing", Severity.ERROR, "label, unit or reason is a placeholder, or the reason repeats another text",
          _says_nothing),
    Check("unlimited", Severity.ERROR, '"unlimited", or a word that promises the same', _unlimited),
    Check("jargon", Severity.WARNING, "tokens, inference, model names and other words of ours without a plain unit",
          _jargon),
    Check("same-label", Severity.WARNING, "one customer can get two prices under one label", _same_label),
)  # fmt: skip
