"""The relay passes bytes, and breaks the wire in each of its ways."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.sse_client import StandardClient, StreamStopped
from tests.support.stream_stub import StreamStub
from tests.support.tcp_relay import TcpRelay
from tests.support.wait import wait_until

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 50\n\n"


def tick(connection: socket.socket, request: str) -> None:
    connection.sendall(HEAD)
    number = 0
    while True:
        number += 1
        connection.sendall(b"data: %d\n\n" % number)
        time.sleep(0.01)


@pytest.fixture
def relay() -> Iterator[TcpRelay]:
    with StreamStub(tick) as stub, TcpRelay(stub.port) as relay:
        yield relay


@pytest.mark.parametrize("reset", [False, True])
def test_cut(relay: TcpRelay, reset: bool) -> None:
    with StandardClient(relay.url) as client:
        client.next_frame()
        assert relay.cut(reset=reset) == 1
        client.read_until(lambda _: client.opened == 2)
        assert client.endings == ["reset" if reset else "eof"]
        assert (relay.accepted, relay.connections) == (2, 1)
    wait_until(lambda: relay.connections == 0)


def test_refuse_and_accept(relay: TcpRelay) -> None:
    with StandardClient(relay.url) as client:
        client.next_frame()
        relay.refuse()
        client.next_frame()  # an open one goes on
        relay.cut()
        client.read_for(0.3)
        assert "refused" in client.endings
        relay.accept()
        client.read_until(lambda _: client.opened == 2)


def test_stall_and_flow(relay: TcpRelay) -> None:
    with StandardClient(relay.url) as client:
        client.next_frame()
        relay.stall()
        client.read_for(0.2)
        assert client.read_for(0.3) == []
        relay.flow()
        numbers = [int(frame["data"]) for frame in client.read_for(0.3)]
        assert len(numbers) > 30
        assert [int(frame["data"]) for frame in client.frames] == list(range(1, len(client.frames) + 1))
        assert client.opened == 1


def test_delay_one_way(relay: TcpRelay) -> None:
    relay.delay(0.5, up=False)
    start = time.monotonic()
    with StandardClient(relay.url) as client:
        assert client.next_frame()["at"] - start >= 0.5
        assert len(client.read_for(0.5)) > 20  # a delay line, no brake


def test_unavailable(relay: TcpRelay) -> None:
    relay.unavailable()
    with pytest.raises(StreamStopped, match="503 text/html: <h1>unavailable"):
        StandardClient(relay.url).open()
    relay.unavailable(False)
    StandardClient(relay.url).open().close()


def test_a_server_that_is_down_is_a_reset_and_a_reset_passes_through() -> None:
    def reset(connection: socket.socket, request: str) -> None:
        connection.sendall(HEAD + b"data: x\n\n")
        connection.recv(10)

    with StreamStub(reset) as stub, TcpRelay(stub.port) as relay:
        client = StandardClient(relay.url).open()
        client.next_frame()
        client.abort()
        wait_until(lambda: relay.connections == 0)
        relay.target_port = 1
        client = StandardClient(relay.url, reconnect=False)
        client.poll(2)
        assert client.endings == ["reset"]
