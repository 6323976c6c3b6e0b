"""GET /api/v1/events/stream: the opening, headers, refusals, endings, as api.md says, on both lanes."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.integration.conftest import StartHermes, code, here, opened
from tests.support.event_parser import EventParser
from tests.support.hermes_server import HermesServer
from tests.support.http_response import Body, Head
from tests.support.load import stream_url
from tests.support.ports import LOOPBACK
from tests.support.sse_client import StandardClient, StreamStopped
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/events/stream"
QUIET = {"HERMES_SYSTEM_INTERVAL": "0"}


@pytest.fixture(scope="module", params=["true", "false"], ids=["direct", "portable"])
def lane(request: pytest.FixtureRequest) -> Iterator[HermesServer]:
    """A server on each lane."""
    env = {
        **QUIET,
        "HERMES_DIRECT_LANE": request.param,
        "HERMES_SSE_HEARTBEAT_INTERVAL": "0.5",
        "HERMES_SSE_RETRY": "0.2",
    }
    with HermesServer(env=env) as server:
        yield server


def events(client: StandardClient) -> list[str]:
    return [frame["event"] for frame in client.frames]


def request_bytes(hermes: HermesServer, query: str = "channels=a", *lines: str, version: str = "1.1") -> bytes:
    head = [f"GET {PATH}?{query} HTTP/{version}", "Host: x", f"Authorization: Bearer {hermes.key}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def raw(hermes: HermesServer, request: bytes) -> socket.socket:
    link = socket.create_connection((LOOPBACK, hermes.port), timeout=10)
    link.sendall(request)
    return link


def read_to(link: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        piece = link.recv(65_536)
        assert piece, received
        received += piece
    return received


# --- the opening


def test_a_fresh_opening(lane: HermesServer) -> None:
    lane.publish("s:open", {"v": 1}, key="k", type="level")
    last = lane.publish("s:open", "live")
    with opened(lane, "s:open", "s:p*") as client:
        assert events(client) == ["connected", "level", "heartbeat"]
        connected, state, heartbeat = client.frames
        said = json.loads(connected["data"])
        assert set(said) == {
            "connection_id",
            "timestamp",
            "channels",
            "user_id",
            "heartbeat_interval",
            "cursor",
            "recovered",
        }
        assert said["channels"] == ["s:open", "s:p*"]
        assert (said["recovered"], said["heartbeat_interval"], said["cursor"]) == (None, 0.5, last)
        assert connected["id"] is None
        assert client.retry != 0.5, "the server named one"
        assert (state["id"], state["retained"], state["channel"]) == (None, True, "s:open")
        assert heartbeat["id"] == last
        assert set(json.loads(heartbeat["data"])) == {"timestamp"}


def test_the_connected_frame_begins_with_its_event_line(lane: HermesServer) -> None:
    with raw(lane, request_bytes(lane)) as link:
        text = read_to(link, b"event: heartbeat")
    body = text.partition(b"\r\n\r\n")[2]
    lines = body[body.index(b"event: connected") :].split(b"\n\n")[0].split(b"\n")
    assert lines[0] == b"event: connected"
    assert any(line.startswith(b"retry: ") for line in lines)
    assert not any(line.startswith(b"id") for line in lines)


def test_a_resume(lane: HermesServer) -> None:
    cursor = lane.publish("s:resume", 0)
    lane.publish("s:other", 0)
    ids = [lane.publish("s:resume", number) for number in (1, 2)]
    for way in ("header", "last_event_id", "lastEventId", "Last-Event-ID"):
        query = {} if way == "header" else {way: cursor}
        with opened(lane, "s:resume", cursor=cursor if way == "header" else "", **query) as client:
            assert events(client) == ["connected", "message", "message", "heartbeat"], way
            assert [frame["id"] for frame in client.frames[1:3]] == ids
            assert json.loads(client.frames[0]["data"])["recovered"] is True


def test_the_header_wins_over_the_query(lane: HermesServer) -> None:
    old, new = lane.publish("s:wins", 1), lane.publish("s:wins", 2)
    with opened(lane, "s:wins", cursor=new, lastEventId=old) as client:
        assert events(client) == ["connected", "heartbeat"]


def test_earliest(lane: HermesServer) -> None:
    for number in range(3):
        lane.publish("s:all", number)
    with opened(lane, "s:all", lastEventId="earliest") as client:
        assert [frame["data"] for frame in client.frames[1:-1]] == ["0", "1", "2"]


@pytest.mark.parametrize(("cursor", "reason"), [("nonsense", "unknown_cursor"), ("zzzz-5", "epoch_changed")])
def test_a_cursor_from_elsewhere(lane: HermesServer, cursor: str, reason: str) -> None:
    lane.publish("s:reset", "state", key="k")
    with opened(lane, "s:reset", "s:none", cursor=cursor) as client:
        assert events(client) == ["connected", "reset", "message", "heartbeat"]
        assert json.loads(client.frames[0]["data"])["recovered"] is False
        assert json.loads(client.frames[1]["data"]) == {"reason": reason, "channels": ["s:reset", "s:none"]}
        assert client.frames[1]["id"] is None
        assert client.frames[2]["retained"]


def test_retained_1_and_0(lane: HermesServer) -> None:
    cursor = lane.publish("s:ret", "a", key="k")
    lane.publish("s:ret", "b")
    with opened(lane, "s:ret", cursor=cursor, retained="1") as client:
        assert [(frame["data"], frame["retained"]) for frame in client.frames[1:-1]] == [('"b"', False), ('"a"', True)]
    with opened(lane, "s:ret", retained="0") as client:
        assert events(client) == ["connected", "heartbeat"]


def test_envelope_types_and_filter(lane: HermesServer) -> None:
    with opened(lane, "s:env", envelope="1", types="tick", filters='{"n":{"gt":1}}') as client:
        for number in range(4):
            last = lane.publish("s:env", {"n": number}, type="tick" if number != 3 else "other")
            if number == 2:
                wanted = last
        (frame,) = client.read_until(lambda frame: frame["event"] == "tick")[-1:]
        assert json.loads(frame["data"]) == {
            "channel": "s:env",
            "type": "tick",
            "data": {"n": 2},
            "time": frame["time"],
            "id": wanted,
        }
        heartbeat = client.read_until(lambda frame: frame["event"] == "heartbeat" and frame["id"] == last)
        assert heartbeat, "a filtered stream keeps a fresh cursor"


def test_heartbeats(lane: HermesServer) -> None:
    with opened(lane, "s:beat") as client:
        frames = [client.next_frame(3) for _ in range(4)]
        assert [frame["event"] for frame in frames] == ["heartbeat"] * 4
        gaps = [after["at"] - before["at"] for before, after in pairwise(frames)]
        assert all(0.3 < gap < 1.5 for gap in gaps), gaps
        lane.publish("s:else", 1)
        last = lane.publish("s:else", 2)
        client.read_until(lambda frame: frame["id"] == last, 3)


# --- headers


def test_response_headers(lane: HermesServer) -> None:
    with opened(lane, "s:head") as client:
        assert client.head is not None
        headers = client.head.headers
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-cache, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert headers["connection"] in ("keep-alive", "close")
        assert headers["transfer-encoding"] == "chunked"


def test_the_connection_header_is_true(lane: HermesServer) -> None:
    """After the stream's end the connection takes another request where the header said keep-alive, else it is closed."""
    link = raw(lane, request_bytes(lane, "channels=a%20b"))  # a plain answer
    answer = read_to(link, b"]}}")
    assert answer.startswith(b"HTTP/1.1 400")
    said = Head.parse(answer.partition(b"\r\n\r\n")[0]).headers["connection"]
    link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    follows = link.recv(100)
    link.close()
    assert bool(follows) == (said == "keep-alive")


