"""Ten thousand streams on which nothing happens but heartbeats."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.crowd import settled_bytes
from tests.benchmarks.works.steps import CROWD, CROWD_SETTINGS, OWN, Cpu, streams_of

HEARTBEAT = 30.0  # seconds: each stream has one in every watch
WATCHES = 5


class Idle(Work):
    """The median of watches as long as the heartbeat, the default one. Neither Nchan nor the floor sends any.

    One round says it: the streams need not be opened again for each watch.
    """

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
    rounds = 1

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        with streams_of(server, scale.streams(CROWD), seconds=WATCHES * HEARTBEAT + 120):
            settled_bytes(server)
            watches = [self._watch(server, scale.seconds(HEARTBEAT)) for _ in range(scale.events(WATCHES))]
        return {"idle.cpu": median(watches)}

    def _watch(self, server: Server, seconds: float) -> float:
        """Percent of a core."""
        cpu, began = Cpu(server), time.monotonic()
        time.sleep(seconds)
        return 100 * cpu.seconds() / (time.monotonic() - began)
