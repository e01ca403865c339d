"""Run a command that dies with the process that started it: `python tether.py PARENT_PID COMMAND...`

The kernel sends SIGKILL to this process when its parent ends, however that ends; the request outlives exec, so the
command keeps this process's id. A program of its own, because code between fork and exec of a process with threads can
deadlock. Linux only; elsewhere the command simply runs. Imports nothing of ours: it has to start in a moment.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to PARENT_PID, then become COMMAND."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"tether: prctl: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != parent:  # It ended before the request was made.
            sys.exit("tether: the parent process is gone")
    try:
        os.execv(command[0], command)  # noqa: S606  no shell is the point
    except OSError as error:
        sys.exit(f"tether: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