def test_head(lane: HermesServer) -> None:
    link = http.client.HTTPConnection(LOOPBACK, lane.port, timeout=5)
    link.request("HEAD", f"{PATH}?channels=a", headers=lane.headers)
    answer = link.getresponse()
    assert answer.status == 200
    assert answer.getheader("Content-Type") == "text/event-stream"
    assert answer.read() == b""
    link.close()
    wait_until(lambda: here(lane) == 0, 2)


def test_http_1_0(lane: HermesServer) -> None:
    """No chunks for a client that does not know them."""
    with raw(lane, request_bytes(lane, version="1.0")) as link:
        text = read_to(link, b"event: heartbeat")
        head, _, body = text.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert b"connection: close" in head.lower()
        parser = EventParser()
        parser.feed(body)
        lane.publish("a", "x" * 100)
        (frame,) = [frame for frame in _frames(link, parser, 5) if frame["event"] == "message"][:1]
        assert frame["data"] == '"' + "x" * 100 + '"'


def _frames(link: socket.socket, parser: EventParser, count: int) -> list[Any]:
    frames: list[Any] = []
    while len(frames) < count and not any(frame["event"] == "message" for frame in frames):
        frames += parser.feed(link.recv(65_536))
    return frames


# --- who leaves


def test_fin_reset_and_half_close_are_noticed_at_once(lane: HermesServer) -> None:
    leave: list[Callable[[StandardClient], None]] = [
        StandardClient.close,
        StandardClient.abort,
        StandardClient.half_close,
    ]
    for way in leave:
        wait_until(lambda: here(lane) == 0, 3)
        client = opened(lane, "s:leave")
        assert here(lane) == 1
        began = time.monotonic()
        way(client)
        wait_until(lambda: here(lane) == 0, 3)
        assert time.monotonic() - began < 1, way
        client.close()


