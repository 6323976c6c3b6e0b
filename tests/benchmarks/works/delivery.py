"""The everyday work: many streams and a steady trickle of events."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import ALL, PATIENCE, Cpu, Sender, streams_of

STREAMS = 1000
EVENTS = 200
RATE = 50.0  # a second


class Delivery(Work):
    """What a delivery costs, the handling of its event's POST included, and how long an event is on its way."""

    name = "delivery"
    figures = (
        Figure(
            "delivery.cpu",
            "1,000 streams, 50 events/s, 64 B: server CPU per delivery",
            "us",
            must=Bound(1.0, "nchan"),
            aim=Bound(1.1, "floor"),
        ),
        Figure(
            "delivery.p99",
            "1,000 streams, 50 events/s, 64 B: p99 publish to receive",
            "ms",
            must=Bound(1.2, "nchan"),
            aim=Bound(1.0, "nchan"),
        ),
    )
    servers = ALL
    times = 3

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        events = scale.events(EVENTS)
        with streams_of(server, scale.streams(STREAMS)) as load, Sender(server) as sender:
            sender.warm_up(load)
            cpu = Cpu(server)
            sender.paced(events, RATE)
            seen = load.wait_events(events, PATIENCE)
            return {"delivery.cpu": cpu.per(seen.events), "delivery.p99": seen.p99_ms}
