"""Publishing as fast as a server takes it, with nobody there to receive."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works.steps import CHANNEL, OWN, text

CONNECTIONS = 8
SINGLE = 5000
BATCHES = 100
BATCH = 1000  # events

KEYS = {"hermes": "publishing.batches", "hermes-redis": "publishing.batches_redis"}


class Publishing(Work):
    """Single events and batches over kept-alive connections, one request in flight on each."""

    name = "publishing"
    figures = (
        Figure(
            "publishing.single",
            "single POSTs over 8 kept-alive connections",
            "/s",
            better="high",
            must=Bound(1500),
            aim=Bound(4000),
        ),
        Figure(
            "publishing.batches",
            "NDJSON batches of 1,000: events (embedded)",
            "/s",
            better="high",
            must=Bound(40_000),
            aim=Bound(100_000),
            only=("hermes",),
        ),
        Figure(
            "publishing.batches_redis",
            "NDJSON batches of 1,000: events (Redis)",
            "/s",
            better="high",
            must=Bound(25_000),
            aim=Bound(100_000),
            only=("hermes-redis",),
        ),
    )
    servers = ("hermes", "hermes-redis", "nchan")

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        with Publisher(server.port, CONNECTIONS) as publisher:
            figures = {"publishing.single": _rate(publisher, server, 1, scale.events(SINGLE))}
            if server.name in OWN:
                figures[KEYS[server.name]] = _rate(publisher, server, BATCH, scale.events(BATCHES))
        return figures


def _rate(publisher: Publisher, server: Server, batch: int, count: int) -> float:
    """Events per second of `count` requests with `batch` events each."""
    (request,) = server.requests(CHANNEL, [text()] * batch)
    publisher.flood(request, min(count, 2 * CONNECTIONS))  # opens the connections, warms the server up
    return batch * count / publisher.flood(request, count)
