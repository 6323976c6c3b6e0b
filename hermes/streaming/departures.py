"""Which clients leave: one look at all sockets of the process, where a watcher of its own costs each stream 1 kB."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

import structlog
from gevent import get_hub
from gevent.monkey import get_original

log = structlog.get_logger(__name__)

AT_ONCE = 1024
"""Clients that are told of in one turn of the event loop."""


class Departures:
    """Calls back when a client leaves. It opens its descriptor for the first stream: servers fork before that."""

    def __init__(self) -> None:
        self._left: dict[int, Callable[[], None]] = {}
        self._epoll: Any = None
        self._watcher: Any = None

    def watch(self, connection: socket.socket, left: Callable[[], None]) -> None:
        """Call ``left`` once, in the event loop, where nothing may wait, when the other end of ``connection`` leaves.

        That is: it has finished sending, or the connection broke (EPOLLRDHUP in epoll_ctl(2)). What else a client sends on a
        stream is a pipelined request, read by nobody: it is no sign of leaving.
        """
        if self._epoll is None:
            self._open()
        self._epoll.register(connection.fileno(), select.EPOLLRDHUP)
        self._left[connection.fileno()] = left

    def forget(self, connection: socket.socket) -> None:
        """Watch ``connection`` no more: before it is closed, for its descriptor may be used again. Idempotent."""
        if self._left.pop(connection.fileno(), None) is not None:
            self._epoll.unregister(connection.fileno())

    def close(self) -> None:
        """Watch nobody any more."""
        if self._epoll is not None:
            self._watcher.stop()
            self._watcher.close()
            self._epoll.close()
            self._left.clear()
            self._epoll = None

    def _open(self) -> None:
        self._epoll = get_original("select", "epoll")()
        self._watcher = get_hub().loop.io(self._epoll.fileno(), 1)
        self._watcher.start(self._look)

    def _look(self) -> None:
        for descriptor, _ in self._epoll.poll(0, AT_ONCE):
            self._epoll.unregister(descriptor)
            try:
                self._left.pop(descriptor)()
            except Exception:
                # gevent stops a watcher that fails, and nobody who leaves would be noticed any more.
                log.exception("a client left, and its stream could not be told")
