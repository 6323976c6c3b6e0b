"""The two ways from a listener to a socket.

*Portable*: a plain WSGI iterable; whatever server runs it writes. *Direct*: the stream takes a plain TCP socket over from our
own gunicorn worker, which then holds nothing of the request any more; the hub's dispatch writes the shared bytes itself,
framed as that response is (chunked or not), and nothing of Python runs for a stream but one ``send``.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from gevent import get_hub
from gevent.socket import wait_write

from hermes.core.hub import as_chunk
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from hermes.streaming.listener import CloseReason, Listener
from hermes.streaming.member import Waiter

log = structlog.get_logger(__name__)

ENVIRON_KEY = "hermes.plain_socket"
"""Where in the WSGI environ our worker puts the :class:`PlainSocket` of a connection that is one."""

FLUSH_LOOK = 1.0
"""Seconds between looks at the close reason while a socket takes nothing."""

WRITE_LOOK = 0.5
"""Seconds between looks at a socket while the server's own writer waits for it."""

SPARE = 2.0
"""Seconds above the send timeout that an idle client has to acknowledge what it was sent."""

LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body (RFC 9112, section 7.1)."""


class PlainSocket(NamedTuple):
    """A connection of our own worker: the socket below gevent's, which never waits, and whether the response is chunked."""

    socket: socket.socket
    chunked: bool


class SocketRules(NamedTuple):
    """Bytes that the kernel may hold for a stream (3.9 MB without, measured), and seconds that it may take nothing."""

    send_buffer: int
    send_timeout: float

    def apply(self, connection: socket.socket) -> None:
        """Tell the kernel."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)


class Progress:
    """Whether the other end of a socket still takes what is sent: it acknowledges bytes, or none wait for it.

    Asked of the kernel's own count. ``send`` shows a slow link only when whole segments of up to 64 kB are through, and
    TCP_USER_TIMEOUT ends a reader that is slow but steady, as one whose window never holds a segment (both measured).
    """

    __slots__ = ("_acknowledged", "_connection", "_since")

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._acknowledged = 0
        self._since: float | None = None

    def stalled(self) -> float | None:
        """Seconds since bytes were first seen to wait without any being acknowledged; ``None`` where none wait."""
        waiting = fcntl.ioctl(self._connection.fileno(), termios.TIOCOUTQ, bytes(4))
        if not any(waiting):
            self._since = None
            return None
        now = time.monotonic()
        info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        (acknowledged,) = _BYTES_ACKED.unpack(info)
        if self._since is None or acknowledged != self._acknowledged:
            self._acknowledged, self._since = acknowledged, now
        return now - self._since


_BYTES_ACKED = struct.Struct("120xQ")
"""Where ``tcpi_bytes_acked`` stands in the kernel's ``struct tcp_info`` (linux/tcp.h)."""


class LeaveWatch:
    """Notices a client that leaves by watching its socket for reading, without a greenlet."""

    __slots__ = ("_connection", "_listener", "_watcher")

    def __init__(self, connection: socket.socket, listener: Listener) -> None:
        self._connection = connection
        self._listener = listener
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
            self._listener.close(CloseReason.GONE)

    def stop(self) -> None:
        """Watch no more; the descriptor may be used again."""
        self._watcher.stop()
        self._watcher.close()


class DirectMember(Waiter):
    """A stream that the hub can write to, once it has its socket."""

    __slots__ = ("connection", "gone", "owed")

    def __init__(
        self, subscription: Subscription, position: Position, ids: tuple[str, ...], now: float, *, chunked: bool
    ) -> None:
        super().__init__(subscription, position, ids, now)
        self.chunked = chunked
        self.connection: Any = None
        self.owed: memoryview | None = None
        self.gone = False

    def write(self, data: bytes | memoryview) -> int:
        """Give the kernel what it takes now; 0 where it takes nothing or the client is gone."""
        try:
            taken: int = self.connection.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.gone = True
            return 0
        return taken

    def owe(self, rest: memoryview) -> None:
        """Keep the rest of a frame; it goes out before anything else."""
        self.owed = rest


class PortableStream:
    """The WSGI iterable of a stream on any server."""

    __slots__ = ("_on_close", "listener")

    def __init__(self, listener: Listener, on_close: Callable[[Listener], None]) -> None:
        self.listener = listener
        self._on_close: Callable[[Listener], None] | None = on_close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while True:
            piece = self.listener.next_piece()
            if piece is not None:
                return piece
            if self.listener.ended:
                raise StopIteration
            self.listener.wait()

    def close(self) -> None:
        """The server is done with the stream, started or not (a HEAD or an early abort never starts it)."""
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            on_close(self.listener)


