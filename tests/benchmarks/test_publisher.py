"""The publisher against a peer that answers as a test tells it to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.benchmarks.publisher import Answers, Publisher, PublishError
from tests.support.ports import LOOPBACK

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\nbad day"
REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n!"


class Peer:
    """Answers each `!` that a connection brings with what `answer()` says; with nothing, it ends that connection."""

    def __init__(self, answer: Callable[[], bytes] = lambda: CREATED) -> None:
        self._answer = answer
        self._listener = socket.create_server((LOOPBACK, 0), backlog=16)
        self.port: int = self._listener.getsockname()[1]
        self.requests = 0
        self.connections = 0
        self._links: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def hang_up(self) -> None:
        """Ends all connections."""
        for link in self._links:
            link.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                self.connections += 1
                self._links.append(link)
                threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            while piece := link.recv(65_536):
                for _ in range(piece.count(b"!")):
                    self.requests += 1
                    answer = self._answer()
                    if not answer:
                        return
                    link.sendall(answer)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def test_send_and_pipeline(peer: Peer) -> None:
    with Publisher(peer.port, connections=3) as publisher:
        publisher.send([REQUEST, REQUEST])
        publisher.pipeline([REQUEST] * 5)
    assert (peer.requests, peer.connections) == (7, 1)


def test_more_than_the_sockets_take_at_once(peer: Peer) -> None:
    large = b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n" + b"." * 50_000 + b"!"
    with Publisher(peer.port) as publisher:
        publisher.pipeline([large] * 400)
    assert peer.requests == 400


@pytest.mark.parametrize("count", [1, 3, 100])
def test_flood(peer: Peer, count: int) -> None:
    with Publisher(peer.port, connections=8) as publisher:
        assert publisher.flood(REQUEST, count) > 0
    assert (peer.requests, peer.connections) == (count, min(count, 8))


def test_an_idle_connection_that_was_closed_is_opened_again() -> None:
    left = iter([CREATED, CREATED, b"", CREATED])
    peer = Peer(lambda: next(left))
    with Publisher(peer.port) as publisher:
        publisher.send([REQUEST, REQUEST])
        with pytest.raises(PublishError, match=r"^the connection ended, 1 answers due"):
            publisher.send([REQUEST])
        publisher.send([REQUEST])
    assert (peer.requests, peer.connections) == (4, 2)
    peer.close()


def test_other_idle_connections_may_end(peer: Peer) -> None:
    with Publisher(peer.port, connections=4) as publisher:
        publisher.flood(REQUEST, 8)
        peer.hang_up()
        publisher.send([REQUEST] * 3)
        publisher.flood(REQUEST, 8)
    assert peer.requests == 19


def test_a_refusal_raises_with_its_text() -> None:
    peer = Peer(lambda: REFUSED)
    with Publisher(peer.port) as publisher:
        for publish in (publisher.send, publisher.pipeline):
            with pytest.raises(PublishError, match=r"(?s)^HTTP/1.1 400 .*bad day"):
                publish([REQUEST])
        with pytest.raises(PublishError, match="bad day"):
            publisher.flood(REQUEST, 5)
    peer.close()


def test_a_silent_peer() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        publisher = Publisher(listener.getsockname()[1], timeout=0.1)
        with publisher, pytest.raises(PublishError, match="no answer within"):
            publisher.send([REQUEST])


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_answers_come_in_pieces(step: int) -> None:
    text = (CREATED + CHUNKED + EMPTY) * 2
    answers = Answers()
    assert sum(answers.feed(text[at : at + step]) for at in range(0, len(text), step)) == 6
    assert answers.rest() == ""


def test_an_answer_without_a_length() -> None:
    with pytest.raises(PublishError, match="unknown length"):
        Answers().feed(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
