"""Ten thousand clients that lose their connections at once, and come back for what they missed."""

from __future__ import annotations

from collections.abc import Mapping

import psutil
import redis
import requests

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.load import Load, LoadFailure
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import CHANNEL, CROWD, CROWD_SETTINGS, OWN, PATIENCE, Sender, streams_of
from tests.support.ports import LOOPBACK

BEHIND = 20  # events


class Reconnect(Work):
    """All are told to connect again with a cursor that is 20 events old; it ends when each has them all.

    What a process holds in memory answers them: the reads of the store are counted too, and a few come from elsewhere
    (the tip is read once a second).
    """

    name = "reconnect"
    figures = (
        Figure(
            "reconnect.time",
            "10,000 clients reconnect at once, each 20 events behind: all live in",
            "s",
            must=Bound(8),
            aim=Bound(4),
        ),
        Figure(
            "reconnect.reads",
            "10,000 clients reconnect at once: reads of Redis or disk for each",
            "",
            must=Bound(0.1),
            aim=Bound(0.1),
        ),
    )
    servers = OWN
    settings = CROWD_SETTINGS

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        streams = scale.streams(CROWD)
        with streams_of(server, streams) as load, Sender(server) as sender:
            sender.warm_up(load)
            cursor = tip(server)
            sender.in_turn(load, BEHIND)
            reads = Reads(server)
            taken = self._come_back(load, cursor)
            return {"reconnect.time": taken, "reconnect.reads": reads.so_far() / streams}

    def _come_back(self, load: Load, cursor: str) -> float:
        load.reconnect(f"Last-Event-ID: {cursor}")
        seen = load.wait_events(BEHIND, PATIENCE)
        if seen.last_s is None or seen.open < seen.streams or seen.most > BEHIND:
            raise LoadFailure(f"not everybody came back to {BEHIND} events: {seen}")
        return seen.last_s


def tip(server: Server) -> str:
    """The cursor behind everything that was published."""
    address = f"http://{LOOPBACK}:{server.port}/api/v1/events?channels={CHANNEL}"
    return str(requests.get(address, headers=server.stream_headers, timeout=10).json()["cursor"])


class Reads:
    """Reads of the store from now on: scripts that Redis ran, or system calls that read a file.

    Hermes has one script for each call. Its sockets are read by another system call than files are.
    """

    def __init__(self, server: Server) -> None:
        self._process = psutil.Process(server.pids()[0])
        url = self._process.environ().get("REDIS_URL")
        self._redis = redis.Redis.from_url(url, decode_responses=True) if url else None
        self._before = self._count()

    def so_far(self) -> int:
        """How many there were; the last call."""
        reads = self._count() - self._before
        if self._redis is not None:
            self._redis.close()
        return reads

    def _count(self) -> int:
        if self._redis is None:
            return int(self._process.io_counters().read_count)
        commands = self._redis.info("commandstats")
        return sum(int(commands.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("evalsha", "eval"))
