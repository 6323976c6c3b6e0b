"""The servers that are measured, one module each, by the names that the bench prints."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.servers.base import Server
from tests.benchmarks.servers.django_eventstream import DjangoEventstream
from tests.benchmarks.servers.floor import Floor
from tests.benchmarks.servers.hermes import Hermes, HermesRedis
from tests.benchmarks.servers.nchan import Nchan
from tests.benchmarks.servers.starlette import SseStarlette

SERVERS: Mapping[str, type[Server]] = {
    server.name: server for server in (Hermes, HermesRedis, Nchan, SseStarlette, DjangoEventstream, Floor)
}
