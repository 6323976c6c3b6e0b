"""Steps that several works are made of: streams opened, events published at a pace or in turn, CPU counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from tests.benchmarks.load import Load
from tests.benchmarks.meter import cpu_seconds
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.servers.base import Server

ALL = ("hermes", "hermes-redis", "nchan", "sse-starlette", "django-eventstream", "floor")
MAIN = ("hermes", "hermes-redis", "nchan", "floor")
OWN = ("hermes", "hermes-redis")

CROWD = 10_000  # streams
CROWD_SETTINGS = {"HERMES_SSE_MAX_CONNECTIONS": "19000"}  # those that leave are still counted while others come

CHANNEL = "bench"
SIZE = 64  # bytes of an event's data
PATIENCE = 60.0  # seconds until a stream has to be open, or an event received


def mark(at: int | None = None) -> str:
    """What the load looks for in data: when it was made, by this machine's monotonic clock in nanoseconds."""
    return f"t={time.monotonic_ns() if at is None else at}"


def text(size: int = SIZE, at: int | None = None) -> str:
    """Data of so many bytes, a JSON string that begins with its mark."""
    return f'"{mark(at):x<{size - 2}}"'


@contextmanager
def streams_of(
    server: Server, count: int, paths: Sequence[str] = (), patience: float = PATIENCE, **options: Any
) -> Iterator[Load]:
    """So many open streams, by default all of `CHANNEL`; `options` are those of `Load`."""
    paths = paths or [server.stream_path(CHANNEL)]
    with Load(server.port, paths, count, headers=server.stream_headers, **options) as load:
        load.wait_open(patience)
        yield load


class Sender:
    """Publishes events over one connection, each made at its moment: of 64 bytes to `CHANNEL`, or what `make` gives."""

    def __init__(self, server: Server, make: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._publisher = Publisher(server.port)
        self._make = make or (lambda: server.requests(CHANNEL, [text()]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._publisher.close()

    def one(self) -> None:
        """Publish one event; it is stored when this returns."""
        self._publisher.send(self._make())

    def paced(self, count: int, rate: float) -> None:
        """Publish `count` events, `rate` a second, or as fast as a server that is slower lets it."""
        began = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, began + index / rate - time.monotonic()))
            self.one()

    def in_turn(self, load: Load, count: int) -> None:
        """Publish `count` events, each when all streams have the one before."""
        load.reset()
        for number in range(1, count + 1):
            self.one()
            load.wait_events(number, PATIENCE)

    def warm_up(self, load: Load) -> None:
        """Two events that count for nothing: the first ones find cold caches."""
        self.in_turn(load, 2)
        load.reset()


class Cpu:
    """CPU that a server uses from now on."""

    def __init__(self, server: Server) -> None:
        self._pids = list(server.pids())
        self._before = cpu_seconds(self._pids)

    def seconds(self) -> float:
        """So far."""
        return cpu_seconds(self._pids) - self._before

    def per(self, count: int) -> float:
        """Microseconds so far for each of `count`."""
        return self.seconds() / count * 1e6
