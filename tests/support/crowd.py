"""Hundreds of clients that follow the EventSource standard, in a process of their own, and what each of them saw.

with Crowd([Client("c1", ["a", "b"], [stream_url], churn=(0.05, 0.5))], headers=hermes.headers) as crowd:
    crowd.wait_open()
    crowd.churn()
    ...
    crowd.wait_settled({"a": 100, "b": 100})
    report = crowd.report()
"""

import atexit
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypedDict

from tests.support.hermes_server import REPOSITORY
from tests.support.wait import wait_until


@dataclass
class Client:
    """One client's plan. `urls` are whole stream addresses; each new connection takes one of them.

    `churn` is the least and most seconds that it stays before it leaves (FIN or RST) and is back at once. `rate` is how
    many bytes a second it reads, with `receive_buffer` a slow link. It connects first after `delay` seconds.
    """

    name: str
    channels: list[str]
    urls: list[str]
    churn: tuple[float, float] | None = None
    rate: float | None = None
    receive_buffer: int | None = None
    delay: float = 0.0
    last_event_id: str = ""
    retry: float = 0.5
    retry_limit: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)


class Seen(TypedDict):
    """What one client saw; times are of `time.monotonic()`, which all processes of a machine share."""

    seen: dict[str, list[int]]  # channel -> numbers, in the order in which they came
    state: dict[str, Any]  # key -> n of the payload that came last, retained or not
    resets: list[dict[str, Any]]  # at, opening (which one), reason, channels
    closes: list[dict[str, Any]]  # at, reason, reconnect, retry (s)
    errors: dict[str, int]  # code -> how often
    returns: list[dict[str, float]]  # ended, retry, live: of connections that the client did not end
    openings: int  # `connected` frames
    recovered: int  # of them with recovered: true
    decreases: int  # an id below the one before it
    retained: int
    frames: int
    churned: int  # how often it left by itself
    opened: int
    endings: dict[str, int]
    last_event_id: str
    stopped: str | None
    is_open: bool


class Standing(NamedTuple):
    """Where the crowd stands now."""

    clients: int
    open: int  # the opening is over
    stopped: int  # for good
    opened: int
    deliveries: int
    owing: int  # have not seen the newest that they wait for
    resets: int
    reset_clients: int


class Crowd:
    """The process of the clients; it ends with this one."""

    def __init__(self, clients: Sequence[Client], *, headers: Mapping[str, str] | None = None) -> None:
        self.clients = list(clients)
        self._folder = tempfile.TemporaryDirectory(prefix="hermes-test-crowd-")
        plans = [{**asdict(client), "headers": {**(headers or {}), **client.headers}} for client in self.clients]
        spec = Path(self._folder.name) / "spec.json"
        spec.write_text(json.dumps(plans))
        self._command = [sys.executable, "-m", "tests.support.crowd_process", str(spec)]
        self._turn = threading.Lock()
        self._child: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """All clients connect."""
        self._child = subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.close)
        return self

    def __enter__(self) -> Self:
        return self if self._child else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        atexit.unregister(self.close)
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait(10)
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    if pipe:
                        pipe.close()
        self._folder.cleanup()

    # --- asking

    def standing(self, last: Mapping[str, int] | None = None) -> Standing:
        """Where it stands; `last` names the newest number of each channel that `owing` asks for."""
        return self._ask(do="standing", last=dict(last or {}))

    def churn(self, is_on: bool = True) -> None:
        """From now on the clients leave and come back as planned, or stay."""
        self._ask(do="churn", on=is_on)

    def wait_open(self, timeout: float = 60.0) -> None:
        """Waits until the opening of every client's stream is over."""
        self._wait(lambda standing: standing.open == standing.clients, timeout)

    def wait_settled(self, last: Mapping[str, int], timeout: float = 60.0) -> bool:
        """Waits until every client has seen these numbers of its channels; whether all did: the oracle has the last word."""
        with contextlib.suppress(AssertionError):
            self._wait(lambda standing: standing.owing <= standing.stopped, timeout, last)
            return True
        return False

    def report(self) -> dict[str, Seen]:
        """What each client saw so far."""
        to = Path(self._folder.name) / "report.json"
        self._ask(do="report", to=str(to))
        report: dict[str, Seen] = json.loads(to.read_text())
        return report

    def _wait(self, condition: Any, timeout: float, last: Mapping[str, int] | None = None) -> None:
        wait_until(lambda: condition(self.standing(last)), timeout, lambda: f"the crowd: {self.standing(last)}")

    def _ask(self, **command: Any) -> Standing:
        child = self._child
        assert child is not None, "not started"
        assert child.stdin is not None
        assert child.stdout is not None
        with self._turn:
            child.stdin.write(json.dumps(command) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
        assert line, f"the crowd's process ended with {child.poll()}"
        return Standing(**json.loads(line))


def totals(report: Mapping[str, Seen]) -> dict[str, int]:
    """Figures of a whole report."""
    endings: Counter[str] = Counter()
    for client in report.values():
        endings.update(client["endings"])
    return {
        "openings": sum(client["openings"] for client in report.values()),
        "resumed": sum(client["recovered"] for client in report.values()),
        "left": sum(client["churned"] for client in report.values()),
        "cut": sum(sum(client["endings"].values()) for client in report.values()) - endings["dropped"],
        "decreases": sum(client["decreases"] for client in report.values()),
        "resets": sum(len(client["resets"]) for client in report.values()),
    }
