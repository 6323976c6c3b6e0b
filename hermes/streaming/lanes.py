"""The two ways from a listener to a socket.

*Portable*: a plain WSGI iterable; whatever server runs it writes. *Direct*: on a plain TCP socket of our own gunicorn worker
the hub's dispatch writes the shared bytes itself, framed as that response is (chunked or not), and nothing of Python runs
for a stream but one ``send``.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from gevent import get_hub
from gevent.socket import wait_write

from hermes.core.hub import as_chunk
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from hermes.streaming.listener import CloseReason, Listener
from hermes.streaming.member import Waiter

FLUSH_LOOK = 1.0
"""Seconds between looks at the close reason while a socket takes nothing."""


class PlainSocket(NamedTuple):
    """A connection that the direct lane can use, and whether the response is sent in chunks.

    The socket is the one below gevent's, which never waits.
    """

    socket: socket.socket
    chunked: bool


class SocketRules(NamedTuple):
    """What the kernel is told of a stream's socket: bytes of send buffer, seconds without any acknowledgement."""

    send_buffer: int
    send_timeout: float

    def apply(self, connection: socket.socket) -> None:
        """Bound what a reader that stopped, or vanished, can hold (both measured: 3.9 MB and 15 minutes without)."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        milliseconds = int((self.send_timeout + 2) * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


class LeaveWatch:
    """Notices a client that leaves by watching its socket for reading, without a greenlet."""

    __slots__ = ("_connection", "_on_leave", "_watcher")

    def __init__(self, connection: socket.socket, on_leave: Callable[[], None]) -> None:
        self._connection = connection
        self._on_leave = on_leave
        self._watcher = get_hub().loop.io(connection.fileno(), 1)
        self._watcher.start(self._readable)

    def _readable(self) -> None:
        try:
            left = self._connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return
        except OSError:
            left = True
        # What else a client sends on a stream is a pipelined request: it waits, and is no sign of leaving.
        self.stop()
        if left:
            self._on_leave()

    def stop(self) -> None:
        """Watch no more; the descriptor may be used again."""
        self._watcher.stop()
        self._watcher.close()


class DirectMember(Waiter):
    """A stream that the hub can write to."""

    __slots__ = ("_connection", "_on_error", "owed")

    def __init__(
        self, subscription: Subscription, position: Position, ids: tuple[str, ...], now: float, plain: PlainSocket
    ) -> None:
        super().__init__(subscription, position, ids, now)
        self.chunked = plain.chunked
        self.owed: memoryview | None = None
        self._connection = plain.socket
        self._on_error: Callable[[], None] = _nothing

    def on_error(self, call: Callable[[], None]) -> None:
        """What to do when the socket turns out to be dead."""
        self._on_error = call

    def write(self, data: bytes | memoryview) -> int:
        """Give the kernel what it takes now; 0 where it takes nothing or the client is gone."""
        try:
            return self._connection.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._on_error()
            return 0

    def owe(self, rest: memoryview) -> None:
        """Keep the rest of a frame; it goes out before anything else."""
        self.owed = rest


def _nothing() -> None:
    return None


class PortableStream:
    """The WSGI iterable of a stream on any server."""

    def __init__(self, listener: Listener, on_close: Callable[[Listener], None]) -> None:
        self._listener = listener
        self._on_close: Callable[[Listener], None] | None = on_close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while True:
            piece = self._listener.next_piece()
            if piece is not None:
                return piece
            if self._listener.ended:
                raise StopIteration
            self._listener.wait()

    def close(self) -> None:
        """The server is done with the stream, started or not (a HEAD or an early abort never starts it)."""
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            on_close(self._listener)


class WatchedStream(PortableStream):
    """The portable lane on a plain socket: a client that leaves is noticed at once."""

    def __init__(self, listener: Listener, on_close: Callable[[Listener], None], plain: PlainSocket) -> None:
        super().__init__(listener, on_close)
        self._watch = LeaveWatch(plain.socket, lambda: listener.close(CloseReason.GONE))

    def close(self) -> None:
        """See :class:`PortableStream`."""
        self._watch.stop()
        super().close()


class DirectStream(WatchedStream):
    """The WSGI iterable whose first piece the server writes, with the headers, and whose rest goes straight to the socket."""

    def __init__(
        self,
        listener: Listener,
        member: DirectMember,
        on_close: Callable[[Listener], None],
        plain: PlainSocket,
        rules: SocketRules,
    ) -> None:
        super().__init__(listener, on_close, plain)
        self._member = member
        self._plain = plain
        self._rules = rules
        self._begun = False
        member.on_error(lambda: listener.close(CloseReason.GONE))

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            self._rules.apply(self._plain.socket)
            return super().__next__()
        self._run()
        raise StopIteration

    def _run(self) -> None:
        while True:
            piece = self._listener.next_piece() if self._flush() else None
            if piece is not None:
                self._send(piece)
                time.sleep(0)
            elif self._listener.ended:
                return
            elif self._listener.close_reason in (CloseReason.SLOW, CloseReason.GONE):
                self._cut()
                return
            else:
                self._listener.wait()

    def _send(self, piece: bytes) -> None:
        data = as_chunk(piece) if self._plain.chunked else piece
        taken = self._member.write(data)
        if taken < len(data):
            self._member.owe(memoryview(data)[taken:])

    def _flush(self) -> bool:
        """Write what is owed; ``False`` where the socket took nothing for the send timeout, or the client is gone."""
        deadline = time.monotonic() + self._rules.send_timeout
        while self._member.owed is not None:
            taken = self._member.write(self._member.owed)
            if self._listener.close_reason is CloseReason.GONE:
                return False
            if taken:
                rest = self._member.owed[taken:]
                self._member.owed = rest or None
                deadline = time.monotonic() + self._rules.send_timeout
            elif not self._wait_writable(deadline):
                return False
        return True

    def _wait_writable(self, deadline: float) -> bool:
        now = time.monotonic()
        if now >= deadline:
            self._listener.close(CloseReason.SLOW)
            return False
        with suppress(TimeoutError):
            wait_write(self._plain.socket.fileno(), min(FLUSH_LOOK, deadline - now))
        return True

    def _cut(self) -> None:
        """End the connection at once, and free what the kernel holds for it."""
        self._listener.ended = True
        self._plain.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            self._plain.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
