"""A load that the oracle judges: publishers, a crowd of clients, and the books between them.

with Load([hermes], clients=200, rate=200, churn=(0.05, 0.5)) as load:
    load.run(seconds)                # or harm the server meanwhile
    load.finish().check("scenario 1", **load.figures())
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.support.crowd import Client, Crowd, Seen, totals
from tests.support.hermes_server import HermesServer
from tests.support.oracle import Oracle, Verdict
from tests.support.publishers import Publishers
from tests.support.wait import WaitTimeout

WIDE = 5  # channels of a client that has several


def stream_url(server: HermesServer, channels: Sequence[str], **query: str) -> str:
    """The address of a stream of these channels."""
    return f"{server.url}/api/v1/events/stream?{urlencode({'channels': ','.join(channels), **query})}"


class Load:
    """Streams on every one of `servers`, each client on one channel and every fifth on several; publishers on `publish_to`.

    `churn` and what else a `Client` has is given by `client`, what else `Publishers` take by `publish`. Everything that is
    published is owed to every client of its channel: publishing begins when all streams are open.
    """

    def __init__(
        self,
        servers: Sequence[HermesServer],
        *,
        clients: int = 100,
        channels: int = 10,
        rate: float = 200.0,
        churn: tuple[float, float] | None = None,
        prefix: str = "load",
        publish_to: Sequence[HermesServer] | None = None,
        query: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
        **publish: Any,
    ) -> None:
        self.oracle = Oracle()
        self.channels = [f"{prefix}:{index}" for index in range(channels)]
        self.servers = list(servers)
        self.crowd = Crowd(
            [
                Client(
                    f"c{index}",
                    names,
                    [stream_url(server, names, **(query or {})) for server in self._order(index)],
                    churn=churn,
                    **(client or {}),
                )
                for index, names in enumerate(self._subscriptions(clients))
            ],
            headers=servers[0].headers,
        )
        self.publishers = Publishers(
            self.oracle, publish_to or servers, self.channels, **({"rate": rate, "threads": 4} | publish)
        )
        self.report: dict[str, Seen] = {}
        self._began = 0.0
        self._seconds = 0.0
        self._stack = ExitStack()

    def _order(self, index: int) -> list[HermesServer]:
        first = index % len(self.servers)
        return self.servers[first:] + self.servers[:first]

    def _subscriptions(self, clients: int) -> Iterator[list[str]]:
        count = len(self.channels)
        for index in range(clients):
            width = min(WIDE, count) if index % 5 == 0 else 1
            yield [self.channels[(index + step) % count] for step in range(width)]

    def __enter__(self) -> Self:
        """Opens all streams, then publishes, and lets the clients leave and come back."""
        with ExitStack() as stack:
            stack.enter_context(self.crowd)
            self.crowd.wait_open()
            for client in self.crowd.clients:
                self.oracle.watch(client.name, client.channels)
            stack.enter_context(self.publishers)
            self.crowd.churn()
            self._began = time.monotonic()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, seconds: float) -> None:
        """Lets it go on for that long: the length of a scenario is part of it."""
        time.sleep(seconds)

    def every(self, pause: float, seconds: float) -> Iterator[int]:
        """A turn after every `pause` seconds, as many as `seconds` hold: what a turn itself takes does not count."""
        for turn in range(1, int(seconds / pause) + 1):
            time.sleep(pause)
            yield turn

    def finish(self, timeout: float = 60.0) -> Verdict:
        """Ends publishing, lets every client stay until it saw the last event and is open, and closes the books."""
        self.publishers.stop()
        self._seconds = time.monotonic() - self._began
        self.crowd.churn(False)
        self.crowd.wait_settled(self.oracle.newest(), timeout)
        with suppress(WaitTimeout):
            self.crowd.wait_open(timeout / 3)
        self.report = self.crowd.report()
        for name, client in self.report.items():
            stopped = client["stopped"] or (None if client["is_open"] else "not open at the end")
            self.oracle.take(name, client["seen"], resets=len(client["resets"]), stopped=stopped)
        assert not self.publishers.refused, self.publishers.refused
        return self.oracle.verdict()

    def figures(self) -> dict[str, Any]:
        """What else a line of figures tells."""
        found = totals(self.report)
        return {
            "seconds": round(self._seconds),
            "reconnects": found["openings"] - len(self.report),
            "resumed": found["resumed"],
            "cut": found["cut"],
            "ids decreased": found["decreases"],
            "publishes repeated": self.publishers.again,
        }
