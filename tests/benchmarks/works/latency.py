"""One stream on an idle machine: how long an event is on its way."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import PATIENCE, Sender, streams_of

EVENTS = 200
RATE = 100.0  # a second


class Latency(Work):
    """The median age of an event when its reader has it, from before its POST is sent."""

    name = "latency"
    figures = (
        Figure(
            "latency.embedded",
            "publish to receive, one stream, idle machine: median (embedded)",
            "ms",
            must=Bound(2),
            aim=Bound(1),
            only=("hermes",),
        ),
        Figure(
            "latency.redis",
            "publish to receive, one stream, idle machine: median (Redis)",
            "ms",
            must=Bound(3),
            aim=Bound(1),
            only=("hermes-redis",),
        ),
    )
    servers = ("hermes", "hermes-redis", "nchan")

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        events = scale.events(EVENTS)
        with streams_of(server, 1) as load, Sender(server) as sender:
            sender.warm_up(load)
            sender.paced(events, RATE)
            median = load.wait_events(events, PATIENCE).p50_ms
        return {"latency.redis" if server.name == "hermes-redis" else "latency.embedded": median}
