"""Plain TCP sockets below gevent's: what a stream asks of the kernel, and what the kernel tells of the other end."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from typing import NamedTuple

ENVIRON_KEY = "hermes.plain_socket"
"""Where in the WSGI environ our worker puts the :class:`PlainSocket` of a connection that is one."""


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
        waiting = fcntl.ioctl(self._connection.fileno(), termios.TIOCOUTQ, _NOTHING)
        if waiting == _NOTHING:
            self._since = None
            return None
        now = time.monotonic()
        info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        (acknowledged,) = _BYTES_ACKED.unpack(info)
        if self._since is None or acknowledged != self._acknowledged:
            self._acknowledged, self._since = acknowledged, now
        return now - self._since


_NOTHING = bytes(4)

_BYTES_ACKED = struct.Struct("120xQ")
"""Where ``tcpi_bytes_acked`` stands in the kernel's ``struct tcp_info`` (linux/tcp.h)."""
