"""Who is connected, over all processes; ending and reaching single streams; what `hermes:connections` tells."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.conftest import StartHermes, StartRedis, code, opened
from tests.integration.people import ENV, as_user, connection_of, stream_of
from tests.support.event_parser import Frame
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/connections"
Pair = tuple[HermesServer, HermesServer]


@pytest.fixture(scope="module", params=["embedded", "redis"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One process, or two on one Redis, for all tests of this module."""
    folder: Path = tmp_path_factory.mktemp("pair") / "shared"
    if request.param == "embedded":
        with HermesServer(folder, env=ENV) as server:
            yield server, server
        return
    redis = request.getfixturevalue("redis_server")
    redis.empty()
    with (
        HermesServer(folder, redis_url=redis.url, env=ENV) as first,
        HermesServer(folder, redis_url=redis.url, env=ENV) as second,
    ):
        yield first, second


def listed(hermes: HermesServer, **query: Any) -> list[dict[str, Any]]:
    answer = hermes.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(hermes: HermesServer, **query: Any) -> set[str]:
    return {item["connection_id"] for item in listed(hermes, **query)}


def is_end(frame: Frame) -> bool:
    return frame["event"] == "close"


def test_the_list(pair: Pair) -> None:
    here, elsewhere = pair
    ann, bob = stream_of(here, "ann", "a", "b*"), stream_of(elsewhere, "bob", "a", types="tick")
    both = {connection_of(ann), connection_of(bob)}
    for server in pair:
        wait_until(lambda server=server: ids(server) == both)  # type: ignore[misc]
    last = here.publish("a", 1, type="tick")
    for client in (ann, bob):
        client.read_until(lambda frame: frame["id"] == last)
    (item,) = listed(here, user="bob")
    assert item == {
        "connection_id": connection_of(bob),
        "user_id": "bob",
        "principal": item["principal"],
        "address": "127.0.0.1",
        "channels": ["a", "user:bob"],
        "types": ["tick"],
        "filters": None,
        "connected_at": item["connected_at"],
        "last_event_id": last,
        "node": item["node"],
        "lag": 0,
        "queued": 0,
    }
    assert ids(here, channel="b7") == {connection_of(ann)}
    assert ids(here, channel="a") == both
    assert connection_of(bob) in ids(here, node=item["node"])
    assert ids(here, user="eve") == set()
    first = here.get(PATH, params={"limit": 1}).json()
    second = here.get(PATH, params={"limit": 1, "after": first["next"]}).json()
    assert {page["items"][0]["connection_id"] for page in (first, second)} == both
    for client in (ann, bob):
        client.close()
    for server in pair:
        wait_until(lambda server=server: ids(server) == set())  # type: ignore[misc]


def test_one(pair: Pair) -> None:
    here, elsewhere = pair
    filters = json.dumps({"n": {"gte": 3}})
    with stream_of(elsewhere, "ann", "a", filters=filters) as ann:
        found = here.get(f"{PATH}/{connection_of(ann)}").json()  # at once: it has no record yet
        assert (found["user_id"], found["filters"], found["lag"]) == ("ann", {"n": {"gte": 3}}, 0)
    wait_until(lambda: here.get(f"{PATH}/{connection_of(ann)}").status_code == 404)
    assert code(here.get(f"{PATH}/nobody")) == (404, "NOT_FOUND")


def test_one_is_ended_wherever_it_is(pair: Pair) -> None:
    here, elsewhere = pair
    ann, bob = stream_of(elsewhere, "ann", "a"), stream_of(elsewhere, "bob", "a")
    answer = here.request("DELETE", f"{PATH}/{connection_of(ann)}")
    assert (answer.status_code, answer.content) == (204, b"")
    close = ann.read_until(is_end)[-1]
    assert json.loads(close["data"]) == {"reason": "kicked", "reconnect": False}
    wait_until(lambda: here.request("DELETE", f"{PATH}/{connection_of(ann)}").status_code == 404)
    here.publish("a", 1)
    assert bob.read_until(lambda frame: frame["event"] == "message")
    bob.close()
    ann.close()


