"""How far it is, on the terminal's error output: a line that is written over, or for files one now and then."""

from __future__ import annotations

import sys
import time

import click

FILE_SECONDS = 5.0


class Teller:
    """Says what it is told; at once the first time and when all is done, else not too often."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._last = 0.0

    def read(self, done: int, of: int) -> None:
        """Ledger rows."""
        self._say(f"read {done:,} of {of:,} ledger rows", first=False, last=done >= of)

    def published(self, done: int, of: int) -> None:
        """Adjustments."""
        self._say(f"published {done:,} of {of:,} adjustments", first=self._last == 0.0, last=done >= of)

    def _say(self, sentence: str, *, first: bool, last: bool) -> None:
        now = time.monotonic()
        if self._quiet or not (first or last or self._terminal or now - self._last > FILE_SECONDS):
            return
        self._last = 0.0 if last else now
        click.echo(("\r" if self._terminal else "") + sentence, err=True, nl=last or not self._terminal)
