"""The floor serves what it should, to the generator and to others; and how both programs are compiled."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.benchmarks import native
from tests.benchmarks.load import Load
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.program import require_program
from tests.support.wait import wait_until


@pytest.fixture(autouse=True, scope="module")
def _compiler() -> None:
    require_program("cc")


@pytest.fixture
def floor() -> Iterator[int]:
    port = free_port()
    with Process([native.program("floor"), str(port)]) as server:
        server.wait_for_port(port)
        yield port


def post(connection: HTTPConnection, *events: bytes) -> dict[str, int]:
    connection.request("POST", "/publish", b"".join(event + b"\n" for event in events))
    reached: dict[str, int] = json.load(connection.getresponse())
    return reached


def test_the_floor_reaches_all_streams(floor: int) -> None:
    with (
        Load(floor, ["/a", "/b"], 50, core=None, seconds=30) as streams,
        closing(HTTPConnection(LOOPBACK, floor)) as one,
    ):
        streams.wait_open()
        assert post(one, b"t=%d" % time.monotonic_ns()) == {"streams": 50, "dropped": 0}
        assert post(one, *[b"t=%d" % time.monotonic_ns()] * 100) == {"streams": 50, "dropped": 0}
        seen = streams.wait_events(101)
    assert (seen.open, seen.events, seen.least, seen.most) == (50, 5050, 101, 101)


def post_bytes(count: int) -> bytes:
    """A request that publishes `count` events."""
    body = b"t=%d\n" % time.monotonic_ns() * count
    return b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def test_the_floor_takes_requests_in_any_pieces(floor: int) -> None:
    with (
        Load(floor, ["/"], 2, core=None, seconds=30) as streams,
        socket.create_connection((LOOPBACK, floor)) as publisher,
    ):
        streams.wait_open()
        publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post_bytes(1):
            publisher.sendall(bytes([byte]))
        publisher.sendall(b"".join(map(post_bytes, range(50))))  # in a pipeline
        events = 1 + sum(range(50))
        assert streams.wait_events(events).events == 2 * events
        answers = b""
        while answers.count(b"\r\n\r\n{") < 51 and (piece := publisher.recv(1 << 16)):
            answers += piece
    assert answers.count(b"HTTP/1.1 200 OK") == 51


def test_the_floor_forgets_who_left(floor: int) -> None:
    """In an order that moves the last stream to the first one's place."""
    with ExitStack() as stack:
        publisher = stack.enter_context(closing(HTTPConnection(LOOPBACK, floor)))
        first, second, third = (
            stack.enter_context(socket.create_connection((LOOPBACK, floor), timeout=10)) for _ in range(3)
        )
        for stream in (first, second, third):
            stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stream.recv(4096).endswith(b": open\n\n\r\n")
        for left, stream in ((2, first), (1, third)):
            stream.close()
            wait_until(lambda left=left: post(publisher) == {"streams": left, "dropped": 0})  # type: ignore[misc]
        assert post(publisher, b"hello") == {"streams": 1, "dropped": 0}
        assert second.recv(4096) == b"13\r\nid: 1\ndata: hello\n\n\r\n"


def test_the_floor_drops_who_does_not_read(floor: int) -> None:
    line = b"t=%d " % time.monotonic_ns() + b"x" * 60_000
    with (
        Load(floor, ["/"], 3, core=None, seconds=30, stalled=1) as streams,
        closing(HTTPConnection(LOOPBACK, floor)) as publisher,
    ):
        streams.wait_open()
        count = 0
        while (state := post(publisher, line)) == {"streams": 3, "dropped": 0}:
            count += 1
            streams.wait_events(count)
        assert state == {"streams": 2, "dropped": 1}
        assert streams.wait_events(count + 1).most == count + 1


# --- compiling


def test_a_program_is_compiled_once(tmp_path: Path) -> None:
    made = native.program("floor", tmp_path)
    before = made.stat()
    assert native.program("floor", tmp_path) == made
    assert made.stat() == before
    assert list(tmp_path.iterdir()) == [made]


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(native.NotCompiled, match="gcc and libc6-dev"):
        native.program("load", tmp_path)
