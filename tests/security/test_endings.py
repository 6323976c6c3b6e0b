"""Scenario 21: a stream ends with its credentials, within a second and once; who comes back with new ones loses nothing."""

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.ports import LOOPBACK
from tests.support.redis_server import RedisServer
from tests.support.sse_client import StandardClient, StreamStopped
from tests.support.wait import wait_until

STREAM = "/api/v1/events/stream?channels=news"
TTL = 3
IN_TIME = 1.0  # seconds from the end of the credentials to that of the stream
SLACK = 0.5  # that this test itself may take to notice

Start = Callable[..., HermesServer]
Pair = tuple[HermesServer, HermesServer]


@pytest.fixture(params=["embedded", "redis"])
def pair(
    request: pytest.FixtureRequest, start_hermes: Start, start_redis: Callable[..., RedisServer], tmp_path: Any
) -> Pair:
    """Where a right is taken away, and where its stream is: one process, or two on one Redis."""
    env = {"HERMES_SSE_RETRY": "0.2", "HERMES_SYSTEM_INTERVAL": "0"}
    if request.param == "embedded":
        server = start_hermes(env=env)
        return server, server
    options = {"redis_url": start_redis().url, "data_dir": tmp_path / "shared", "env": env}
    return start_hermes(**options), start_hermes(**options)


