"""Scenario 24: limits trip where they are set, forged addresses win nothing, and counts return to 0 whoever dies."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hermes.fleet.base import SILENCE
from tests.support.hermes_server import HermesServer
from tests.support.http_response import Body, Head
from tests.support.ports import LOOPBACK
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

StartHermes = Callable[..., HermesServer]
StartRedis = Callable[..., RedisServer]

PATH = "/api/v1/events/stream?channels=public:a"
EXCHANGED = 5.0  # seconds by which every process has surely heard of the others
SURE = 12  # attempts that reach every worker, as good as surely


class Streams:
    """Streams of strangers that are held open."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def __len__(self) -> int:
        return len(self._held)

    def attempt(self, hermes: HermesServer, **headers: str) -> str:
        """Opens one more and holds it: `open`, or the code of the refusal; names of headers with `_` for `-`."""
        named = {"Host": "hermes", "Accept": "text/event-stream, application/json", **headers}
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items()]
        link = socket.create_connection((LOOPBACK, hermes.port), timeout=15)
        link.sendall(f"GET {PATH} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        head, _, rest = _read_until(link, b"\r\n\r\n").partition(b"\r\n\r\n")
        answer = Head.parse(head)
        body = Body(answer)
        received = body.feed(rest)
        if answer.status == 200:
            while b"\n" not in received:
                received += body.feed(link.recv(65_536))
            assert received.startswith((b"event: connected", b":")), f"a stream, and no refusal as one: {received!r}"
            self._held.append(link)
            return "open"
        with link:
            while not body.is_complete:
                received += body.feed(link.recv(65_536))
        assert answer.headers["retry-after"]
        return str(json.loads(received)["error"]["code"])

    def drop(self, count: int | None = None) -> None:
        """Leaves so many, the oldest first, or all."""
        going = self._held[:count]
        del self._held[:count]
        for link in going:
            link.close()

    def forget_ended(self) -> int:
        """Takes out those that the server has ended; how many."""
        ended = [link for link in self._held if _is_over(link)]
        for link in ended:
            link.close()
            self._held.remove(link)
        return len(ended)


def _read_until(link: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        piece = link.recv(65_536)
        assert piece, received
        received += piece
    return received


def _is_over(link: socket.socket) -> bool:
    link.setblocking(False)
    try:
        while link.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@pytest.fixture
def streams() -> Iterator[Streams]:
    with ExitStack() as stack:
        held = Streams()
        stack.callback(held.drop)
        yield held


def limited(**settings: int) -> dict[str, str]:
    """The environment with these limits and no others."""
    off = dict.fromkeys(("MAX_CONNECTIONS_PER_CLIENT", "MAX_CONNECTIONS_PER_ADDRESS", "CONNECTS_PER_ADDRESS"), 0)
    values = off | {name.upper(): value for name, value in settings.items()}
    return {
        "HERMES_SYSTEM_INTERVAL": "0",
        "HERMES_SSE_HEARTBEAT_INTERVAL": "1",
        **{f"HERMES_{name}": str(value) for name, value in values.items()},
    }


@pytest.fixture(params=["embedded", "redis"])
def start(request: pytest.FixtureRequest, start_hermes: StartHermes, start_redis: StartRedis) -> Callable[..., Any]:
    """Starts one Hermes with limits, on each store: `start(max_connections_per_address=5)`."""

    def start_one(**settings: int) -> HermesServer:
        url = start_redis().url if request.param == "redis" else None
        return start_hermes(env=limited(**settings), redis_url=url)

    return start_one


def token(hermes: HermesServer, user: str) -> dict[str, str]:
    """Headers of a caller that is no administrator."""
    grants = {"user_id": user, "subscribe": ["public:*"], "publish": ["public:*"], "ttl": 600}
    answer = hermes.post("/api/v1/tokens", json=grants)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


# Where they are set, they trip


def test_24_streams_of_an_address(start: Callable[..., HermesServer], streams: Streams) -> None:
    hermes = start(max_connections_per_address=5)
    assert Counter(streams.attempt(hermes) for _ in range(9)) == {"open": 5, "MAX_CONNECTIONS": 4}
    assert streams.attempt(hermes, **hermes.headers) == "open", "administrators are not counted"
    streams.drop(2)
    wait_until(lambda: streams.attempt(hermes) == "open")


def test_24_streams_of_a_caller(start: Callable[..., HermesServer], streams: Streams) -> None:
    hermes = start(max_connections_per_client=3)
    ann, bob = token(hermes, "ann"), token(hermes, "bob")
    assert Counter(streams.attempt(hermes, **ann) for _ in range(5)) == {"open": 3, "MAX_CONNECTIONS": 2}
    assert streams.attempt(hermes, **bob) == "open"
    assert Counter(streams.attempt(hermes) for _ in range(5)) == {"open": 5}, "strangers are not one caller"


def test_24_connects_of_an_address(start: Callable[..., HermesServer], streams: Streams) -> None:
    hermes = start(connects_per_address=5)
    began = time.monotonic()
    got = Counter(streams.attempt(hermes) for _ in range(30))
    took = time.monotonic() - began
    assert 5 <= got["open"] <= 5 + 5 * took
    assert got["RATE_LIMITED"] == 30 - got["open"]
    wait_until(lambda: streams.attempt(hermes) == "open", 3)


def test_24_guessing(start: Callable[..., HermesServer], streams: Streams) -> None:
    hermes = start(connects_per_address=5)

    def guess(key: str) -> int:
        return hermes.get("/api/v1/events?channels=a", headers={"Authorization": f"Bearer {key}"}).status_code

    began = time.monotonic()
    got = Counter(guess(f"wrong-{number}-0123456789-0123456789-012") for number in range(60))
    took = time.monotonic() - began
    assert set(got) == {401, 429}
    assert got[401] <= 5 + 5 * took
    for number in range(20):
        guess(f"wrong-again-{number}-0123456789-0123456789")
    assert guess(hermes.key) == 429, "the right one is not told from the others"
    wait_until(lambda: guess(hermes.key) == 200, 5)


def test_24_publishing(start: Callable[..., HermesServer]) -> None:
    hermes = start(publish_rate=10, channel_rate=5000)
    ann, bob = token(hermes, "ann"), token(hermes, "bob")

    def publish(count: int, headers: dict[str, str], channel: str = "public:a") -> tuple[int, str]:
        answer = hermes.post("/api/v1/events", json=[{"channel": channel}] * count, headers=headers)
        return answer.status_code, "" if answer.ok else answer.json()["error"]["code"]

    assert publish(1000, ann) == (201, ""), "a whole batch, where nothing was before"
    assert publish(200, ann) == (429, "RATE_LIMITED")
    assert publish(200, bob) == (201, "")
    assert publish(200, hermes.headers) == (201, "")
    last = hermes.publish("public:a").rpartition("-")[2]
    assert int(last) == 1401, "nothing of what was refused is stored"
    wait_until(lambda: publish(1, ann) == (201, ""), 5)


def test_24_publishing_to_a_channel(start: Callable[..., HermesServer]) -> None:
    hermes = start(publish_rate=100_000, channel_rate=10)
    ann, bob = token(hermes, "ann"), token(hermes, "bob")
    batch = [{"channel": "public:a"}] * 1000
    assert hermes.post("/api/v1/events", json=batch, headers=ann).status_code == 201
    answer = hermes.post("/api/v1/events", json=[{"channel": "public:b"}, *batch[:200]], headers=bob)
    assert answer.status_code == 429
    assert "'public:a'" in answer.json()["error"]["message"]
    assert float(answer.headers["Retry-After"]) >= 1
    assert hermes.post("/api/v1/events", json={"channel": "public:b"}, headers=bob).status_code == 201


# Forged addresses


@pytest.mark.fault
def test_24_forged_addresses_of_an_undeclared_proxy(start: Callable[..., HermesServer], streams: Streams) -> None:
    """Nobody knows whose they are: no address is counted, and none of those that are named is locked out."""
    hermes = start(max_connections_per_address=5, connects_per_address=20, trusted_proxies=0)
    for number in range(1000):
        assert streams.attempt(hermes, X_Forwarded_For=f"10.9.{number // 250}.{number % 250}") == "open"
        streams.drop()
    assert streams.attempt(hermes) == "open", "without the header its own address counts"


@pytest.mark.fault
def test_24_forged_addresses_behind_a_proxy(start: Callable[..., HermesServer], streams: Streams) -> None:
    """What the proxy appended counts, whatever stands before it."""
    hermes = start(max_connections_per_address=5, trusted_proxies=1)
    forged = (f"10.9.{number // 250}.{number % 250}, 203.0.113.9" for number in range(1000))
    got = Counter(streams.attempt(hermes, X_Forwarded_For=header) for header in forged)
    assert got == {"open": 5, "MAX_CONNECTIONS": 995}
    streams.drop()
    own = Counter(
        streams.attempt(hermes, X_Forwarded_For=f"203.0.113.9, 10.9.{number // 250}.{number % 250}")
        for number in range(200)
    )
    assert own == {"open": 200}, "other addresses are others"
    assert hermes.get("/healthz").status_code == 200


# Nothing stays


@pytest.mark.fault
@pytest.mark.timeout(300)
def test_24_opening_and_closing_leaves_no_counts(
    start: Callable[..., HermesServer], streams: Streams, full: bool
) -> None:
    hermes = start(max_connections_per_address=40, max_connections_per_client=30)
    times = 10_000 if full else 600
    headers = token(hermes, "ann")

    def come_and_go(_number: int) -> None:
        one = Streams()
        one.attempt(hermes, **headers)
        one.drop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(times)))
    wait_until(lambda: hermes.get("/api/v1/events/health").json()["process"]["active_connections"] == 0)
    assert Counter(streams.attempt(hermes, **headers) for _ in range(35)) == {"open": 30, "MAX_CONNECTIONS": 5}
    assert Counter(streams.attempt(hermes) for _ in range(15)) == {"open": 10, "MAX_CONNECTIONS": 5}


