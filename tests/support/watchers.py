"""`tollstream alerts` in processes of its own, with everything an operator or a crash can do to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded import tether
from tests.support.workers import REPOSITORY


@dataclass
class WatcherProcess:
    """One watcher; its log is a file, its first line of output JSON."""

    settings: Path
    name: str
    process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start, or start again; does not wait."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
        environment |= {"TOLLSTREAM_CONFIG": str(self.settings), "PYTHONPATH": str(REPOSITORY)}
        verb = ["alerts", "--json", *(options or ("--poll-seconds", "0.2", "--metrics-port", "0"))]
        with self.log.open("ab") as log, self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, tether.__file__, str(os.getpid()), sys.executable, "-m", "tollstream", *verb],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=environment,
                cwd=self.settings.parent,
                start_new_session=True,
            )

    @property
    def log(self) -> Path:
        """What it logs, over all its starts."""
        return self.settings.parent / f"{self.name}.log"

    @property
    def output(self) -> Path:
        """What it printed since its last start."""
        return self.settings.parent / f"{self.name}.out"

    @property
    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def exit_code(self) -> int | None:
        assert self.process is not None
        return self.process.poll()

    def facts(self, seconds: float = 60.0) -> dict[str, Any]:
        """Its line of JSON."""
        deadline = time.monotonic() + seconds
        while not (lines := self.output.read_text(encoding="utf-8").splitlines(keepends=True)):
            assert self.exit_code is None, f"ended with {self.exit_code}:\n{self.log_text}"
            assert time.monotonic() < deadline, self.log_text
            time.sleep(0.05)
        facts: dict[str, Any] = json.loads(lines[0])
        return facts

    def kill(self) -> None:
        """SIGKILL, and gone."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def send(self, number: int) -> None:
        """A signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM once it runs; the exit code."""
        self.facts(seconds)
        self.send(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(seconds)

    def end(self) -> None:
        """For the end of a test: gone, whatever state it is in."""
        if self.process is not None and self.exit_code is None:
            self.process.kill()
            self.process.wait(10)