def test_all_of_a_user_are_ended(pair: Pair) -> None:
    here, elsewhere = pair
    anns = [stream_of(server, "ann/1", "a") for server in (here, elsewhere, elsewhere)]
    bob = stream_of(elsewhere, "bob", "a")
    answer = here.request("DELETE", "/api/v1/users/ann%2F1/connections")
    assert (answer.status_code, answer.json()) == (200, {"connections": 3})
    for client in anns:
        assert json.loads(client.read_until(is_end)[-1]["data"])["reconnect"] is False
        client.close()
    wait_until(lambda: here.request("DELETE", "/api/v1/users/ann%2F1/connections").json() == {"connections": 0})
    assert bob.state == "open"
    bob.close()
    assert code(here.request("DELETE", "/api/v1/users/with%20space/connections")) == (400, "INVALID_INPUT")


def test_sent_to_one_stream(pair: Pair) -> None:
    here, elsewhere = pair
    ann, other = stream_of(elsewhere, "ann", "a"), stream_of(elsewhere, "ann", "a")
    sent = here.post(f"{PATH}/{connection_of(ann)}/events", json={"type": "hello", "data": {"n": 1}})
    assert (sent.status_code, sent.json()) == (200, {"delivered": True})
    frame = ann.read_until(lambda frame: frame["event"] == "hello")[-1]
    assert (json.loads(frame["data"]), frame["id"], frame["channel"]) == ({"n": 1}, None, None)
    last = here.publish("a", 2)
    for client in (ann, other):
        client.read_until(lambda frame: frame["id"] == last)
    assert "hello" not in [frame["event"] for frame in other.frames]
    for client in (ann, other):
        client.close()
    wait_until(lambda: not here.post(f"{PATH}/{connection_of(ann)}/events", json={"data": 1}).json()["delivered"])
    assert here.post(f"{PATH}/nobody/events", json={"data": 1}).json() == {"delivered": False}


def test_in_an_envelope_and_on_the_other_lane(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env={**ENV, "HERMES_DIRECT_LANE": "false"})
    with stream_of(hermes, "ann", "a", envelope="1") as ann:
        assert hermes.post(f"{PATH}/{connection_of(ann)}/events", json={"type": "hello", "data": 7}).json()["delivered"]
        said = json.loads(ann.read_until(lambda frame: frame["event"] == "hello")[-1]["data"])
        assert (said["id"], said["channel"], said["type"], said["data"]) == (None, None, "hello", 7)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "a", "data": 1}, "channel"),
        ({"key": "a"}, "key"),
        ({"type": "connected"}, "type"),
        ({"type": "a b"}, "type"),
        ({"data": "x" * 66_000}, "data"),
        ([{"data": 1}], "body"),
        ("text", "body"),
    ],
)
def test_what_cannot_be_sent(pair: Pair, body: Any, field: str) -> None:
    answer = pair[0].post(f"{PATH}/nobody/events", json=body)
    assert code(answer) == (400, "INVALID_INPUT")
    assert answer.json()["error"]["details"][0]["field"] == field


def test_published_to_a_user(pair: Pair) -> None:
    here, elsewhere = pair
    anns = [stream_of(server, "ann", "a") for server in pair]
    bob = stream_of(elsewhere, "bob", "a")
    answer = here.post("/api/v1/users/ann/events", json={"type": "hello", "data": 1})
    assert answer.status_code == 201
    for client in anns:
        frame = client.read_until(lambda frame: frame["event"] == "hello")[-1]
        assert (frame["channel"], frame["id"]) == ("user:ann", answer.json()["id"])
        client.close()
    last = here.publish("a", 2)
    bob.read_until(lambda frame: frame["id"] == last)
    assert "hello" not in [frame["event"] for frame in bob.frames]
    bob.close()


