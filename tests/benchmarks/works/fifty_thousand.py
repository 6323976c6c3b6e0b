"""Fifty thousand streams on one machine, held for five minutes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.load import Load, Seen
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import Sender, streams_of

STREAMS = 50_000
HELD = 300.0  # seconds
OPENING = 180.0  # seconds that all may take to open
EVENTS = 3
WORKERS = 4
LOADS = 4  # processes: each may open as many files as a worker


class FiftyThousand(Work):
    """Several workers on Redis, and the load too, on all cores that there are.

    One round says it: nothing in it is a ratio, and it takes six minutes.
    """

    name = "fifty_thousand"
    figures = (
        Figure(
            "fifty_thousand.lost",
            "50,000 streams, Redis, 4 workers: those that were not there after 5 minutes",
            "streams",
            must=Bound(0),
            aim=Bound(0),
            only=("hermes-redis",),
        ),
        Figure(
            "fifty_thousand.reach",
            "50,000 streams, Redis, 4 workers: one event reaches all in",
            "s",
            must=Bound(3),
            aim=Bound(1.5),
            only=("hermes-redis",),
        ),
    )
    servers = ("hermes-redis",)
    settings: Mapping[str, str] = {"WEB_CONCURRENCY": str(WORKERS), "HERMES_SSE_MAX_CONNECTIONS": "19000"}
    in_quick = False
    rounds = 1

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        free_cores(server)
        streams = scale.streams(STREAMS)
        most = OPENING + HELD + 60
        with (
            streams_of(server, streams, patience=OPENING, processes=LOADS, core=None, seconds=most) as load,
            Sender(server) as sender,
        ):
            seen = self._hold(load, scale.seconds(HELD))
            reach = max(self._reach(load, sender) for _ in range(EVENTS))
            return {"fifty_thousand.lost": streams - seen.open, "fifty_thousand.reach": reach}

    def _hold(self, load: Load, seconds: float) -> Seen:
        """Watch for so long, or until a stream is lost."""
        end = time.monotonic() + seconds
        seen = load.seen()
        while not seen.closed and time.monotonic() < end:
            time.sleep(min(1.0, seconds))
            seen = load.seen()
        return seen

    def _reach(self, load: Load, sender: Sender) -> float:
        """Seconds until the last stream has an event."""
        sender.in_turn(load, 1)
        return load.seen().max_ms / 1e3


def free_cores(server: Server) -> None:
    """Let the server's processes run anywhere."""
    for pid in server.pids():
        os.sched_setaffinity(pid, range(os.cpu_count() or 1))
