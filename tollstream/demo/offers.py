"""Who sells what in the demonstration: the four ways in which Builders charge for AI, as data.

    Quill     writing assistant: drafting is included in the plan, premium drafting is paid for
    Deskline  support chat: a fixed price for every conversation
    Parcel    document reader: a surcharge for every page on top of what the AI costs
    Brightop  agency: a margin on its clients' workflows, every run a task

Weights are relative; what stands first in a tuple of names is drawn most (see traffic.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it is served."""

    provider: str
    name: str
    caches: bool  # part of the context comes from a prompt cache
    reasons: bool  # part of what is generated is reasoning


@dataclass(frozen=True, slots=True)
class Feature:
    """Something a tenant's people use, and what one use of it counts as besides tokens."""

    name: str
    weight: float
    models: tuple[Model, ...]
    business: tuple[tuple[str, int], ...]  # (meter, at most so many per request)
    workflow: str = ""
    action: str = ""
    batch_share: float = 0.0  # served at the provider's batch price


@dataclass(frozen=True, slots=True)
class Offer:
    """A Builder, its paying customers and what it sells them."""

    builder: str
    weight: float
    tenants: tuple[str, ...]
    workspaces: tuple[str, ...]
    features: tuple[Feature, ...]


SMALL = Model("openai", "gpt-5-mini", caches=True, reasons=False)
LARGE = Model("openai", "gpt-5", caches=True, reasons=True)
CLAUDE = Model("anthropic", "claude-sonnet-4-5", caches=True, reasons=False)
FLASH = Model("google", "gemini-2.5-flash", caches=False, reasons=False)
UNKNOWN_MODEL = Model("openai", "gpt-preview-unlisted", caches=False, reasons=False)  # no price book knows it

OFFERS: tuple[Offer, ...] = (
    Offer(
        builder="quill",
        weight=4,
        tenants=("northwind", "fabrikam", "blue-heron", "okapi-press"),
        workspaces=("editorial", "marketing", "legal"),
        features=(
            Feature("drafting", 6, (SMALL, FLASH), (("requests", 1),)),
            Feature("premium-drafting", 2, (LARGE, CLAUDE, SMALL), (("requests", 1),)),
        ),
    ),
    Offer(
        builder="deskline",
        weight=3,
        tenants=("globex", "initech", "umbra"),
        workspaces=("support", "sales"),
        features=(
            Feature("chat", 5, (CLAUDE, SMALL), (("conversations", 1), ("messages", 6))),
            Feature("triage", 2, (FLASH,), (("messages", 1),)),
        ),
    ),
    Offer(
        builder="parcel",
        weight=2,
        tenants=("kestrel-law", "harbor-insurance", "city-archive"),
        workspaces=("intake", "archive"),
        features=(
            Feature("extraction", 3, (FLASH, SMALL), (("documents", 1), ("pages", 12)), batch_share=0.5),
            Feature("summary", 1, (CLAUDE,), (("documents", 1),)),
        ),
    ),
    Offer(
        builder="brightop",
        weight=2,
        tenants=("acme", "vandelay", "stark-dental"),
        workspaces=("clients",),
        features=(
            Feature("agent", 3, (LARGE, CLAUDE), (("runs", 1), ("workflow_actions", 5)), "lead-intake", "qualify"),
            Feature("agent", 2, (SMALL,), (("runs", 1),), "invoice-check", "match"),
        ),
    ),
)
