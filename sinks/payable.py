"""What is asked of postings before somebody is paid: sums by payee, which documents are posted, whether all adds to 0.

Signs   as posted: above 0 a debit, below 0 a credit. Amounts Decimal, 12 places.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from sinks.journals import JournalStore
from sinks.statements import PostingSet, StatementHead, StatementQuery, StoredStatement


@dataclass(frozen=True, slots=True)
class Payable:
    """What documents of one kind and period have posted on an account of a payee, for one reason."""

    builder: str
    document_kind: str
    period: str
    account: str
    party: str
    currency: str
    refers_to: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Charged:
    """What a statement came to in the currency that usage is priced in, and in its own, before rounding; sizes."""

    charge_currency: str
    charge: Decimal
    exact: Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """Everything that is posted, in one currency: it adds up to 0, or something is very wrong."""

    currency: str
    postings: int
    debits: Decimal  # what is above 0; credits are as much below
    residual: Decimal


class SettlementStore(JournalStore, Protocol):
    """What payouts, rewards and disputes ask of a store."""

    async def write_postings(self, sets: Sequence[PostingSet]) -> None:
        """Raises `PostingsError`, before anything is stored, where a set does not add up to 0; again is no change."""

    async def read_heads(self, query: StatementQuery) -> list[StatementHead]:
        """Statements of closed periods."""

    async def read_statements(self, query: StatementQuery) -> list[StoredStatement]:
        """The same with their documents."""

    async def read_payable(self, accounts: Collection[str], builder: str | None) -> list[Payable]:
        """What counts on these accounts, of one Builder's books or of all."""

    async def read_posted_documents(self, builder: str, kinds: Collection[str]) -> set[tuple[str, str]]:
        """(kind, document) of every posting set of these kinds in the books of a Builder."""

    async def read_charged(self, builder: str, number: int) -> Charged | None:
        """What the lines of a closed statement add up to; None without the statement."""

    async def read_balance(self) -> list[Balance]:
        """Of everything that counts, by currency."""
