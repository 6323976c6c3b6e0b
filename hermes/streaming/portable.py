"""The portable lane: a stream as a plain WSGI iterable, which whatever server runs it writes to the socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from gevent import get_hub

from hermes.streaming.departures import Departures
from hermes.streaming.listener import CloseReason, Listener
from hermes.streaming.member import Waiter
from hermes.streaming.sockets import PlainSocket, Progress, SocketRules

WRITE_LOOK = 0.5
"""Seconds between looks at a socket while the server's own writer waits for it."""


class PortableStream:
    """The WSGI iterable of a stream on any server."""

    __slots__ = ("_member", "_on_close", "listener")

    def __init__(self, listener: Listener, member: Waiter, on_close: Callable[[Listener], None]) -> None:
        self.listener = listener
        self._member = member
        self._on_close: Callable[[Listener], None] | None = on_close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        listener = self.listener
        while True:
            piece = listener.next_piece()
            if piece is not None:
                return piece
            if listener.ended:
                raise StopIteration
            self._member.wait(listener.hub, listener.until_deadline(), live=listener.may_be_live)

    def close(self) -> None:
        """The server is done with the stream, started or not (a HEAD or an early abort never starts it)."""
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            on_close(self.listener)


class WatchedStream(PortableStream):
    """The portable lane on a plain socket: a client that leaves, or takes nothing, is noticed though the server writes."""

    __slots__ = ("_connection", "_departures", "_looks", "_progress", "_rules")

    def __init__(
        self,
        listener: Listener,
        member: Waiter,
        on_close: Callable[[Listener], None],
        plain: PlainSocket,
        rules: SocketRules,
        departures: Departures,
    ) -> None:
        super().__init__(listener, member, on_close)
        self._connection = plain.socket
        self._rules = rules
        self._departures = departures
        self._progress = Progress(plain.socket)
        rules.apply(plain.socket)
        departures.watch(plain.socket, self._left)
        self._looks = get_hub().loop.timer(WRITE_LOOK, WRITE_LOOK)

    def __next__(self) -> bytes:
        self._looks.stop()
        piece = super().__next__()
        self._looks.start(self._look)
        return piece

    def _left(self) -> None:
        self.listener.close(CloseReason.GONE)

    def _look(self) -> None:
        """While the server writes: a socket that took nothing for the send timeout is broken off, which ends the write; one
        whose stream has to end, as soon as it takes nothing.
        """
        stalled = self._progress.stalled() or 0.0
        if stalled >= self._rules.send_timeout or (stalled and self.listener.is_over()):
            self.listener.close(CloseReason.SLOW)
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See :class:`PortableStream`."""
        self._looks.stop()
        self._looks.close()
        self._departures.forget(self._connection)
        super().close()