def minted(hermes: HermesServer, ttl: int = 600, headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = hermes.post(
        "/api/v1/tokens", json={"user_id": "7", "subscribe": ["news"], "ttl": ttl}, headers=headers or hermes.headers
    )
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def opened(hermes: HermesServer, token: str, **options: Any) -> StandardClient:
    client = StandardClient(stream_url(hermes, ("news",)), headers=bearing(token), **options)
    client.read_until(lambda frame: frame["event"] == "heartbeat")
    return client


def ending(client: StandardClient) -> dict[str, Any]:
    """The data of the `close` frame that ends a stream, after which nothing may come."""
    *_, last = client.read_until(lambda frame: frame["event"] == "close")
    data: dict[str, Any] = json.loads(last["data"])
    return data


def test_a_stream_ends_with_its_token(pair: Pair) -> None:
    _, hermes = pair
    token = minted(hermes, TTL)["token"]
    begun = time.monotonic()
    with opened(hermes, token, reconnect=False) as client:
        assert ending(client) == {"reason": "expired", "reconnect": True}
        assert TTL - 1 <= time.monotonic() - begun <= TTL + IN_TIME + SLACK
        hermes.publish("news", "after")
        client.read_for(0.5)
        assert client.frames[-1]["event"] == "close"


def test_an_expired_token_makes_no_loop(pair: Pair) -> None:
    _, hermes = pair
    token = minted(hermes, TTL)["token"]
    with StandardClient(stream_url(hermes, ("news",), token=token)) as client:
        with pytest.raises(StreamStopped) as stopped:
            client.read_until(lambda _: False, timeout=TTL + 10)
        assert stopped.value.status == 401
        assert client.opened <= 2


@pytest.mark.parametrize("busy", [False, True])
def test_a_revoked_token_ends_its_stream(pair: Pair, busy: bool) -> None:
    here, there = pair
    made, other = minted(here), minted(here)
    with opened(there, made["token"]) as client, opened(there, other["token"]) as untouched:
        stop = threading.Event()
        publisher = threading.Thread(target=keep_publishing, args=(there, stop))
        if busy:
            publisher.start()
        try:
            begun = time.monotonic()
            assert here.request("DELETE", f"/api/v1/tokens/{made['jti']}").status_code == 204
            assert ending(client) == {"reason": "revoked", "reconnect": False}
            assert time.monotonic() - begun <= IN_TIME + SLACK
        finally:
            stop.set()
            if busy:
                publisher.join()
        with pytest.raises(StreamStopped) as stopped:
            client.read_until(lambda _: False)
        assert stopped.value.status == 401
        there.publish("news", "goes on")
        untouched.read_until(lambda frame: frame["data"] == '"goes on"')


def keep_publishing(hermes: HermesServer, stop: threading.Event) -> None:
    for number in itertools.count():
        if stop.is_set():
            return
        hermes.publish("news", number)


def test_signing_out_ends_the_sessions_streams(pair: Pair) -> None:
    here, there = pair
    signed_in = requests.post(f"{here.url}/dashboard/signin", data={"key": here.key}, allow_redirects=False, timeout=10)
    cookie = {"Cookie": f"hermes_session={signed_in.cookies['hermes_session']}"}
    with StandardClient(stream_url(there, ("news",)), headers=cookie) as client:
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        begun = time.monotonic()
        requests.post(f"{here.url}/dashboard/signout", headers={**cookie, "Origin": here.url}, timeout=10)
        assert ending(client) == {"reason": "revoked", "reconnect": False}
        assert time.monotonic() - begun <= IN_TIME + SLACK
    assert requests.get(f"{there.url}/api/v1/keys", headers=cookie, timeout=10).status_code == 401


def test_a_revoked_key_ends_its_streams_and_those_of_its_tokens(pair: Pair) -> None:
    here, there = pair
    key = here.post("/api/v1/keys", json={"name": "app", "subscribe": ["news", "user:*"], "tokens": True}).json()
    token = minted(here, headers=bearing(key["key"]))["token"]
    with opened(there, token, reconnect=False) as by_token, opened(there, key["key"], reconnect=False) as by_key:
        begun = time.monotonic()
        assert here.request("DELETE", f"/api/v1/keys/{key['id']}").status_code == 204
        assert ending(by_token)["reason"] == "revoked"
        assert ending(by_key)["reason"] == "revoked"
        assert time.monotonic() - begun <= IN_TIME + SLACK
    for credentials in (token, key["key"]):
        assert there.get("/api/v1/events?channels=news", headers=bearing(credentials)).status_code == 401


@pytest.mark.parametrize("direct", ["true", "false"], ids=["direct", "portable"])
@pytest.mark.parametrize("end", ["revoked", "expired", "kicked"])
def test_a_client_that_takes_nothing_is_not_waited_for(start_hermes: Start, end: str, direct: str) -> None:
    """Its stream ends in time, although the frame that says so does not get through."""
    hermes = start_hermes(env={"HERMES_SYSTEM_INTERVAL": "0", "HERMES_DIRECT_LANE": direct})
    made = minted(hermes, TTL if end == "expired" else 600)
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect((LOOPBACK, hermes.port))
        link.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: a\r\nX-API-Key: {made['token']}\r\n\r\n".encode())
        wait_until(lambda: open_streams(hermes) == 1)
        hermes.post("/api/v1/events", json=[{"channel": "news", "data": "x" * 50_000}] * 20)
        if end == "expired":
            wait_until(lambda: open_streams(hermes) == 0, TTL + 1 + IN_TIME + SLACK)
        else:
            path = f"/api/v1/tokens/{made['jti']}" if end == "revoked" else "/api/v1/users/7/connections"
            assert hermes.request("DELETE", path).status_code in (200, 204)
            wait_until(lambda: open_streams(hermes) == 0, IN_TIME + SLACK)


def open_streams(hermes: HermesServer) -> int:
    count: int = hermes.get("/api/v1/events/health").json()["process"]["active_connections"]
    return count


class LongPoll:
    """A long poll of `news` that waits, in a thread of its own: what came, and after how many seconds."""

    def __init__(self, hermes: HermesServer, credentials: str, path: str) -> None:
        headers = bearing(credentials)
        cursor = hermes.get("/api/v1/events?channels=news", headers=headers).json()["cursor"]
        name = "last_event_id" if "poll=1" in path else "after"
        self._url = f"{hermes.url}{path}&channels=news&wait=20&{name}={cursor}"
        self._thread = threading.Thread(target=self._ask, args=(headers,))
        self._thread.start()
        time.sleep(0.3)

    def _ask(self, headers: dict[str, str]) -> None:
        began = time.monotonic()
        self._answer = requests.get(self._url, headers=headers, timeout=30)
        self.took = time.monotonic() - began

    def answer(self) -> requests.Response:
        self._thread.join(30)
        return self._answer


@pytest.mark.parametrize("path", ["/api/v1/events?", "/api/v1/events/stream?poll=1"])
def test_a_long_poll_ends_with_its_token(pair: Pair, path: str) -> None:
    _, hermes = pair
    poll = LongPoll(hermes, minted(hermes, TTL)["token"], path)
    time.sleep(TTL + 1)  # tokens end at a full second
    hermes.publish("news", "after")
    answer = poll.answer()
    assert (answer.status_code, "after" in answer.text) == (401, False)
    assert poll.took <= TTL + IN_TIME + SLACK


@pytest.mark.parametrize("path", ["/api/v1/events?", "/api/v1/events/stream?poll=1"])
def test_a_revocation_ends_long_polls(pair: Pair, path: str) -> None:
    here, there = pair
    key = here.post("/api/v1/keys", json={"name": "app", "subscribe": ["news", "user:*"], "tokens": True}).json()
    made, of_key = minted(here), minted(here, headers=bearing(key["key"]))
    polls = [LongPoll(there, credentials, path) for credentials in (made["token"], of_key["token"], key["key"])]
    untouched = LongPoll(there, minted(here)["token"], path)
    begun = time.monotonic()
    assert here.request("DELETE", f"/api/v1/tokens/{made['jti']}").status_code == 204
    assert here.request("DELETE", f"/api/v1/keys/{key['id']}").status_code == 204
    assert [poll.answer().status_code for poll in polls] == [401, 401, 401]
    assert time.monotonic() - begun <= IN_TIME + SLACK
    there.publish("news", "goes on")
    assert [event["data"] for event in untouched.answer().json()["events"]] == ["goes on"]


def test_a_revocation_outlives_a_restart(start_hermes: Start) -> None:
    hermes = start_hermes()
    made = minted(hermes)
    assert hermes.request("DELETE", f"/api/v1/tokens/{made['jti']}").status_code == 204
    hermes.restart()
    assert hermes.get("/api/v1/events?channels=news", headers=bearing(made["token"])).status_code == 401


def test_a_new_token_goes_on_where_the_old_one_ended(pair: Pair) -> None:
    """What hermes.js does: at each end it asks for a token and comes back with its cursor."""
    here, there = pair
    stop, published = threading.Event(), []

    def publish() -> None:
        for number in itertools.count():
            if stop.wait(0.01):
                return
            here.publish("news", number)
            published.append(number)

    publisher = threading.Thread(target=publish)
    received, cursor = [], ""
    with opened(there, minted(here)["token"]) as client:
        cursor = client.last_event_id
    publisher.start()
    try:
        for _ in range(3):
            url = stream_url(there, ("news",))
            headers = bearing(minted(here, 2)["token"])
            with StandardClient(url, headers=headers, last_event_id=cursor, reconnect=False) as client:
                frames = client.read_until(lambda frame: frame["event"] == "close")
                received += [json.loads(frame["data"]) for frame in frames if frame["event"] == "message"]
                cursor = client.last_event_id
    finally:
        stop.set()
        publisher.join()
    assert received == published[: len(received)]
    assert len(received) > 100
