"""Whether a delivery costs more among many streams than among few."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import CROWD, CROWD_SETTINGS, MAIN, PATIENCE, Cpu, Sender, streams_of

FEW = 100
EVENTS_OF_FEW = 2000
RATE = 400.0  # a second: each event is through before the next comes


class Growth(Work):
    """CPU per delivery at 10,000 streams over that at 100, for as many deliveries.

    What a POST costs by itself is taken before any stream is there and left out on both sides: divided among 100 streams
    it would outweigh any growth.
    """

    name = "growth"
    figures = (
        Figure(
            "growth.cpu",
            "CPU per delivery, 10,000 streams over 100",
            "x",
            must=Bound(1.2, "floor"),
            aim=Bound(1.0, "floor"),
        ),
    )
    servers = MAIN
    settings = CROWD_SETTINGS
    in_quick = False

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        many, events = scale.streams(CROWD), scale.events(EVENTS_OF_FEW)
        with Sender(server) as sender:
            post = self._post(server, sender, events)
            few_cpu = self._among_few(server, sender, events)
            many_cpu = self._among_many(server, sender, many, max(1, events * FEW // many))
        return {"growth.cpu": (many_cpu - post / many) / (few_cpu - post / FEW)}

    def _post(self, server: Server, sender: Sender, events: int) -> float:
        """Microseconds of an event that nobody receives."""
        sender.paced(10, RATE)
        cpu = Cpu(server)
        sender.paced(events, RATE)
        return cpu.per(events)

    def _among_few(self, server: Server, sender: Sender, events: int) -> float:
        with streams_of(server, FEW) as load:
            sender.warm_up(load)
            cpu = Cpu(server)
            sender.paced(events, RATE)
            return cpu.per(load.wait_events(events, PATIENCE).events)

    def _among_many(self, server: Server, sender: Sender, streams: int, events: int) -> float:
        with streams_of(server, streams) as load:
            sender.warm_up(load)
            cpu = Cpu(server)
            sender.in_turn(load, events)
            return cpu.per(load.seen().events)
