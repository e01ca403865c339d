"""Data on its way into the engine, as files in memory that the engine opens by a path.

They have no name in any folder, so nothing is left behind, whatever kills this process. They are used again: getting
fresh memory from the kernel costs five times what copying into memory does that is already there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

KEPT_SPOOLS_MAX = 4
KEPT_BYTES_MAX = 64 << 20  # of each


class Spool:
    """One file; `path` is good as long as nobody else got the spool."""

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("insert")
            # Not /dev/fd: this one opens the file anew, at its beginning, for as many readers as like.
            self.path = f"/proc/self/fd/{self._descriptor}"
        else:  # not Linux: nameless once it is closed
            self._descriptor, self.path = tempfile.mkstemp(prefix="tollstream-insert-")
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]

    def end(self) -> None:
        """The data is complete: what the file held before ends here too."""
        os.ftruncate(self._descriptor, self.size)

    def reset(self) -> None:
        """Start over, in the same memory."""
        if self.size > KEPT_BYTES_MAX:
            os.ftruncate(self._descriptor, KEPT_BYTES_MAX)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.size = 0

    def close(self) -> None:
        """Give the memory back."""
        os.close(self._descriptor)
        if not self.path.startswith("/proc/"):
            os.unlink(self.path)  # noqa: PTH108


class Spools:
    """Spools to borrow. For one thread, the event loop's."""

    def __init__(self) -> None:
        self._free: list[Spool] = []

    @contextmanager
    def borrow(self) -> Iterator[Spool]:
        """An empty spool; nobody else's until the block ends."""
        spool = self._free.pop() if self._free else Spool()
        try:
            yield spool
        finally:
            if len(self._free) < KEPT_SPOOLS_MAX:
                spool.reset()
                self._free.append(spool)
            else:
                spool.close()
