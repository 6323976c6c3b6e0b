"""Streams that stop reading, and what those beside them feel of it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean

import requests

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.load import Load
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import CHANNEL, OWN, PATIENCE, Sender, streams_of, text
from tests.support.ports import LOOPBACK
from tests.support.wait import wait_until

READING = 900
STALLED = 100
RATE = 50.0  # a second
EVENTS = 450  # 9 s: some before the stalled streams are cut off, some while they are, some after

FILLING = "filling"  # the stalled streams' other channel
LARGE = 30_000  # bytes of data of an event there
LARGE_EVENTS = 20  # 600 kB: more than the kernel holds for a stream on both sides together
SEND_TIMEOUT = 5.0


class Stalled(Work):
    """p99 of 900 streams beside 100 that stopped reading, over the p99 of the same streams before those came and after.

    The stalled ones are full when it begins. Hermes cuts them off within it: the send timeout is short for that.
    """

    name = "stalled"
    figures = (
        Figure(
            "stalled.p99",
            "p99 of 900 streams beside 100 that stopped reading, against without",
            "x",
            must=Bound(1.2),
            aim=Bound(1.0),
        ),
    )
    servers = OWN
    settings: Mapping[str, str] = {"HERMES_SSE_SEND_TIMEOUT": f"{SEND_TIMEOUT:g}"}
    in_quick = False

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        reading, stalled = scale.streams(READING), scale.streams(STALLED)
        with streams_of(server, reading) as load, Sender(server) as sender:
            sender.warm_up(load)
            before = self._p99(load, sender, scale)
            both = [server.stream_path(f"{CHANNEL},{FILLING}")]
            with streams_of(server, stalled, both, stalled=stalled):
                self._fill(server, reading + stalled)
                beside = self._p99(load, sender, scale)
                wait_until(lambda: streams_now(server) == reading, SEND_TIMEOUT + 10, "the stalled streams are cut off")
            after = self._p99(load, sender, scale)
        return {"stalled.p99": beside / mean((before, after))}

    def _p99(self, load: Load, sender: Sender, scale: Scale) -> float:
        events = scale.events(EVENTS)
        load.reset()
        sender.paced(events, RATE)
        return load.wait_events(events, PATIENCE).p99_ms

    def _fill(self, server: Server, streams: int) -> None:
        """Give the stalled streams more than the kernel takes for them."""
        wait_until(lambda: streams_now(server) == streams, 10, f"{streams} streams")
        with Publisher(server.port) as publisher:
            for _ in range(LARGE_EVENTS):
                publisher.send(server.requests(FILLING, [text(LARGE)]))


def streams_now(server: Server) -> int:
    """How many streams the server's one process holds, by its own count."""
    health = requests.get(f"http://{LOOPBACK}:{server.port}/api/v1/events/health", timeout=10).json()
    return int(health["process"]["active_connections"])