# --- what is sent is the same on both lanes


def test_both_lanes_send_the_same_bytes(start_hermes: StartHermes) -> None:
    """Also in small pieces: a tiny send buffer and a slow reader."""
    bodies = []
    for direct in ("true", "false"):
        env = {
            **QUIET,
            "HERMES_DIRECT_LANE": direct,
            "HERMES_SSE_SEND_BUFFER": "4096",
            "HERMES_SSE_HEARTBEAT_INTERVAL": "60",
        }
        hermes = start_hermes(env=env)
        epoch = hermes.publish("w", 0).rpartition("-")[0]
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(20)
        link.connect((LOOPBACK, hermes.port))
        link.sendall(request_bytes(hermes, "channels=w&retained=0"))
        received = read_to(link, b"event: heartbeat")
        publisher = threading.Thread(target=_publish_all, args=(hermes,))
        publisher.start()
        head, _, rest = received.partition(b"\r\n\r\n")
        body = Body(Head.parse(head))
        text = body.feed(rest)
        while b'"the end"' not in text:
            piece = link.recv(1500)
            assert piece
            text += body.feed(piece)
            time.sleep(0.0002)  # the reader's own pace
        publisher.join()
        link.close()
        frames = EventParser().feed(text)
        bodies.append(
            [
                (frame["id"].replace(epoch, "e"), frame["event"], frame["channel"], frame["data"])
                for frame in frames
                if frame["event"] == "tick" and frame["id"]
            ]
        )
        assert text.count(b"\n\n") >= len(frames)
    assert len(bodies[0]) == 301
    assert bodies[0] == bodies[1]


def test_the_whole_opening_leaves_in_one_write(start_hermes: StartHermes) -> None:
    """On the direct lane headers, ``connected`` and the heartbeat that ends the opening are one segment."""
    hermes = start_hermes(env=QUIET)
    with raw(hermes, request_bytes(hermes, "channels=one")) as link:
        first = link.recv(65_536)
    assert first.startswith(b"HTTP/1.1 200 ")
    assert b"event: connected" in first
    assert b"event: heartbeat" in first


