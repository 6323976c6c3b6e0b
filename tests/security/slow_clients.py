"""Clients that take their time: each sends its request byte by byte and never ends it, or reads no answer; all in one loop."""

import select
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support.ports import LOOPBACK

PAUSE = 0.25  # seconds between two bytes of a client


def slow_head(_key: str) -> Iterator[bytes]:
    """A request whose headers never end."""
    yield b"GET /api/v1/events/stream HTTP/1.1\r\nHost: a\r\nX-Slow: "
    while True:
        yield b"a"


def silent(_key: str) -> Iterator[bytes]:
    """A connection on which nothing is ever asked."""
    while True:
        yield b""


def slow_second_head(_key: str) -> Iterator[bytes]:
    """A kept connection whose second request never ends."""
    yield b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    yield from slow_head(_key)


def slow_body(key: str) -> Iterator[bytes]:
    """An event that never ends."""
    yield _post("/api/v1/events", key, "Content-Length: 100000")
    while True:
        yield b" "


def slow_chunks(key: str) -> Iterator[bytes]:
    """The same in chunks."""
    yield _post("/api/v1/events", key, "Transfer-Encoding: chunked")
    while True:
        yield b"1\r\n \r\n"


def slow_body_of_a_stranger(_key: str) -> Iterator[bytes]:
    """A body that is refused before it is read."""
    yield _post("/api/v1/events", "not-a-key", "Content-Length: 100000")
    while True:
        yield b" "


def slow_body_for_nothing(key: str) -> Iterator[bytes]:
    """A body for an address that takes none."""
    yield _post("/api/v1/nowhere", key, "Content-Length: 100000")
    while True:
        yield b" "


def slow_form(_key: str) -> Iterator[bytes]:
    """A sign-in that never ends."""
    kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000"
    yield _post("/dashboard/signin", "not-a-key", kind)
    yield b"key="
    while True:
        yield b"a"


def slow_body_of_a_get(key: str) -> Iterator[bytes]:
    """A body that nobody expects, on a request whose answer is a stream."""
    yield _post("/api/v1/events/stream?channels=public:a", key, "Content-Length: 100000").replace(b"POST", b"GET", 1)
    while True:
        yield b" "


def _post(path: str, key: str, more: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n{more}\r\n\r\n".encode()


Kind = Callable[[str], Iterator[bytes]]


@dataclass
class SlowClient:
    """One of them: when it began, when the server ended its connection, and what it said."""

    kind: Kind
    link: socket.socket
    sends: Iterator[bytes]
    began: float
    ended: float = 0.0
    heard: bytearray = field(default_factory=bytearray)

    @property
    def lasted(self) -> float:
        """Seconds up to the end of the connection."""
        return self.ended - self.began


class SlowClients:
    """`count` clients of each of `kinds`, driven by `run()`; a client that the server does not cut stays for ever."""

    def __init__(self, port: int, key: str, kinds: list[Kind], count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.clients: list[SlowClient] = []
        for _ in range(count):
            for kind in kinds:
                link = socket.create_connection((LOOPBACK, port), timeout=10)
                link.setblocking(False)
                client = SlowClient(kind, link, kind(key), time.monotonic())
                self._selector.register(link, selectors.EVENT_READ, client)
                self.clients.append(client)

    def run(self, until: Callable[[], bool], seconds: float) -> None:
        """Lets them send and hear until all are cut, `until` holds, or the time is over."""
        deadline = time.monotonic() + seconds
        while self.open and not until() and time.monotonic() < deadline:
            turn = time.monotonic() + PAUSE
            for client in self.open:
                self._send(client)
            while (left := turn - time.monotonic()) > 0:
                for key, _ in self._selector.select(left):
                    self._hear(key.data)

    @property
    def open(self) -> list[SlowClient]:
        """Those whose connection lives."""
        return [client for client in self.clients if not client.ended]

    def close(self) -> None:
        """Ends all."""
        for client in self.open:
            self._end(client)
        self._selector.close()

    def _send(self, client: SlowClient) -> None:
        try:
            client.link.send(next(client.sends))
        except BlockingIOError:
            return
        except OSError:
            self._end(client)

    def _hear(self, client: SlowClient) -> None:
        try:
            piece = client.link.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if piece:
            client.heard += piece
        else:
            self._end(client)

    def _end(self, client: SlowClient) -> None:
        if not client.ended:
            client.ended = time.monotonic()
            self._selector.unregister(client.link)
            client.link.close()


ASKED = b"GET /static/dashboard/dashboard.css HTTP/1.1\r\nHost: a\r\n\r\n" * 50


class GreedyClients:
    """`count` clients that ask again and again, and take no answer."""

    def __init__(self, port: int, count: int) -> None:
        self._poll = select.poll()
        self.links: dict[int, socket.socket] = {}
        for _ in range(count):
            link = socket.socket()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.connect((LOOPBACK, port))
            link.setblocking(False)
            self.links[link.fileno()] = link
            self._poll.register(link, select.POLLERR | select.POLLHUP)

    def run(self, seconds: float) -> float:
        """Lets them ask until the server has cut all of them, or the time is over; how long that took."""
        began = time.monotonic()
        while self.links and time.monotonic() < began + seconds:
            for link in self.links.values():
                try:
                    link.send(ASKED)
                except OSError:
                    continue  # it takes no more, or it is cut, which the poll tells
            for number, _ in self._poll.poll(PAUSE * 1000):
                self._poll.unregister(number)
                self.links.pop(number).close()
        return time.monotonic() - began

    def close(self) -> None:
        """Ends all."""
        for link in self.links.values():
            link.close()
