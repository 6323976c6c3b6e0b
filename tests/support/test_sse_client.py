"""The client against raw bytes: framing, reconnection, and what ends it for good."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.hermes_server import REPOSITORY
from tests.support.http_response import BadResponse, Body, Head
from tests.support.ports import free_port
from tests.support.sse_client import NoFrame, StandardClient, StreamStopped
from tests.support.stream_stub import StreamStub
from tests.support.wait import wait_until

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
PLAIN = STREAM + b"Connection: close\r\n\r\n"
CHUNKED = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def hold(connection: socket.socket) -> bytes:
    """Stays open until the client leaves; what came after the request."""
    return connection.recv(100)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_chunks_cut_anywhere(piece: int) -> None:
    body = Body(Head.parse(CHUNKED[:-4]))
    text = chunk(b"data: a\n") + chunk(b"\n") + b"0\r\nTrailer: x\r\n\r\n"
    parts = [body.feed(text[i : i + piece]) for i in range(0, len(text), piece)]
    assert b"".join(parts) == b"data: a\n\n"
    assert body.is_complete


def test_chunk_longer_than_its_size() -> None:
    with pytest.raises(BadResponse):
        Body(Head.parse(CHUNKED[:-4])).feed(b"2\r\nabc\r\n")


def test_comes_back_with_its_cursor_and_the_servers_retry() -> None:
    def serve(connection: socket.socket, request: str) -> None:
        number = len(stub.requests)
        connection.sendall(CHUNKED + chunk(b"retry: 200\nid: %d\ndata: x\n\n" % number))
        if number == 2:
            connection.sendall(b"0\r\n\r\n")
        if number == 3:
            hold(connection)

    with StreamStub(serve) as stub, StandardClient(stub.url, last_event_id="0") as client:
        assert [client.next_frame()["id"] for _ in range(3)] == ["1", "2", "3"]
        assert client.endings == ["eof", "complete"]
        assert client.frames[2]["at"] - client.frames[1]["at"] >= 0.2
        assert (client.retry, client.opened, client.state) == (0.2, 3, "open")
    assert [f"Last-Event-ID: {n}\r\n" in request for n, request in enumerate(stub.requests)] == [True] * 3
    assert client.state == "closed"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", "503 : busy"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204 "),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx", "200 text/html: x"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "302 "),
    ],
)
def test_what_stops_it_for_good(answer: bytes, reason: str) -> None:
    with StreamStub(lambda connection, _: connection.sendall(answer)) as stub:
        client = StandardClient(stub.url)
        with pytest.raises(StreamStopped, match=reason):
            client.open()
        assert client.state == "closed"
        with pytest.raises(StreamStopped):
            client.next_frame(0.1)


def test_refused_connections_are_tried_again() -> None:
    client = StandardClient(f"http://127.0.0.1:{free_port()}/", retry=0.05)
    with pytest.raises(NoFrame):
        client.open(0.3)
    assert client.endings.count("refused") > 2


def test_leaving() -> None:
    seen: list[str] = []

    def serve(connection: socket.socket, request: str) -> None:
        connection.sendall(PLAIN + b"data: x\n\n")
        try:
            seen.append("fin" if hold(connection) == b"" else "data")
        except ConnectionResetError:
            seen.append("reset")
        else:
            connection.sendall(b"data: y\n\n")

    with StreamStub(serve) as stub:
        ways: list[Callable[[StandardClient], None]] = [StandardClient.close, StandardClient.abort]
        for leave in ways:
            client = StandardClient(stub.url).open()
            client.next_frame()
            leave(client)
        wait_until(lambda: seen == ["fin", "reset"], message=lambda: str(seen))

        with StandardClient(stub.url) as client:
            client.next_frame()
            client.half_close()
            assert client.next_frame()["data"] == "y"
            client.drop(reset=True)
            assert client.next_frame(1)["data"] == "x"
            assert client.endings == ["dropped"]


def test_another_thread_may_drop_and_close_a_client_that_reads() -> None:
    def serve(connection: socket.socket, request: str) -> None:
        connection.sendall(PLAIN + b"retry: 60000\ndata: x\n\n")
        hold(connection)

    with StreamStub(serve) as stub:
        client = StandardClient(stub.url).start()
        for count in range(1, 20):
            wait_until(lambda count=count: len(client.frames) == count, message=client.describe)  # type: ignore[misc]
            client.drop(reset=count % 2 == 0)
        start = time.monotonic()
        client.close()
        assert time.monotonic() - start < 1
        assert threading.active_count() < 30
        assert set(client.endings) <= {"dropped", "closed"}


def test_it_may_leave_within_on_frame() -> None:
    def serve(connection: socket.socket, request: str) -> None:
        connection.sendall(PLAIN + b"data: x\n\n")
        hold(connection)

    with StreamStub(serve) as stub:
        client = StandardClient(stub.url, on_frame=lambda _: client.close())
        client.open()
        client.poll(1)
        assert client.state == "closed"
        assert client.endings == ["closed"]


def test_under_gevent() -> None:
    program = """
from gevent import monkey; monkey.patch_all()
import gevent
from tests.support.sse_client import StandardClient
from tests.support.stream_stub import StreamStub
def serve(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\ndata: x\\n\\n")
    connection.recv(1)
with StreamStub(serve) as stub:
    clients = [StandardClient(stub.url).start() for _ in range(50)]
    with gevent.Timeout(10):
        while not all(client.frames for client in clients): gevent.sleep(0.01)
    for client in clients: client.close()
    print(sum(len(client.frames) for client in clients))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.strip() == "50", done.stderr