def test_no_header_takes_a_stream_off_the_direct_lane(start_hermes: StartHermes) -> None:
    """gunicorn's mark of HTTP/2 is a key that a header of that name makes, too."""
    hermes = start_hermes(env=QUIET)
    with raw(hermes, request_bytes(hermes, "channels=one", "Version: 2")) as link:
        assert b"event: heartbeat" in link.recv(65_536)


@pytest.mark.parametrize("body", ["Content-Length: 1", "Transfer-Encoding: chunked"])
def test_a_body_that_never_comes_is_no_matter_to_a_stream(start_hermes: StartHermes, body: str) -> None:
    hermes = start_hermes(env=QUIET)
    with raw(hermes, request_bytes(hermes, "channels=one", body)) as link:
        read_to(link, b"event: heartbeat")
        hermes.publish("one", "it comes")
        read_to(link, b"it comes")
    wait_until(lambda: here(hermes) == 0, 3)
    assert "rror" not in hermes.process.log.read_text()


def _publish_all(hermes: HermesServer) -> None:
    for begin in range(0, 300, 20):
        batch = [{"channel": "w", "type": "tick", "data": [n, "é" * (n * 37 % 3000)]} for n in range(begin, begin + 20)]
        assert hermes.post("/api/v1/events", json=batch).status_code == 201
    hermes.publish("w", "the end", type="tick")
    hermes.hang_up()


# --- how it ends


@pytest.mark.parametrize("direct", ["true", "false"])
def test_a_reader_that_stops_is_closed(start_hermes: StartHermes, direct: str) -> None:
    env = {**QUIET, "HERMES_SSE_SEND_TIMEOUT": "2", "HERMES_SSE_SEND_BUFFER": "8192", "HERMES_DIRECT_LANE": direct}
    hermes = start_hermes(env={**env, "HERMES_SSE_HEARTBEAT_INTERVAL": "30"})
    stuck = StandardClient(stream_url(hermes, ["s"]), headers=hermes.headers, receive_buffer=4096, reconnect=False)
    stuck.read_until(lambda frame: frame["event"] == "heartbeat")
    with opened(hermes, "s") as other:
        other.start()
        began = time.monotonic()
        sent = 0
        while sent < 40:
            hermes.post("/api/v1/events", json=[{"channel": "s", "data": "x" * 20_000}] * 4)
            sent += 4
        wait_until(lambda: here(hermes) == 1, 6)
        took = time.monotonic() - began
        wait_until(lambda: len([frame for frame in other.frames if frame["event"] == "message"]) == 40)
    assert took <= 2 + 1 + 1, "the send timeout and a second, after what the kernel took"
    cursor = stuck.last_event_id
    stuck.close()
    with opened(hermes, "s", cursor=cursor) as back:
        assert [frame["event"] for frame in back.frames].count("message") == 40, "it loses nothing"


@pytest.mark.parametrize("direct", ["true", "false"])
def test_a_slow_but_steady_reader_is_left_alone(start_hermes: StartHermes, direct: str) -> None:
    env = {**QUIET, "HERMES_SSE_SEND_TIMEOUT": "2", "HERMES_DIRECT_LANE": direct, "HERMES_SSE_HEARTBEAT_INTERVAL": "30"}
    hermes = start_hermes(env=env)
    with StandardClient(stream_url(hermes, ["s"]), headers=hermes.headers, receive_buffer=4096) as client:
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        for _ in range(15):
            hermes.post("/api/v1/events", json=[{"channel": "s", "data": "x" * 20_000}] * 2)
        began = time.monotonic()
        while time.monotonic() - began < 8:
            before = client.received
            client.pump(1)
            time.sleep((client.received - before) / 20_000)  # a link of 20 kB/s
        assert (client.opened, client.endings) == (1, [])


@pytest.mark.parametrize("direct", ["true", "false"])
def test_a_maximal_age(start_hermes: StartHermes, direct: str) -> None:
    env = {**QUIET, "HERMES_SSE_CONNECTION_TIMEOUT": "1", "HERMES_DIRECT_LANE": direct, "HERMES_SSE_RETRY": "0.1"}
    hermes = start_hermes(env=env)
    with opened(hermes, "s") as client:
        close = client.read_until(lambda frame: frame["event"] == "close", 4)[-1]
        assert json.loads(close["data"]) == {"reason": "max_age", "reconnect": True}
        client.read_until(lambda frame: frame["event"] == "heartbeat", 5)
        assert client.endings == ["complete"]
        assert client.opened == 2


