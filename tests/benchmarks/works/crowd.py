"""Ten thousand streams: how fast they are accepted, what each holds, and what one event for all of them costs."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.meter import private_bytes
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import CROWD, CROWD_SETTINGS, MAIN, Cpu, Sender, streams_of
from tests.support.wait import wait_until

EVENTS = 15
FIRST = 50  # streams that come and go before: a server's first ones make it grow by what every later one shares
LOOKS = 10
STEADY = 0.002  # of all memory


class Crowd(Work):
    """Hermes checks the credentials of each stream; Nchan and the floor ask for none."""

    name = "crowd"
    figures = (
        Figure(
            "crowd.cpu",
            "10,000 streams, one event at a time: CPU per delivery",
            "us",
            must=Bound(1.0, "nchan"),
            aim=Bound(1.1, "floor"),
        ),
        Figure(
            "crowd.memory",
            "10,000 streams: private memory of an idle one",
            "kB",
            must=Bound(18),
            aim=Bound(13),
        ),
        Figure(
            "crowd.accepted",
            "accepted streams per second, authenticated",
            "/s",
            better="high",
            must=Bound(1500),
            aim=Bound(4000),
        ),
    )
    servers = MAIN
    settings = CROWD_SETTINGS

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        streams, events = scale.streams(CROWD), scale.events(EVENTS)
        with Sender(server) as sender:
            with streams_of(server, FIRST) as load:
                sender.warm_up(load)
            before = settled_bytes(server)
            with streams_of(server, streams) as load:
                memory = settled_bytes(server) - before
                opened_s = load.wait_open()
                sender.warm_up(load)
                cpu = Cpu(server)
                sender.in_turn(load, events)
                figures = {"crowd.cpu": cpu.per(load.seen().events)}
        return figures | {"crowd.memory": memory / streams / 1e3, "crowd.accepted": streams / opened_s}


def settled_bytes(server: Server) -> int:
    """Private memory of the server once it has stopped changing: an opening ends a little after its last byte arrived."""
    looks: list[int] = []

    def is_steady() -> bool:
        looks.append(private_bytes(server.pids()))
        last = looks[-LOOKS:]
        return len(last) == LOOKS and max(last) - min(last) <= STEADY * max(last)

    wait_until(is_steady, 10, lambda: f"memory that stays: {looks[-LOOKS:]}")
    return looks[-1]
