"""Publishing over kept-alive connections at little CPU of its own: requests are bytes already, answers are only counted."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Sequence
from typing import Any, Self

from tests.support.ports import LOOPBACK

PIECE = 65_536
SHOWN = 2000  # bytes of an answer in an error

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class PublishError(Exception):
    """A request that was not answered with 2xx, or not at all; the text says what came instead."""


class Publisher:
    """Connections to a server on loopback, opened when they are used, and anew where the server closed an idle one.

        with Publisher(server.port, connections=8) as publisher:
            publisher.send(server.requests("a", ['"one"', '"two"']))

    `timeout` is how many seconds the server may be silent while an answer is due. After an error all connections are new.
    """

    def __init__(self, port: int, connections: int = 1, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._poll = select.epoll()
        self._links = [_Link(port, self._poll) for _ in range(connections)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close everything; it cannot be used again."""
        self._hang_up()
        self._poll.close()

    def send(self, requests: Sequence[bytes]) -> None:
        """One request after the other on one connection, each answered before the next is written."""
        for request in requests:
            self._exchange(self._opened(1), request, 1)

    def pipeline(self, requests: Sequence[bytes]) -> None:
        """All requests at once on one connection, then their answers: many events for a server that takes no batch."""
        self._exchange(self._opened(1), b"".join(requests), 1, answers=len(requests))

    def flood(self, request: bytes, count: int) -> float:
        """The same request `count` times, one in flight on each connection; the seconds until all were answered."""
        links = self._opened(count)
        began = time.perf_counter()
        self._exchange(links, request, count)
        return time.perf_counter() - began

    def _opened(self, most: int) -> list[_Link]:
        links = self._links[:most]
        for link in links:
            link.open()
        return links

    def _exchange(self, links: Sequence[_Link], request: bytes, times: int, answers: int = 1) -> None:
        """Writes `request` that many times, to each link again when it has the `answers` that one brings."""
        due = times * answers
        unwritten = times - len(links)
        by_number = {link.number: link for link in self._links}
        try:
            for link in links:
                link.write(request, answers)
            while due:
                ready = self._poll.poll(self._timeout)
                if not ready:
                    raise PublishError(f"no answer within {self._timeout:g} s")
                for number, _ in ready:
                    link = by_number[number]
                    due -= link.advance()
                    if unwritten and not link.due and link.is_open:
                        unwritten -= 1
                        link.write(request, answers)
        except BaseException as error:
            self._hang_up()
            if isinstance(error, OSError):
                raise PublishError(f"the connection failed: {error}") from error
            raise

    def _hang_up(self) -> None:
        for link in self._links:
            link.close()


class _Link:
    """One connection: what is still to be written on it, and how many answers are due."""

    def __init__(self, port: int, poll: select.epoll) -> None:
        self._port = port
        self._poll = poll
        self._socket: socket.socket | None = None
        self._unsent = memoryview(b"")
        self._answers = Answers()
        self.due = 0

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def number(self) -> int:
        """The socket's file number, -1 while there is none."""
        return self._socket.fileno() if self._socket else -1

    def open(self) -> None:
        """Connects, unless it is connected and the server has nothing to say."""
        if self._socket is not None:
            try:
                self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                pass
            self.close()
        self._socket = socket.create_connection((LOOPBACK, self._port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._poll.register(self._socket, select.EPOLLIN)

    def close(self) -> None:
        """Closes it, which also takes it off the poll."""
        link, self._socket = self._socket, None
        self._unsent, self._answers, self.due = memoryview(b""), Answers(), 0
        if link is not None:
            link.close()

    def write(self, request: bytes, answers: int) -> None:
        """Begins to write; the rest follows as the server takes it."""
        self.due = answers
        self._unsent = memoryview(request)
        self._flush()
        if self._unsent and self._socket is not None:
            self._poll.modify(self._socket, select.EPOLLIN | select.EPOLLOUT)

    def advance(self) -> int:
        """Writes on and reads what has come; how many answers that completed."""
        assert self._socket is not None
        if not self.due:  # an idle connection that the server closes
            self.close()
            return 0
        if self._unsent:
            self._flush()
            if not self._unsent:
                self._poll.modify(self._socket, select.EPOLLIN)
        try:
            piece = self._socket.recv(PIECE)
        except BlockingIOError:
            return 0
        if not piece:
            raise PublishError(f"the connection ended, {self.due} answers due; {self._answers.rest()}")
        count = self._answers.feed(piece)
        self.due -= count
        return count

    def _flush(self) -> None:
        assert self._socket is not None
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return


class Answers:
    """Counts the answers in what a connection brings, and raises at the first that is not 2xx."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, piece: bytes) -> int:
        """How many answers this piece completed."""
        self._received += piece
        count = 0
        while (length := _length(self._received)) is not None:
            if self._received[9:10] != b"2":
                raise PublishError(self.rest())
            del self._received[:length]
            count += 1
        return count

    def rest(self) -> str:
        """The beginning of what was not counted."""
        return self._received[:SHOWN].decode(errors="replace")


def _length(received: bytearray) -> int | None:
    """Bytes of the first answer, head and body; `None` while it is not whole."""
    body = received.find(_END_OF_HEAD) + len(_END_OF_HEAD)
    if body < len(_END_OF_HEAD):
        return None
    if match := _LENGTH.search(received, 0, body):
        end: int | None = body + int(match[1])
    elif _CHUNKED.search(received, 0, body):
        end = _end_of_chunks(received, body)
    elif received[9:12] == b"204":
        end = body
    else:
        raise PublishError(f"an answer of unknown length: {received[:SHOWN].decode(errors='replace')}")
    return end if end is not None and end <= len(received) else None


def _end_of_chunks(received: bytearray, start: int) -> int | None:
    """Where a chunked body without trailers ends."""
    while (end := received.find(b"\r\n", start)) >= 0:
        size = int(received[start:end].partition(b";")[0], 16)
        start = end + size + 4  # the line's end, and the chunk's own
        if size == 0:
            return start
    return None