@pytest.mark.parametrize("direct", ["true", "false"])
def test_a_drain(start_hermes: StartHermes, direct: str) -> None:
    hermes = start_hermes(env={**QUIET, "HERMES_DIRECT_LANE": direct})
    clients = [opened(hermes, "s") for _ in range(5)]
    hermes.terminate()
    for client in clients:
        close = client.read_until(lambda frame: frame["event"] == "close", 5)[-1]
        assert json.loads(close["data"]) == {"reason": "drain", "reconnect": True}
        client.read_for(0.1)
        assert client.endings == ["complete"]
        assert 1 <= client.retry <= 3
        client.close()
    assert hermes.process.wait(10) == 0


# --- refusals


def refused(hermes: HermesServer, expected: str) -> None:
    """The same refusal for an EventSource, which gives up on any status but 200, and for a client that reads statuses."""
    client = StandardClient(stream_url(hermes, ["a"]), headers=hermes.headers, retry=0)
    frame = client.next_frame()
    assert frame["event"] == "error"
    said = json.loads(frame["data"])
    assert set(said) == {"code", "message", "error"}
    assert said["code"] == expected
    assert said["error"] == said["message"]
    assert client.retry >= 1, "a long retry"
    client.read_for(0.1)
    assert client.endings == ["complete"]
    client.close()
    answer = hermes.get(f"{PATH}?channels=a", headers={"Accept": "text/event-stream, application/json"})
    assert code(answer) == (503, expected)
    assert int(answer.headers["Retry-After"]) >= 1


def test_max_connections(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env={**QUIET, "HERMES_SSE_MAX_CONNECTIONS": "1"})
    with opened(hermes, "a"):
        refused(hermes, "MAX_CONNECTIONS")
        assert hermes.get("/healthz").status_code == 200
    wait_until(lambda: here(hermes) == 0)
    with opened(hermes, "a"):
        pass


def test_streaming_switched_off(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env={**QUIET, "HERMES_ENABLE_SSE": "false"})
    refused(hermes, "SSE_DISABLED")
    cursor = hermes.get("/api/v1/events?channels=a").json()["cursor"]
    hermes.publish("a", 1)
    assert len(hermes.get(f"{PATH}?channels=a&poll=1&last_event_id={cursor}").json()["events"]) == 1
    assert hermes.get("/api/v1/events/health").json()["enabled"] is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("channels=a%20b", "channels"),
        ("channels=a&filters=%7B", "filters"),
        ("channels=a&overflow=drop", "overflow"),
        ("channels=a&retained=2", "retained"),
        ("channels=a&envelope=yes", "envelope"),
        ("channels=a&nonsense=1", "nonsense"),
        ("channels=a&poll=2", "poll"),
    ],
)
def test_bad_queries_are_a_plain_400(lane: HermesServer, query: str, field: str) -> None:
    answer = lane.get(f"{PATH}?{query}")
    assert code(answer) == (400, "INVALID_INPUT")
    assert answer.json()["error"]["details"][0]["field"].startswith(field)


def test_what_no_retry_cures_is_plain(lane: HermesServer) -> None:
    url = stream_url(lane, ["secret"])
    for headers, status in (({}, 403), ({"Authorization": "Bearer " + "x" * 40}, 401)):
        with pytest.raises(StreamStopped) as stopped:
            StandardClient(url, headers=headers).open()
        assert stopped.value.status == status
        if status == 403:
            assert b"secret" in stopped.value.body
    with StandardClient(stream_url(lane, ["public:a"])) as anonymous:
        said = json.loads(anonymous.next_frame()["data"])
        assert (said["channels"], said["user_id"]) == (["public:a"], None)
