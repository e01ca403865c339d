"""Data on its way into the engine, as a file in memory that the engine opens by a path.

It has no name in any folder, so nothing is left behind, whatever kills this process.
"""

from __future__ import annotations

import os
import tempfile
from types import TracebackType
from typing import Self


class Spool:
    """A context manager; `path` is good inside it."""

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("insert")
            # Not /dev/fd: this one opens the file anew, at its beginning, for as many readers as like.
            self.path = f"/proc/self/fd/{self._descriptor}"
        else:  # not Linux: the file has a name until it is closed
            self._descriptor, self.path = tempfile.mkstemp(prefix="tollstream-insert-")
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if not self.path.startswith("/proc/"):
            os.unlink(self.path)  # noqa: PTH108
