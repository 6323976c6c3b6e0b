"""Our own gunicorn worker: starts the runtime before it accepts, and ends streams well when it is told to stop."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from hermes.errors import SettingsError, StoreError, Unavailable
from hermes.streaming.responses import answering_on_plain_sockets

RETRY_START = 2.0
"""Seconds between tries to start while the store is away."""

LAST_REQUEST = 1.0
"""Seconds that a stopping process waits for a request on connections that are idle, before it closes them."""

SPARE_TIME = 1.0
"""Seconds before the end of the graceful timeout at which a process ends whatever is left."""

REST_BYTES = 16 * 1024 * 1024
REST_PIECE = 256 * 1024
"""Bytes of a refused body that are taken, so that its sender gets to read why, and how many between two turns."""


class HermesWorker(GeventWorker):
    """A gevent worker that knows the runtime of the application it serves."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle: dict[Any, gevent.Timeout] = {}
        self._ends_by = 0.0
        self.runtime: Any = None

    def load_wsgi(self) -> None:
        """Load the application; see gunicorn."""
        super().load_wsgi()
        application: Any = self.wsgi
        self.runtime = application.extensions["hermes"]
        if not self.cfg.is_ssl and self.cfg.protocol == "http":
            self.wsgi = answering_on_plain_sockets(application)

    def start_runtime(self) -> None:
        """Open the store and fill the tail before the first connection is accepted; wait for a store that is away."""
        try:
            while True:
                try:
                    self.runtime.start(keep_alive=self.notify)
                    break
                except Unavailable as error:
                    self.log.warning("The store is away, trying again: %s", error)
                    self._wait(RETRY_START)
        except (StoreError, SettingsError) as error:
            self.log.error("%s", error)
            sys.exit(3)  # gunicorn's code for a worker that cannot boot: the server stops
        tune_garbage_collector()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.notify()
            gevent.sleep(0.2)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        """Answer a request, and take what the application left of its body, in turns with everything else.

        gunicorn itself takes it by the kilobyte without a turn: 10 MB held the event loop for 0.6 s (measured).
        """
        answered: bool = super().handle_request(listener_name, req, sock, addr)
        if sock.fileno() < 0 or getattr(req.body.reader, "length", None) == 0:
            return answered  # the socket is a stream's now, or nothing is left
        taken = False
        with self.timeout_ctx():
            taken = take_rest(req.body)
        if not taken:
            raise StopIteration  # gunicorn's word for the end of a connection
        return answered

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: stop accepting, as gunicorn does, and end each stream with ``close`` and its own ``retry``."""
        super().handle_exit(sig, frame)
        if self.runtime is None:
            sys.exit(0)  # told to stop while it was starting
        self._ends_by = time.monotonic() + self.cfg.graceful_timeout - SPARE_TIME
        gevent.spawn(self._end)

    def run(self) -> None:
        """Serve until told to stop, and then until the streams have ended: gunicorn does not know of those any more."""
        super().run()
        while len(self.runtime.registry) and time.monotonic() < self._ends_by:
            self.notify()
            gevent.sleep(0.1)

    def _end(self) -> None:
        self.runtime.drain()
        gevent.sleep(LAST_REQUEST)
        for greenlet, timeout in list(self._idle.items()):
            gevent.kill(greenlet, timeout)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:  # type: ignore[override]  # the base raises NotImplementedError
        """The time that a connection may take between two requests; over at once when this process is about to stop."""
        timeout = gevent.Timeout(self.cfg.keepalive, False)  # type: ignore[arg-type]  # as gevent documents it
        greenlet = gevent.getcurrent()
        self._idle[greenlet] = timeout
        try:
            with timeout:
                yield
        finally:
            del self._idle[greenlet]


def take_rest(body: Any) -> bool:
    """Read and forget what is left of a request's body; ``False`` where it is too much."""
    left = REST_BYTES
    while left > 0:
        data = body.read(REST_PIECE)
        if not data:
            return True
        left -= len(data)
        gevent.sleep(0)
    return False


def tune_garbage_collector() -> None:
    """Leave out of every collection what lives as long as the process, and collect less often (measured: a fifth less CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
