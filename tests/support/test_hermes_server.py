"""The real server in the tests' hands: it comes up, takes an event, streams it, and survives what is done to it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.hermes_server import HermesServer
from tests.support.oracle import Oracle
from tests.support.redis_server import RedisServer
from tests.support.sse_client import StandardClient
from tests.support.wait import wait_until

pytestmark = pytest.mark.live
Start = Callable[..., HermesServer]


def stream(hermes: HermesServer, *channels: str) -> str:
    return f"{hermes.url}/api/v1/events/stream?channels={','.join(channels)}"


def test_an_event_reaches_a_standard_client(start_hermes: Start) -> None:
    hermes = start_hermes()
    oracle = Oracle()
    with StandardClient(stream(hermes, "a"), headers=hermes.headers, on_frame=oracle.observer("c")) as client:
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        oracle.watch("c", ["a"])
        for _ in range(3):
            payload = oracle.issue("a")
            hermes.publish("a", payload, type="tick")
            oracle.acknowledge(payload)
        client.read_until(lambda _: oracle.missing() == 0)
        oracle.verdict().check("three events")


def test_its_lives(start_hermes: Start, tmp_path: Path) -> None:
    hermes = start_hermes(tmp_path / "data")
    identifier = hermes.publish("a", 1)
    (worker,) = hermes.worker_pids()
    assert hermes.kill9_workers() == [worker]
    wait_until(lambda: hermes.worker_pids() not in ([], [worker]) and hermes.is_ready(), 20)
    assert hermes.stop() == 0
    assert not hermes.is_ready()
    hermes.restart()
    assert [event["id"] for event in hermes.get("/api/v1/events?channels=a&after=earliest").json()["events"]] == [
        identifier
    ]
    hermes.kill9()
    hermes.restart()
    (worker,) = hermes.worker_pids()
    hermes.hup()
    wait_until(lambda: len(hermes.worker_pids()) == 1 and hermes.worker_pids() != [worker], 40)
    hermes.wait_ready()


def test_two_workers_on_redis(start_hermes: Start, redis_url: str, redis_server: RedisServer) -> None:
    hermes = start_hermes(workers=2, redis_url=redis_url)
    assert len(hermes.worker_pids()) == 2
    hermes.publish("a", 1)
    assert redis_server.client.dbsize() > 0
