"""How the two sides of a statement are called on paper: who sends it and how to pay, and who gets it.

Without any of it a statement names ids. A book's text is kept for ever, and so are the names and addresses in it: as
invoices are, but nothing belongs here that a statement does not need.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from billing.plans.amounts import Text

Lines = Annotated[str, Field(max_length=1_000)]  # separated by line breaks


class Sender(BaseModel):
    """The Builder, as it stands at the head of its statements."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(max_length=256)] = ""  # "": the Builder's id
    address: Lines = ""  # tax numbers too
    note: Lines = ""  # below the lines, such as how to pay
    pay_within_days: int | None = Field(default=None, ge=0, le=365)  # of the day of issue; None: no day is named


class Customer(BaseModel):
    """A tenant, as it stands on a letter to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tenant: Text
    name: Annotated[str, Field(max_length=256)] = ""  # "": the tenant's id
    address: Lines = ""
