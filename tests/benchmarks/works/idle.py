"""Ten thousand streams on which nothing happens but heartbeats."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.crowd import settled_bytes
from tests.benchmarks.works.steps import CROWD, CROWD_SETTINGS, OWN, Cpu, streams_of

WATCHED = 60.0  # seconds: two heartbeats of each stream


class Idle(Work):
    """The heartbeat is the default one, 30 s. Neither Nchan nor the floor sends any."""

    name = "idle"
    figures = (
        Figure(
            "idle.cpu",
            "CPU of 10,000 idle streams at a heartbeat of 30 s",
            "% of a core",
            must=Bound(5),
            aim=Bound(2),
        ),
    )
    servers = OWN
    settings = CROWD_SETTINGS
    in_quick = False

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        with streams_of(server, scale.streams(CROWD), seconds=WATCHED + 120):
            settled_bytes(server)
            cpu, began = Cpu(server), time.monotonic()
            time.sleep(scale.seconds(WATCHED))
            return {"idle.cpu": 100 * cpu.seconds() / (time.monotonic() - began)}
