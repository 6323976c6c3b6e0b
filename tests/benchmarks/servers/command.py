"""A server that is one command: how it is started, waited for and ended."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from tests.benchmarks.servers.base import Server, Unavailable, pinned
from tests.support.hermes_server import clean_environment
from tests.support.ports import LOOPBACK, is_listening
from tests.support.process import Process

APPS = Path(__file__).resolve().parents[1] / "apps"
START_LIMIT = 20.0  # seconds
GRACE = 3.0  # seconds until a server that still has streams is killed


class CommandServer(Server):
    """`command()` in the foreground on `SERVER_CORE`, until it listens on `port` and its processes are there."""

    process: Process | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The words that start it; raises `Unavailable`."""

    def start(self) -> Self:
        self.process = pinned(
            self.command(), env=clean_environment(), cwd=self.folder, log=self.folder / "server.log", grace=GRACE
        )
        try:
            self.process.start()
            self.process.wait_for(self._serves, START_LIMIT, f"{self.name} on port {self.port}")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.end()

    def pids(self) -> Sequence[int]:
        assert self.process is not None, "not started"
        return [self.process.pid]

    def _serves(self) -> bool:
        return is_listening(self.port) and bool(self.pids())


def uvicorn(app: str, port: int, needs: Sequence[str]) -> list[str]:
    """One uvicorn process of `app` (`module:name` in `tests/benchmarks/apps`), which `needs` these modules.

    It takes uvloop and httptools by itself where uvicorn[standard] brought them. What is switched off is what no stream
    needs: websockets, the lifespan protocol, a line of log for each request.
    """
    missing = [name for name in ("uvicorn", *needs) if find_spec(name) is None]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}; script/bench installs the dependency group bench")
    options = ["--app-dir", str(APPS), "--host", LOOPBACK, "--port", str(port), "--backlog", "4096"]
    options += ["--ws", "none", "--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    options += ["--timeout-keep-alive", "3600", "--timeout-graceful-shutdown", "1"]
    return [sys.executable, "-m", "uvicorn", app, *options]