@pytest.mark.fault
def test_24_over_all_processes(start_hermes: StartHermes, redis_url: str, streams: Streams, tmp_path: Path) -> None:
    options = {"env": limited(max_connections_per_address=10), "redis_url": redis_url, "data_dir": tmp_path / "shared"}
    one, two = start_hermes(**options), start_hermes(**options)
    assert Counter(streams.attempt(one) for _ in range(10)) == {"open": 10}

    def is_full(hermes: HermesServer) -> bool:
        probe = Streams()
        attempted = probe.attempt(hermes)
        probe.drop()
        return attempted == "MAX_CONNECTIONS"

    wait_until(lambda: is_full(two), EXCHANGED)
    streams.drop(4)
    wait_until(lambda: not is_full(two), EXCHANGED)
    assert Counter(streams.attempt(two) for _ in range(9))["open"] in (3, 4), "the attempt just now may still count"
    wait_until(lambda: is_full(one), EXCHANGED)


@pytest.mark.fault
@pytest.mark.timeout(180)
def test_24_a_killed_worker_leaves_no_counts(
    start_hermes: StartHermes, redis_server: RedisServer, redis_url: str, streams: Streams
) -> None:
    most = 24
    hermes = start_hermes(workers=2, redis_url=redis_url, env=limited(max_connections_per_address=most))
    assert Counter(streams.attempt(hermes) for _ in range(most)) == {"open": most}
    held = _all_have_heard(redis_server, most)
    busiest = max(held, key=lambda node: held[node])
    os.kill(int(re.split("[:-]", busiest)[-2]), signal.SIGKILL)
    killed = time.monotonic()
    ended = 0

    def are_ended() -> bool:
        nonlocal ended
        ended += streams.forget_ended()
        return ended == held[busiest]

    wait_until(are_ended)
    assert _refuses(hermes), "nobody can tell yet that they are gone"
    wait_until(lambda: streams.attempt(hermes) == "open", SILENCE + 2 - (time.monotonic() - killed))
    took = time.monotonic() - killed
    came_back = 1

    def are_all_free() -> bool:
        nonlocal came_back
        came_back += streams.attempt(hermes) == "open"
        return came_back == ended

    wait_until(are_all_free, EXCHANGED)
    print(f"scenario 24: {ended} of {most} streams died with their worker; their places were free after {took:.1f} s")
    wait_until(lambda: _refuses(hermes), EXCHANGED, "and no more than those")


def _all_have_heard(server: RedisServer, count: int) -> dict[str, int]:
    """Once so many streams were told, and every process has asked since: how many each node holds."""
    client = server.client

    def held() -> dict[str, int]:
        return {
            node: client.zcard(f"hermes:fleet:records:{node}") for node in client.zrange("hermes:fleet:nodes", 0, -1)
        }

    def calls() -> dict[str, int]:
        return {node: int(client.hget(f"hermes:fleet:node:{node}", "sequence")) for node in held()}

    wait_until(lambda: sum(held().values()) == count, EXCHANGED, lambda: str(held()))
    before = calls()
    wait_until(lambda: all(calls()[node] > before[node] for node in before), EXCHANGED)
    return held()


def _refuses(hermes: HermesServer) -> bool:
    """Whether all processes behind this port refuse one more."""
    probe = Streams()
    try:
        return all(probe.attempt(hermes) == "MAX_CONNECTIONS" for _ in range(SURE))
    finally:
        probe.drop()
