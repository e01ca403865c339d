"""Who records something, and why: options of every verb that does, and what they may hold."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, TypeVar

import click

from tollstream.errors import UserError

TEXT_BYTES_MAX = 1_000
F = TypeVar("F", bound=Callable[..., Any])


def by_option(function: F) -> F:
    """--by, by default the user of this machine."""
    return click.option("--by", help="Who records it; default: the user of this machine.")(function)


def reason_option(function: F) -> F:
    """--reason, which has to be given."""
    return click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever audits it.")(function)


def who(by: str | None, reason: str) -> tuple[str, str]:
    """Both, as they go on record. Raises `UserError`."""
    given = (by if by is not None else getpass.getuser()).strip(), reason.strip()
    for option, text in zip(("--by", "--reason"), given, strict=True):
        if not text:
            raise UserError(f"{option} is empty: the record says who and why.")
        if len(text.encode()) > TEXT_BYTES_MAX or any(ord(character) < 32 for character in text):
            raise UserError(f"{option} is more than one line of {TEXT_BYTES_MAX} bytes: shorten it.")
    return given