class WatchedStream(PortableStream):
    """The portable lane on a plain socket: a client that leaves, or takes nothing, is noticed though the server writes."""

    __slots__ = ("_connection", "_looks", "_progress", "_rules", "_watch")

    def __init__(
        self, listener: Listener, on_close: Callable[[Listener], None], plain: PlainSocket, rules: SocketRules
    ) -> None:
        super().__init__(listener, on_close)
        self._connection = plain.socket
        self._rules = rules
        self._progress = Progress(plain.socket)
        self._watch = LeaveWatch(plain.socket, listener)
        self._looks = get_hub().loop.timer(WRITE_LOOK, WRITE_LOOK)
        rules.apply(plain.socket)

    def __next__(self) -> bytes:
        self._looks.stop()
        piece = super().__next__()
        self._looks.start(self._look)
        return piece

    def _look(self) -> None:
        """While the server writes: a socket that took nothing for the send timeout is broken off, which ends the write."""
        if (self._progress.stalled() or 0.0) >= self._rules.send_timeout:
            self.listener.close(CloseReason.SLOW)
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See :class:`PortableStream`."""
        self._looks.stop()
        self._looks.close()
        self._watch.stop()
        super().close()


class DirectStream(PortableStream):
    """A stream that has its socket to itself. Iterating gives its first piece, which goes out with the headers."""

    __slots__ = ("_member", "_progress", "_rules")

    def __init__(
        self, listener: Listener, member: DirectMember, on_close: Callable[[Listener], None], rules: SocketRules
    ) -> None:
        super().__init__(listener, on_close)
        self._member = member
        self._rules = rules

    def run(self, connection: socket.socket) -> None:
        """Serve the stream on ``connection``, which is non-blocking and its own, to the end, and close it."""
        self._member.connection = connection
        self._progress = Progress(connection)
        watch = LeaveWatch(connection, self.listener)
        try:
            self._rules.apply(connection)
            if self._serve():
                self._end_body()
            else:
                self._cut()
        except OSError as error:
            log.debug("the socket of a stream failed", error=str(error))
        except Exception:
            log.exception("stream failed")
        finally:
            watch.stop()
            self.close()
            connection.close()

    def _serve(self) -> bool:
        """Whether the stream ended as it should; else its socket is dead or takes nothing."""
        while True:
            if not self._flush():
                return False
            piece = self.listener.next_piece()
            if piece is not None:
                self._send(piece)
                time.sleep(0)
            elif self.listener.ended:
                return self.listener.close_reason is not CloseReason.GONE
            elif not self._wait():
                return False

    def _wait(self) -> bool:
        """Park; ``False`` where the client has vanished: it left what was sent unacknowledged for the send timeout and more."""
        stalled, patience = self._progress.stalled(), self._rules.send_timeout + SPARE
        if stalled is not None and stalled >= patience:
            self.listener.close(CloseReason.GONE)
            return False
        self.listener.wait(None if stalled is None else patience - stalled)
        return True

    def _send(self, piece: bytes) -> None:
        data = as_chunk(piece) if self._member.chunked else piece
        taken = self._member.write(data)
        if taken < len(data):
            self._member.owe(memoryview(data)[taken:])

    def _flush(self) -> bool:
        """Write what is owed; ``False`` where the socket took nothing for the send timeout, or the client is gone."""
        while self._member.owed is not None and not self._gone():
            taken = self._member.write(self._member.owed)
            if taken:
                rest = self._member.owed[taken:]
                self._member.owed = rest or None
            elif not self._wait_writable():
                return False
        return not self._gone()

    def _gone(self) -> bool:
        if self._member.gone:
            self.listener.close(CloseReason.GONE)
        return self.listener.close_reason is CloseReason.GONE

    def _wait_writable(self) -> bool:
        left = self._rules.send_timeout - (self._progress.stalled() or 0.0)
        if left <= 0:
            self.listener.close(CloseReason.SLOW)
            return False
        with suppress(TimeoutError):
            wait_write(self._member.connection.fileno(), min(FLUSH_LOOK, left))
        return True

    def _end_body(self) -> None:
        """Finish the response, and read what the client sent meanwhile: unread bytes would turn the end into a reset."""
        if self._member.chunked:
            self._member.owe(memoryview(LAST_CHUNK))
            self._flush()
        connection = self._member.connection
        connection.shutdown(socket.SHUT_WR)
        with suppress(BlockingIOError):
            while connection.recv(65_536):
                pass

    def _cut(self) -> None:
        """End the connection at once, and free what the kernel holds for it."""
        self._member.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
