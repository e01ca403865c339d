"""The data folder: made, locked, unlocked.

The lock is an advisory lock on `lock` in the folder. Servers inherit the descriptor, so the folder stays taken until
the last of them is gone, even when their parent was killed: a second stack never meets the first one's dying servers.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from deploy.embedded.errors import FolderTakenError, FolderUnusableError

LOCK_WAIT_SECONDS = 5.0  # A killed stack's servers follow it within moments.


class DataFolder:
    """Exclusive use of a folder, from `acquire` to `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The lock's file descriptor, for servers to inherit."""
        if self._descriptor is None:
            raise RuntimeError("the data folder is not locked")
        return self._descriptor

    def acquire(self) -> None:
        """Make the folder and lock it. FolderTakenError, FolderUnusableError."""
        try:
            (self.path / "logs").mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise FolderUnusableError(folder=self.path, cause=error.strerror or str(error)) from error
        try:
            self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Unlock; nothing happens when not locked."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                holder = os.pread(descriptor, 100, 0).decode(errors="replace") or "unknown"
                raise FolderTakenError(folder=self.path, holder=holder) from error
            except OSError as error:
                raise FolderUnusableError(folder=self.path, cause=error.strerror or str(error)) from error
            return
