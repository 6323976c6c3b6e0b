"""What the tests against live servers share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.redis_server import RedisServer
from tests.support.sse_client import StandardClient

StartHermes = Callable[..., HermesServer]
StartRedis = Callable[..., RedisServer]


@pytest.fixture(scope="module")
def hermes() -> Iterator[HermesServer]:
    """One server on the embedded store for all tests of a module that only use it; its sources are quiet."""
    with HermesServer(env={"HERMES_SYSTEM_INTERVAL": "0", "HERMES_SSE_HEARTBEAT_INTERVAL": "1"}) as server:
        yield server


def opened(hermes: HermesServer, *channels: str, cursor: str = "", **query: str) -> StandardClient:
    """A client whose opening is over; its frames are in `frames`."""
    client = StandardClient(stream_url(hermes, channels, **query), headers=hermes.headers, last_event_id=cursor)
    client.read_until(lambda frame: frame["event"] == "heartbeat")
    return client


def here(hermes: HermesServer) -> int:
    """Open streams of this process."""
    count: int = hermes.get("/api/v1/events/health").json()["process"]["active_connections"]
    return count


def code(answer: Any) -> tuple[int, str]:
    """Status and error code, in the one shape of errors."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert isinstance(error["message"], str)
    return answer.status_code, error["code"]
