"""One server process: started, watched until it answers, stopped, and mistreated by tests.

Invariants  The process ends when this one does, however that ends. It keeps its port and its data from start to start.
            Its output goes to one log file, appended to.
Threads     Every method is blocking; call them from one thread at a time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread

from deploy.embedded.errors import PortTakenError, ServerFailedError
from deploy.embedded.ports import free_port, is_free

LOG_BYTES_MAX = 16 << 20  # Above it, a start moves the log to <name>.log.1.
POLL_SECONDS = 0.05
PORT_ATTEMPTS = 3  # A free port can be taken by somebody else before the server listens on it.
_TETHER = Path(__file__).with_name("tether.py")
_Spawn = Callable[[], subprocess.Popen[bytes]]


class Server(ABC):
    """A server of the embedded stack; `name` is what operators read, `option` the flag that chooses its port."""

    name: str
    option: str
    start_seconds_max: float
    stop_seconds_max: float

    def __init__(self, *, port: int, log: Path, inherited: Sequence[int] = ()) -> None:
        self._chosen = port
        self.port = port
        self.log = log
        self._inherited = tuple(inherited)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _prepare(self) -> None:
        """Whatever has to exist before the command runs."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The command, an absolute path first."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """True when the server answers a real request."""

    def _environment(self) -> Mapping[str, str]:
        return {}

    @property
    def pid(self) -> int:
        """Process id; RuntimeError when the server was not started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the process lives (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    def start(self, cancelled: Event | None = None) -> None:
        """Start and wait until it answers; the same port and data as before. StackError subclasses, then it is gone.

        Setting `cancelled`, from another thread, makes a start under way fail at once.
        """
        if self.running:
            return
        for attempt in range(1, PORT_ATTEMPTS + 1):
            if not self.port:
                self.port = free_port()
            elif not self._wait_for_port():
                raise PortTakenError(port=self.port, server=self.name, option=self.option)
            self._prepare()
            self._process = self._spawn(self._command())
            try:
                self._wait_until_ready(cancelled or Event())
            except ServerFailedError:
                self.kill()
                if self._chosen or attempt == PORT_ATTEMPTS or is_free(self.port):
                    raise
                self.port = 0  # It was ours to choose, and somebody was faster: draw again.
            else:
                self._chosen = self.port
                return

    def stop(self) -> None:
        """Ask it to end (SIGTERM), insist after a while (SIGKILL); returns when it is gone."""
        if self._process is None:
            return
        self.resume()  # A stopped process does not see SIGTERM.
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(self.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it hangs, its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def failure(self) -> ServerFailedError | None:
        """What to say when it ended by itself; None while it lives."""
        if self._process is None or self._process.poll() is None:
            return None
        return self._failed(f"ended ({_how_it_ended(self._process.returncode)})")

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process that dies with this one, holds the folder's lock and writes to the log."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_BYTES_MAX:
                self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            return _SPAWNER.run(
                lambda: subprocess.Popen(
                    [sys.executable, "-S", "-E", str(_TETHER), str(os.getpid()), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self._environment()},
                    pass_fds=self._inherited,
                    start_new_session=True,  # A Ctrl-C in the terminal is for us; we stop the servers.
                )
            )

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _wait_for_port(self) -> bool:
        # After SIGKILL the kernel still has to close the socket.
        deadline = time.monotonic() + (1.0 if self._process is not None else 0.0)
        while not is_free(self.port):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _wait_until_ready(self, cancelled: Event) -> None:
        deadline = time.monotonic() + self.start_seconds_max
        while not self._is_ready():
            failure = self.failure()
            if failure is not None:
                raise failure
            if cancelled.is_set():
                raise self._failed("was not awaited any longer")
            if time.monotonic() > deadline:
                raise self._failed(f"did not answer within {self.start_seconds_max:g} s")
            time.sleep(POLL_SECONDS)

    def _failed(self, what: str) -> ServerFailedError:
        return ServerFailedError(server=self.name, what=what, log=self.log, last_lines=_last_lines(self.log))


class _Spawner:
    """A thread that starts processes and lives as long as this one.

    "Dies with its parent" means, to the kernel, with the *thread* that started it: a server started from a short-lived
    thread would be killed in the middle of its work.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = 0
        self._calls: SimpleQueue[tuple[_Spawn, Future[subprocess.Popen[bytes]]]] = SimpleQueue()

    def run(self, spawn: _Spawn) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._process != os.getpid():  # First use, or first use after a fork, which copies no threads.
                self._process, self._calls = os.getpid(), SimpleQueue()
                Thread(target=self._serve, args=(self._calls,), name="spawner", daemon=True).start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._calls.put((spawn, answer))
        return answer.result()

    @staticmethod
    def _serve(calls: SimpleQueue[tuple[_Spawn, Future[subprocess.Popen[bytes]]]]) -> None:
        while True:
            spawn, answer = calls.get()
            try:
                answer.set_result(spawn())
            except BaseException as error:
                answer.set_exception(error)


_SPAWNER = _Spawner()


def _how_it_ended(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_lines(log: Path, lines: int = 12) -> str:
    with contextlib.suppress(OSError), log.open("rb") as content:
        content.seek(max(0, log.stat().st_size - 8_192))
        return "\n".join(content.read().decode(errors="replace").splitlines()[-lines:])
    return ""
