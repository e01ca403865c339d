"""Statements: from a tenant's usage of a period to lines, postings, draws and what is carried over."""

from billing.statements.document import KINDS, NET_KINDS, LineKind, Standing, Statement, StatementLine, Totals
from billing.statements.inputs import REASONS, Change, EarlierPeriod, Reason, StatementInput, UsageLine
from billing.statements.refusal import Refusal
from billing.statements.statement import statement

__all__ = [
    "KINDS",
    "NET_KINDS",
    "REASONS",
    "Change",
    "EarlierPeriod",
    "LineKind",
    "Reason",
    "Refusal",
    "Standing",
    "Statement",
    "StatementInput",
    "StatementLine",
    "Totals",
    "UsageLine",
    "statement",
]
