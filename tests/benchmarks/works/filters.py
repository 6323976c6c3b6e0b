"""Streams that each ask for a part of what is published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import CHANNEL, OWN, PATIENCE, SIZE, Cpu, Sender, mark, streams_of

STREAMS = 1000
DIFFERENT = 50
EVENTS = 100
RATE = 50.0  # a second
TURNS = 2


class Filters(Work):
    """CPU per delivery of streams with 50 different filters over that of streams with none, in turn.

    Every event passes every filter, so that both deliver as many.
    """

    name = "filters"
    figures = (
        Figure(
            "filters.cpu",
            "1,000 streams with 50 different filters against none: CPU per delivery",
            "x",
            must=Bound(1.3),
            aim=Bound(1.1),
        ),
    )
    servers = OWN

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        path = server.stream_path(CHANNEL)
        filtered = [f"{path}&filters={quote(json.dumps(one))}" for one in self._filters()]
        plain_cpu = filtered_cpu = 0.0
        for _ in range(scale.events(TURNS)):
            plain_cpu += self._cpu(server, scale, [path])
            filtered_cpu += self._cpu(server, scale, filtered)
        return {"filters.cpu": filtered_cpu / plain_cpu}

    def _filters(self) -> list[Mapping[str, object]]:
        return [{"amount": {"gte": number}, "kind": "order"} for number in range(DIFFERENT)]

    def _cpu(self, server: Server, scale: Scale, paths: Sequence[str]) -> float:
        """Microseconds per delivery."""
        events = scale.events(EVENTS)
        with (
            streams_of(server, scale.streams(STREAMS), paths) as load,
            Sender(server, lambda: server.requests(CHANNEL, [order()])) as sender,
        ):
            sender.warm_up(load)
            cpu = Cpu(server)
            sender.paced(events, RATE)
            return cpu.per(load.wait_events(events, PATIENCE).events)


def order() -> str:
    """64 bytes of a JSON object that passes every filter; it carries the mark."""
    fields = '"kind":"order","amount":99'
    return f'{{{fields},"note":"{mark():x<{SIZE - len(fields) - 12}}"}}'
