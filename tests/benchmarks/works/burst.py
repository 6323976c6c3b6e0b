"""A burst: many events that are published at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.load import Load
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import ALL, CHANNEL, PATIENCE, SIZE, Sender, streams_of, text

STREAMS = 1000
EVENTS = 300
TIMES = 5


class Burst(Work):
    """Deliveries per second, from when the first request is sent until the last stream has the last event.

    One request where a server takes a batch; else all requests at once on one connection. django-eventstream has no part
    in it: its streams drop what they cannot take at once.
    """

    name = "burst"
    figures = (
        Figure(
            "burst.rate",
            "1,000 streams, 300 events published as one batch: deliveries per second",
            "/s",
            better="high",
            must=Bound(20, "nchan"),
            aim=Bound(60, "nchan"),
        ),
    )
    servers = tuple(name for name in ALL if name != "django-eventstream")

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        with streams_of(server, scale.streams(STREAMS)) as load, Sender(server) as sender:
            sender.warm_up(load)
            with Publisher(server.port) as publisher:
                rates = [self._rate(server, load, publisher) for _ in range(TIMES)]
        return {"burst.rate": median(rates)}

    def _rate(self, server: Server, load: Load, publisher: Publisher) -> float:
        load.reset()
        made = time.monotonic_ns()
        requests = server.requests(CHANNEL, [text(SIZE, made)] * EVENTS)
        unsent_ms = (time.monotonic_ns() - made) / 1e6  # ages begin when an event is made
        if len(requests) == 1:
            publisher.send(requests)
        else:
            publisher.pipeline(requests)
        seen = load.wait_events(EVENTS, PATIENCE)
        return seen.events / (seen.max_ms - unsent_ms) * 1e3
