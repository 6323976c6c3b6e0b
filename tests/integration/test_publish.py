"""POST /api/v1/events, as api.md says."""

import json
import socket
from typing import Any

import pytest

from tests.integration.conftest import code, opened
from tests.support.hermes_server import HermesServer
from tests.support.history import history
from tests.support.ports import LOOPBACK

pytestmark = pytest.mark.live
PATH = "/api/v1/events"


def stored(hermes: HermesServer, channel: str) -> list[Any]:
    return [event["data"] for event in history(hermes, channel)]


def test_one_an_array_and_ndjson(hermes: HermesServer) -> None:
    one = hermes.post(PATH, json={"channel": "p:1", "type": "tick", "data": {"a": 1}})
    assert one.status_code == 201
    assert set(one.json()) == {"id"}
    many = hermes.post(PATH, json=[{"channel": "p:1", "data": 2}, {"channels": ["p:1", "p:2"], "data": 3}])
    assert many.status_code == 201
    assert [set(entry) for entry in many.json()["events"]] == [{"id"}, {"id"}]
    lines = b'{"channel":"p:1","data":4}\n\n{"channel":"p:1","data":null}\n'
    for media_type in ("application/x-ndjson", "application/jsonl"):
        answer = hermes.post(PATH, data=lines, headers={"Content-Type": media_type})
        assert answer.status_code == 201
        assert len(answer.json()["events"]) == 2
    assert stored(hermes, "p:1") == [{"a": 1}, 2, 3, 4, None, 4, None]
    events = hermes.get(f"{PATH}?channels=p:1&after=earliest").json()["events"]
    assert set(events[0]) == {"id", "channel", "type", "data", "time"}
    assert (events[0]["id"], events[0]["type"], events[1]["type"]) == (one.json()["id"], "tick", "message")
    assert stored(hermes, "p:2") == [3]


def test_an_event_of_two_channels_comes_once_by_the_first_that_matches(hermes: HermesServer) -> None:
    with opened(hermes, "p:b", "p:c") as client:
        hermes.post(PATH, json={"channels": ["p:a", "p:b", "p:c"], "data": 1})
        hermes.publish("p:c", 2)
        assert [client.next_frame()["channel"] for _ in range(2)] == ["p:b", "p:c"]


def test_idempotency_key_of_the_call(hermes: HermesServer) -> None:
    def send(body: Any) -> Any:
        return hermes.post(PATH, json=body, headers={"Idempotency-Key": "call-1"})

    first = send([{"channel": "p:i", "data": 1}, {"channel": "p:i", "data": 2}])
    assert send([{"channel": "p:i", "data": 1}, {"channel": "p:i", "data": 2}]).json() == first.json()
    assert code(send([{"channel": "p:i", "data": 1}, {"channel": "p:i", "data": 3}])) == (409, "IDEMPOTENCY_CONFLICT")
    assert stored(hermes, "p:i") == [1, 2]
    assert code(hermes.post(PATH, json={"channel": "p:i"}, headers={"Idempotency-Key": "x" * 300}))[0] == 400


def test_idempotency_key_of_an_event(hermes: HermesServer) -> None:
    def event(number: int, key: str) -> dict[str, Any]:
        return {"channel": "p:e", "data": number, "idempotency_key": key}

    first = hermes.post(PATH, json=event(1, "e1")).json()
    assert hermes.post(PATH, json=event(1, "e1")).json() == first
    batch = hermes.post(PATH, json=[event(1, "e1"), event(2, "e2"), event(2, "e2")]).json()["events"]
    assert batch[0] == first
    assert batch[1] == batch[2]
    assert code(hermes.post(PATH, json=[event(3, "e3"), event(9, "e1")])) == (409, "IDEMPOTENCY_CONFLICT")
    assert stored(hermes, "p:e") == [1, 2], "a conflict publishes nothing"


