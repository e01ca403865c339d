"""What is rendered: a statement, and what only the people know who send and get it.

Everything but the statement may be left out; a document without a number has not been issued, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.statements import Statement


@dataclass(frozen=True, slots=True)
class Party:
    """A name as it stands on a letter, and the lines below it."""

    name: str = ""  # "": the id of the Builder or tenant
    address: str = ""  # lines, tax numbers too; "" for none


NOBODY = Party()


@dataclass(frozen=True, slots=True)
class StatementDocument:
    """A statement as it goes out. Two equal documents are rendered to the same bytes."""

    statement: Statement
    number: str = ""  # "": a draft or a live balance
    issued: date | None = None
    pay_by: date | None = None
    builder: Party = NOBODY
    tenant: Party = NOBODY
    note: str = ""  # the Builder's own words, such as how to pay

    @property
    def builder_name(self) -> str:
        """Who sends it."""
        return self.builder.name.strip() or self.statement.builder

    @property
    def tenant_name(self) -> str:
        """Who gets it."""
        return self.tenant.name.strip() or self.statement.tenant
