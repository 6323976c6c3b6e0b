"""A worker is killed, and Redis; who was there with them is not there any more, and nobody else is told to leave."""

import json
import os
import signal
import time

import pytest
import requests

from tests.faults.conftest import StartHermes, StartRedis
from tests.integration.people import ENV, stream_of
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault, pytest.mark.beside]

PRESENCE = {**ENV, "HERMES_PRESENCE_CHANNELS": "room:*"}
WITHIN = 30.0


def there(hermes: HermesServer) -> set[str]:
    try:
        answer = hermes.get("/api/v1/channels/room:1/presence")
    except requests.ConnectionError:
        return set()  # this connection was the killed worker's
    return {entry["user_id"] for entry in answer.json().get("items", ())}


def moves(client: StandardClient) -> list[str]:
    signs = {"presence_join": "+", "presence_leave": "-"}
    return [
        signs[str(frame["event"])] + json.loads(frame["data"])["user_id"]
        for frame in client.frames
        if frame["event"] in signs and not frame["retained"]
    ]


def watching(hermes: HermesServer) -> StandardClient:
    url = stream_url(hermes, ["presence:room:1"])
    return StandardClient(url, headers=hermes.headers).open().start()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_workers_people_leave(start_hermes: StartHermes, redis_url: str, victim: int) -> None:
    """Whether it is the one that tells or not."""
    servers = [start_hermes(redis_url=redis_url, env=PRESENCE)]
    servers.append(start_hermes(servers[0].data_dir, redis_url=redis_url, env=PRESENCE))
    killed, other = servers[victim], servers[1 - victim]
    clients = [stream_of(killed, f"gone{number}", "room:1") for number in range(5)]
    stays = stream_of(other, "stays", "room:1").start()
    watcher = watching(other)
    wait_until(lambda: len(there(other)) == 6)
    begun = time.monotonic()
    killed.kill9()
    for client in clients:
        client.close()
    wait_until(lambda: there(other) == {"stays"}, timeout=WITHIN)
    print(f"left {time.monotonic() - begun:.1f} s after the kill")
    wait_until(lambda: sorted(moves(watcher)[-5:]) == [f"-gone{number}" for number in range(5)])
    assert "-stays" not in moves(watcher)
    for client in (stays, watcher):
        client.close()


@pytest.mark.timeout(120)
def test_clients_of_a_killed_worker_that_come_back_never_left(start_hermes: StartHermes, redis_url: str) -> None:
    hermes = start_hermes(workers=2, redis_url=redis_url, env={**PRESENCE, "HERMES_PRESENCE_GRACE": "8"})
    clients = [stream_of(hermes, f"u{number}", "room:1").start() for number in range(10)]
    watcher = watching(hermes)
    wait_until(lambda: len(there(hermes)) == 10)
    os.kill(hermes.worker_pids()[0], signal.SIGKILL)
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        wait_until(lambda: len(there(hermes)) == 10, timeout=1)
        time.sleep(0.5)
    assert [move for move in moves(watcher) if move.startswith("-")] == []
    for client in [*clients, watcher]:
        client.close()


@pytest.mark.timeout(120)
def test_redis_comes_back_without_its_memory(start_hermes: StartHermes, start_redis: StartRedis) -> None:
    redis = start_redis()
    first = start_hermes(redis_url=redis.url, env=PRESENCE)
    second = start_hermes(first.data_dir, redis_url=redis.url, env=PRESENCE)
    clients = [stream_of(server, f"u{number}", "room:1").start() for server in (first, second) for number in range(3)]
    bob = stream_of(second, "bob", "room:1").start()
    wait_until(lambda: len(there(first)) == 4)
    redis.kill9()
    bob.close()
    redis.restart(keep_data=False)
    wait_until(lambda: there(first) == {"u0", "u1", "u2"}, timeout=WITHIN)
    watcher = watching(first)
    watcher_began = time.monotonic()
    wait_until(lambda: time.monotonic() - watcher_began > 8, timeout=10)
    assert [move for move in moves(watcher) if move.startswith("-")] == []
    for client in [*clients, watcher]:
        client.close()