def test_all_or_nothing_names_each_index_and_field(hermes: HermesServer) -> None:
    answer = hermes.post(
        PATH,
        json=[
            {"channel": "p:n", "data": 1},
            {"channel": "with space", "data": 1},
            {"channel": "p:n", "typ": "x", "type": "connected"},
            {"channel": "p:n", "ttl": 5, "key": "k"},
            7,
        ],
    )
    assert code(answer) == (400, "INVALID_INPUT")
    found = {(problem["index"], problem["field"]) for problem in answer.json()["error"]["details"]}
    assert found == {(1, "channel"), (2, "typ"), (2, "type"), (3, "ttl"), (4, "event")}
    assert all(len(problem["message"]) > 10 for problem in answer.json()["error"]["details"])
    assert stored(hermes, "p:n") == []


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "channel"),
        ({"channel": "a", "channels": ["b"]}, "channel"),
        ({"channel": ""}, "channel"),
        ({"channel": "x" * 256}, "channel"),
        ({"channel": "a*"}, "channel"),
        ({"channel": "a,b"}, "channel"),
        ({"channel": 5}, "channel"),
        ({"channels": []}, "channels"),
        ({"channels": [f"c{n}" for n in range(11)]}, "channels"),
        ({"channels": "a"}, "channels"),
        ({"channel": "hermes:control"}, "channel"),
        ({"channel": "presence:a"}, "channel"),
        *[({"channel": "a", "type": name}, "type") for name in ("connected", "reset", "heartbeat", "error", "close")],
        ({"channel": "a", "type": "hermes.x"}, "type"),
        ({"channel": "a", "type": ""}, "type"),
        ({"channel": "a", "type": ["x"]}, "type"),
        ({"channel": "a", "key": 1}, "key"),
        ({"channel": "a", "key": ""}, "key"),
        ({"channel": "a", "ttl": 0}, "ttl"),
        ({"channel": "a", "ttl": "5"}, "ttl"),
        ({"channel": "a", "ttl": True}, "ttl"),
        ({"channel": "a", "exclude": "x"}, "exclude"),
        ({"channel": "a", "idempotency_key": 1}, "idempotency_key"),
        ({"channel": "a", "data": "x" * 66_000}, "data"),
        ({"channel": "a", "unknown": 1}, "unknown"),
    ],
)
def test_what_is_refused(hermes: HermesServer, event: dict[str, Any], field: str) -> None:
    answer = hermes.post(PATH, json=event)
    assert code(answer) == (400, "INVALID_INPUT")
    assert answer.json()["error"]["details"][0]["field"] == field


@pytest.mark.parametrize("body", [b"", b"{", b"5", b"null", b'"x"', b"[]", b'{"channel":"a"', b"\xff\xfe"])
def test_what_is_no_event(hermes: HermesServer, body: bytes) -> None:
    for media_type in ("application/json", "application/x-ndjson", "text/plain"):
        assert code(hermes.post(PATH, data=body, headers={"Content-Type": media_type}))[0] == 400


def test_too_large(hermes: HermesServer) -> None:
    body = json.dumps([{"channel": "a", "data": "x" * 60_000}] * 20)
    assert code(hermes.post(PATH, data=body)) == (413, "TOO_LARGE")
    assert (
        code(hermes.post(PATH, data=(piece for piece in [body[:600_000].encode(), body[600_000:].encode()])))[0] == 413
    )
    largest = {"channel": "a", "data": "x" * 65_000}
    assert hermes.post(PATH, json=largest).status_code == 201


def test_exclude_and_ttl(hermes: HermesServer) -> None:
    with opened(hermes, "p:x") as one, opened(hermes, "p:x") as two:
        own = json.loads(one.frames[0]["data"])["connection_id"]
        hermes.publish("p:x", 1, exclude=[own])
        hermes.publish("p:x", 2)
        assert one.next_frame()["data"] == "2"
        assert [two.next_frame()["data"] for _ in range(2)] == ["1", "2"]
        cursor = one.last_event_id
    hermes.publish("p:x", 3, exclude=[own])
    hermes.publish("p:x", 4)
    with opened(hermes, "p:x", cursor=cursor, connection=own) as one:
        assert [frame["data"] for frame in one.frames if frame["event"] == "message"] == ["4"]


def test_who_may(hermes: HermesServer) -> None:
    import requests

    url = hermes.url + PATH
    event = {"channel": "public:a", "data": 1}
    assert code(requests.post(url, json=event, timeout=5)) == (401, "UNAUTHORIZED")
    wrong = {"Authorization": "Bearer " + "x" * 40}
    assert code(requests.post(url, json=event, headers=wrong, timeout=5)) == (401, "UNAUTHORIZED")
    assert requests.post(url, json=event, headers={"X-API-Key": hermes.key}, timeout=5).status_code == 201
    assert code(hermes.request("PUT", PATH))[0] == 405
    assert code(hermes.get("/api/v1/nothing"))[0] == 404


def test_headers_and_body_of_an_answer_leave_in_one_write(hermes: HermesServer) -> None:
    body = b'{"channel": "one-write", "data": 1}'
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hermes.key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((LOOPBACK, hermes.port), timeout=10) as link:
        for _ in range(3):  # kept alive
            link.sendall(head.encode() + body)
            answer = link.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 201 ")
            assert answer.endswith(b'"}')
        link.sendall(f"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n{head}".encode() + body)
        answers = link.recv(65_536)
        while not answers.endswith(b'"}'):
            answers += link.recv(65_536)
        assert answers.count(b"HTTP/1.1 ") == 2
