"""Who wants to know how far a closing is: counts for whoever looks on, and every step as it is done."""

from __future__ import annotations

import sys
import time

import click

FILE_SECONDS = 5.0


class Told:
    """Nobody. A test that wants to see what happens when a closing breaks off raises, or worse, in `step`."""

    def froze(self, done: int, of: int) -> None:
        """Portions of the copy."""

    def wrote(self, done: int, of: int) -> None:
        """Tenants."""

    async def step(self, name: str) -> None:
        """Something was written."""


class Teller(Told):
    """Somebody at a terminal: a line that is written over, or for files one now and then, on error output."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._terminal, self._last = quiet, sys.stderr.isatty(), 0.0

    def froze(self, done: int, of: int) -> None:
        self._say(f"froze {done:,} of {of:,} portions of usage", last=done >= of)

    def wrote(self, done: int, of: int) -> None:
        self._say(f"{done:,} of {of:,} tenants", last=done >= of)

    def _say(self, sentence: str, *, last: bool) -> None:
        now = time.monotonic()
        if self._quiet or not (last or self._terminal or now - self._last > FILE_SECONDS):
            return
        self._last = now
        click.echo(("\r" if self._terminal else "") + sentence, err=True, nl=last or not self._terminal)
