"""Presence, on the embedded store and with two processes on one Redis."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.integration.conftest import StartHermes, StartRedis, code, opened
from tests.integration.people import ENV, as_user, stream_of
from tests.support.event_parser import Frame
from tests.support.hermes_server import HermesServer
from tests.support.sse_client import StandardClient
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

GRACE = 2.0
PRESENCE = {**ENV, "HERMES_PRESENCE_CHANNELS": "room:*,user:*", "HERMES_PRESENCE_GRACE": str(GRACE)}
Pair = tuple[HermesServer, HermesServer]


@pytest.fixture(params=["embedded", "redis"])
def pair(request: pytest.FixtureRequest, start_hermes: StartHermes, start_redis: StartRedis, tmp_path: Path) -> Pair:
    """One process, or two on one Redis."""
    if request.param == "embedded":
        server = start_hermes(env=PRESENCE)
        return server, server
    redis, shared = start_redis(), tmp_path / "shared"
    first, second = (start_hermes(shared, redis_url=redis.url, env=PRESENCE) for _ in range(2))
    return first, second


@pytest.fixture(scope="module")
def one() -> Iterator[HermesServer]:
    """A server for all tests that only use it, each in rooms of its own."""
    with HermesServer(env=PRESENCE) as server:
        yield server


def there(hermes: HermesServer, channel: str) -> list[str]:
    answer = hermes.get(f"/api/v1/channels/{quote(channel, safe='')}/presence")
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["items"])
    return [entry["user_id"] for entry in answer.json()["items"]]


def told(frames: list[Frame]) -> list[str]:
    """`+ann`, `-ann`, and `~ann` for who was there already."""
    signs = {"presence_join": "+", "presence_leave": "-"}
    moves = [frame for frame in frames if frame["event"] in signs]
    return [
        ("~" if frame["retained"] else signs[str(frame["event"])]) + json.loads(frame["data"])["user_id"]
        for frame in moves
    ]


def is_told(what: str) -> Callable[[Frame], bool]:
    return lambda frame: told([frame]) == [what]


@pytest.mark.timeout(120)
def test_who_is_there_joins_and_leaves(pair: Pair) -> None:
    here, elsewhere = pair
    with opened(elsewhere, "presence:room:1") as watcher:
        ann = stream_of(here, "ann", "room:1")
        watcher.read_until(is_told("+ann"))
        bob, again = stream_of(elsewhere, "bob", "room:1", "room:2"), stream_of(elsewhere, "ann", "room:1")
        watcher.read_until(is_told("+bob"))
        wait_until(lambda: there(here, "room:2") == ["bob"])
        assert there(elsewhere, "room:1") == ["ann", "bob"]
        with opened(here, "presence:room:1") as late:
            assert sorted(told(late.frames)) == ["~ann", "~bob"]
        ann.close()
        bob.close()
        watcher.read_until(is_told("-bob"))
        assert there(here, "room:1") == ["ann"], "her other tab is open"
        again.close()
        watcher.read_until(is_told("-ann"))
        assert told(watcher.frames) == ["+ann", "+bob", "-bob", "-ann"]
    assert there(here, "room:1") == []


def test_a_reload_is_no_leave(pair: Pair) -> None:
    here, elsewhere = pair
    with opened(elsewhere, "presence:room:1") as watcher:
        ann = stream_of(here, "ann", "room:1")
        watcher.read_until(is_told("+ann"))
        ann.close()
        ann = stream_of(elsewhere, "ann", "room:1")
        watcher.read_for(GRACE + 4)
        assert told(watcher.frames) == ["+ann"]
        ann.close()


def test_the_types_of_presence_alone(one: HermesServer) -> None:
    """What takes a user out of the retained state bothers nobody who asked for joins and leaves."""
    types = "presence_join,presence_leave"
    with opened(one, "presence:room:types", types=types) as watcher, opened(one, "presence:room:types") as whole:
        with stream_of(one, "ann", "room:types"):
            watcher.read_until(is_told("+ann"))
        for client in (watcher, whole):
            client.read_until(is_told("-ann"))
        whole.read_until(lambda frame: frame["event"] == "hermes.removed")
        watcher.read_for(0.5)
    kinds = [frame["event"] for frame in watcher.frames if frame["event"] not in ("connected", "heartbeat")]
    assert kinds == ["presence_join", "presence_leave"]


def test_who_is_nobody(one: HermesServer) -> None:
    clients = [
        opened(one, "room:nobody"),  # a key
        StandardClient(f"{one.url}/api/v1/events/stream?channels=public:x").open(),  # nobody knows whom
        stream_of(one, "watcher", "room:*"),
        stream_of(one, "elsewhere", "lobby"),
    ]
    ann = stream_of(one, "ann", "room:nobody")
    wait_until(lambda: there(one, "room:nobody") == ["ann"])
    for client in [*clients, ann]:
        client.close()


def test_who_may_know(one: HermesServer) -> None:
    path = "/api/v1/channels/room:know/presence"
    allowed = as_user(one, "bob", "GET", path, "presence:room:*")
    assert (allowed.status_code, allowed.json()) == (200, {"items": [], "next": None, "count": 0})
    refused = as_user(one, "bob", "GET", path, "room:*", "*")
    assert code(refused) == (403, "FORBIDDEN")
    assert refused.json()["error"]["details"] == {"channels": ["presence:room:know"]}
    assert code(requests.get(one.url + path, timeout=5)) == (403, "FORBIDDEN")
    assert code(one.get("/api/v1/channels/lobby/presence")) == (404, "NOT_FOUND")
    assert code(one.get("/api/v1/channels/hermes:status/presence")) == (404, "NOT_FOUND")
    assert code(as_user(one, "bob", "GET", "/api/v1/channels/lobby/presence", "lobby")) == (403, "FORBIDDEN")
    assert code(one.get("/api/v1/channels/with%20space/presence")) == (400, "INVALID_INPUT")
    for query in ("limit=0", "limit=x", "other=1", "after=" + "x" * 300):
        assert code(one.get(f"{path}?{query}")) == (400, "INVALID_INPUT")


@pytest.mark.parametrize(
    "channel", ["room:a/b", "room:100%", "room:/presence", "room:é//x", "room:..", "room:%2F", "user:/"]
)
def test_names_with_slashes_and_percents(one: HermesServer, channel: str) -> None:
    ann = stream_of(one, "ann/%2F é".replace(" ", "-"), channel, "room:a")
    wait_until(lambda: there(one, channel) == ["ann/%2F-é"])
    assert there(one, "room:b") == []
    ann.close()


def test_pages(one: HermesServer) -> None:
    clients = [stream_of(one, f"u{number}", "room:pages") for number in range(5)]
    wait_until(lambda: len(there(one, "room:pages")) == 5)
    path = "/api/v1/channels/room:pages/presence?limit=2"
    found, after = [], ""
    while after is not None:
        page = one.get(path, params={"after": after}).json()
        assert len(page["items"]) <= 2
        found += [entry["user_id"] for entry in page["items"]]
        after = page["next"]
    assert found == [f"u{number}" for number in range(5)]
    for client in clients:
        client.close()


def test_after_a_restart_who_is_gone_leaves(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env=PRESENCE)
    ann, bob = (stream_of(hermes, name, "room:1") for name in ("ann", "bob"))
    wait_until(lambda: len(there(hermes, "room:1")) == 2)
    bob.close()
    hermes.kill9()
    hermes.start()
    ann.read_until(lambda frame: frame["event"] == "connected")
    wait_until(lambda: there(hermes, "room:1") == ["ann"], timeout=20)
    ann.close()