def test_who_may_publish_to_a_user(pair: Pair) -> None:
    here = pair[0]
    path = "/api/v1/users/ann/events"
    assert as_user(here, "bob", "POST", path, publish=["user:*"], json={"data": 1}).status_code == 201
    assert as_user(here, "bob", "POST", path, publish=["user:ann"], json=[{"data": 1}]).status_code == 201
    refused = as_user(here, "ann", "POST", path, "user:*", publish=["*"], json={"data": 1})
    assert code(refused) == (403, "FORBIDDEN")
    assert refused.json()["error"]["details"] == {"channels": ["user:ann"]}
    assert code(requests.post(here.url + path, json={"data": 1}, timeout=5))[0] == 401
    for body, index in (({"channel": "b", "data": 1}, None), ([{"data": 1}, {"channels": ["b"]}], 1)):
        answer = here.post(path, json=body)
        assert code(answer) == (400, "INVALID_INPUT")
        assert answer.json()["error"]["details"][0].get("index") == index
    for user in ("a%20b", "a%2Cb", "a*", "x" * 260):
        assert code(here.post(f"/api/v1/users/{user}/events", json={"data": 1})) == (400, "INVALID_INPUT")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PATH),
        ("GET", f"{PATH}/x"),
        ("DELETE", f"{PATH}/x"),
        ("POST", f"{PATH}/x/events"),
        ("DELETE", "/api/v1/users/x/connections"),
    ],
)
def test_for_administrators_alone(pair: Pair, method: str, path: str) -> None:
    assert code(as_user(pair[0], "ann", method, path, "*", publish=["*"], json={}))[0] == 403
    assert code(requests.request(method, pair[0].url + path, json={}, timeout=5))[0] == 401


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "page=2", "user=" + "x" * 300, "after=" + "x" * 300]
)
def test_bad_queries(pair: Pair, query: str) -> None:
    assert code(pair[0].get(f"{PATH}?{query}")) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("text", ["%00", "%ff", "%F0%9F%98%80", "%5B", "%28x", "..%2F", "-", "%C2%85"])
def test_odd_ids(pair: Pair, text: str) -> None:
    assert pair[0].get(f"{PATH}?after={text}").status_code == 200
    assert code(pair[0].get(f"{PATH}/{text}"))[0] == 404
    assert code(pair[0].request("DELETE", f"{PATH}/{text}"))[0] == 404
    assert listed(pair[0], user=text, node=text, channel=text) == []


def test_joins_and_leaves_of_clients(pair: Pair) -> None:
    here, elsewhere = pair
    with opened(here, "hermes:connections") as watcher:
        watcher.read_until(
            lambda frame: frame["event"] == "client_connected"
        )  # itself; soon everybody knows that it watches
        watcher.read_for(2.5)
        ann = stream_of(elsewhere, "ann", "a")
        joined = watcher.read_until(lambda frame: frame["event"] == "client_connected")[-1]
        ann.close()
        left = watcher.read_until(lambda frame: frame["event"] == "client_disconnected")[-1]
        for frame, more in ((joined, {}), (left, {"reason": "gone"})):
            data = json.loads(frame["data"])
            assert data["count"] == 1
            (client,) = data["clients"]
            assert (client["connection_id"], client["user_id"]) == (connection_of(ann), "ann")
            assert client.items() >= more.items()
    assert code(as_user(here, "ann", "GET", "/api/v1/events?channels=hermes:connections", "*", "user:*"))[0] == 403


def test_a_kick_is_not_lost_with_the_link(start_hermes: StartHermes, start_redis: StartRedis) -> None:
    redis = start_redis()
    first = start_hermes(redis_url=redis.url, env=ENV)
    second = start_hermes(first.data_dir, redis_url=redis.url, env=ENV)
    ann = stream_of(second, "ann", "a")
    wait_until(lambda: ids(first) == {connection_of(ann)})
    redis.client.client_kill_filter(_type="pubsub")
    assert first.request("DELETE", f"{PATH}/{connection_of(ann)}").status_code == 204
    redis.client.client_kill_filter(_type="pubsub")
    ann.read_until(is_end)
    ann.close()
