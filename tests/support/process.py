"""A child process that a test starts, waits for, hurts and ends; it knows nothing of what it runs."""

import atexit
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.ports import is_listening
from tests.support.wait import wait_until


class ProcessEnded(AssertionError):
    """The process ended while somebody waited for it to do something."""


class Process:
    """A command in a session of its own, its output (both streams) in a file, ended as a group.

        with Process([sys.executable, "-m", "http.server", str(port)]) as server:
            server.wait_for_port(port)

    `env` is the whole environment (default: this process's). `log` is appended to, so that several lives of a server
    share one file; without it a temporary file serves, which goes away with the process.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        log: Path | None = None,
        grace: float = 10.0,
    ) -> None:
        self.command = [os.fspath(word) for word in command]
        self.grace = grace
        self._env = dict(env) if env is not None else None
        self._cwd = cwd
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if log is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="hermes-test-")
            log = Path(self._temporary.name) / "output"
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._is_gone = False

    # --- life

    def start(self) -> Self:
        """Starts the command; a process that runs already is an error."""
        if self.is_running:
            raise RuntimeError(f"{self.command[0]} runs already")
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._is_gone = False
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        _running.add(self)
        return self

    def __enter__(self) -> Self:
        return self if self.is_running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if self._temporary is not None:
            self._temporary.cleanup()

    def end(self, timeout: float | None = None) -> int | None:
        """TERM to the process, KILL to its whole group after `timeout` (default: `grace`) seconds; the exit code."""
        if self._child is None:
            return None
        if self.is_running:
            self.cont()  # a stopped process hears no TERM
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(self.grace if timeout is None else timeout)
        self.kill9()
        return self.exit_code

    def wait(self, timeout: float = 10.0) -> int:
        """Waits for the process to end by itself; its exit code (negative: the signal that ended it)."""
        assert self._child is not None, "never started"
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s\n{self.tail()}") from None

    # --- state

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too."""
        assert self._child is not None, "never started"
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._child.poll() if self._child else None

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def output(self) -> str:
        """What this life of the process has printed."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def tail(self, lines: int = 40) -> str:
        """The end of the output, for a failure's message."""
        return f"--- {' '.join(self.command)[:200]}\n" + "\n".join(self.output().split("\n")[-lines:])

    # --- waiting

    def wait_for(self, condition: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
        """Waits until `condition()` is true; fails with the output's end in time, or at once if the process ended."""

        def holds() -> bool:
            if condition():
                return True
            if not self.is_running:
                raise ProcessEnded(f"ended with {self.exit_code} while waiting for {what or condition}\n{self.tail()}")
            return False

        wait_until(holds, timeout, lambda: f"{what or condition}\n{self.tail()}")

    def wait_for_line(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Waits for output that matches the regular expression; the match."""
        found: list[re.Match[str]] = []

        def printed() -> bool:
            match = re.search(pattern, self.output(), re.MULTILINE)
            if match:
                found.append(match)
            return bool(match)

        self.wait_for(printed, timeout, f"a line like {pattern!r}")
        return found[0]

    def wait_for_port(self, port: int, timeout: float = 10.0) -> None:
        """Waits until somebody listens on that port of loopback."""
        self.wait_for(lambda: is_listening(port), timeout, f"port {port}")

    # --- harm

    def signal(self, number: int, *, group: bool = False) -> None:
        """Sends a signal to the process, or to its whole group; to one that is gone, nothing happens."""
        if self._child is None or self._is_gone:
            return
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self._child.pid, number)
            elif self._child.poll() is None:
                os.kill(self._child.pid, number)

    def kill9(self) -> None:
        """KILL to the whole group, and waits until all of it is gone: what it listened on is free again."""
        if self._child is not None and not self._is_gone:
            self.signal(signal.SIGKILL, group=True)
            self._child.wait(10)
            wait_until(lambda: not _lives(self.pid), 10, "the end of the whole group")
            self._is_gone = True  # the kernel may give the group's number to another one now
        _running.discard(self)

    def stop(self) -> None:
        """SIGSTOP to the whole group: it keeps its sockets and does nothing until `cont()`."""
        self.signal(signal.SIGSTOP, group=True)

    def cont(self) -> None:
        """SIGCONT to the whole group."""
        self.signal(signal.SIGCONT, group=True)


def _lives(group: int) -> bool:
    """Whether a process of that group runs; a zombie, which only its parent can remove, does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(_is_in(group, process) for process in psutil.process_iter())


def _is_in(group: int, process: psutil.Process) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


_running: "weakref.WeakSet[Process]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """An interrupted test run leaves nothing behind."""
    for process in list(_running):
        process.kill9()
