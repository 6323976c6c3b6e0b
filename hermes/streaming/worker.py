"""Our own gunicorn worker: starts the runtime before it accepts, and ends streams well when it is told to stop."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterable
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Literal, Self

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from hermes.errors import SettingsError, StoreError, Unavailable
from hermes.streaming.connection import Connection, Unreader, may_serve
from hermes.streaming.responses import answering_on_plain_sockets

RETRY_START = 2.0
"""Seconds between tries to start while the store is away."""

LAST_REQUEST = 1.0
"""Seconds that a stopping process waits for a request on connections that are idle, before it closes them."""

SPARE_TIME = 1.0
"""Seconds before the end of the graceful timeout at which a process ends whatever is left."""

NOTIFY = 1.0
"""Seconds between two signs of life to the master process."""

END_LOOK = 0.1
"""Seconds between two looks whether all has ended."""

ROOM = 50
"""Connections that are always left for who has something to ask."""

REST_BYTES = 16 * 1024 * 1024
REST_PIECE = 256 * 1024
"""Bytes of a refused body that are taken, so that its sender gets to read why, and how many between two turns."""


class HermesWorker(GeventWorker):
    """A gevent worker that knows the runtime of the application it serves."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle: dict[Patience, None] = {}  # a set in the order of its entries
        self.waiting: dict[Unreader, None] = {}  # likewise: connections on which a client is sending, heads and bodies
        self._told = Event()
        self._ends_by = 0.0
        self._connections = 0
        self._serves_plain = False
        self.runtime: Any = None

    def load_wsgi(self) -> None:
        """Load the application; see gunicorn."""
        super().load_wsgi()
        application: Any = self.wsgi
        self.runtime = application.extensions["hermes"]
        if not self.cfg.is_ssl and self.cfg.protocol == "http":
            self.wsgi = answering_on_plain_sockets(application)
        self._serves_plain = may_serve(self.cfg, self.log)

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
        """Answer a request; raises ``StopIteration``, gunicorn's word for it, where the connection is to end."""
        began = time.monotonic()
        answered: bool = super().handle_request(listener_name, req, sock, addr)
        if sock.fileno() >= 0:  # it is not a stream's now
            self.take_rest(req, began)
        return answered

    def take_rest(self, req: Any, began: float) -> None:
        """Take what the application left of the body of a request that it got at ``began``, in turns with everything else.

        gunicorn itself takes it by the kilobyte without a turn: 10 MB held the event loop for 0.6 s (measured). Raises
        ``StopIteration`` where it is too much, or takes too long: a body that was waited for has had its time.
        """
        if getattr(req.body.reader, "length", None) == 0:
            return
        left = began + self.cfg.keepalive - time.monotonic()
        if left <= 0:
            raise StopIteration
        with Patience(left, self._idle) as patience:
            if not take_rest(req.body):
                raise StopIteration
        if patience.over:
            raise StopIteration

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        if not self._serves_plain:
            super().handle(listener, client, addr)
            return
        client.settimeout(self.runtime.settings.send_timeout)  # of reading, Patience takes care, which is shorter
        self._connections += 1
        self._make_room()
        try:
            Connection(self, listener.getsockname(), client, addr).serve()
        finally:
            self._connections -= 1

    def _make_room(self) -> None:
        """Where hardly another connection would be accepted, let one go: of those that have asked nothing for longest, or else
        of those whose bodies are waited for.
        """
        if self._connections > self.worker_connections - ROOM:
            candidates: Iterable[Patience | Unreader] = self._idle or self.waiting
            waiting = next(iter(candidates), None)
            if waiting is not None:
                waiting.end()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: stop accepting, as gunicorn does, and end each stream with ``close`` and its own ``retry``."""
        super().handle_exit(sig, frame)
        if self.runtime is None:
            sys.exit(0)  # told to stop while it was starting
        self._ends_by = self._latest_end()
        self._told.set()
        gevent.spawn(self._end)

    def run(self) -> None:
        """Serve until told to stop, and then until all connections and streams have ended, or there is no more time.

        In place of gunicorn's own, which looks only once a second whether it was told to stop or is done, and does not know of
        streams any more. With TLS it is gunicorn's.
        """
        if self.cfg.is_ssl:
            super().run()
        else:
            self._serve()
        while len(self.runtime.registry) and time.monotonic() < self._ends_by:
            self.notify()
            gevent.sleep(END_LOOK)

    def _serve(self) -> None:
        connections = Pool(self.worker_connections)
        servers = [self._started(sock, connections) for sock in self.sockets]
        while self.alive:
            self.notify()
            self._told.wait(NOTIFY)
        for server in servers:
            server.close()
        self._ends_by = self._ends_by or self._latest_end()
        while len(connections):
            if time.monotonic() >= self._ends_by:
                self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
                break
            self.notify()
            gevent.sleep(END_LOOK)
        for server in servers:
            server.stop(timeout=1)

    def _started(self, sock: Any, connections: Pool) -> StreamServer:
        """Accepts connections at a socket that listens."""
        sock.setblocking(True)
        server = StreamServer(sock, handle=partial(self.handle, sock), spawn=connections)
        if self.cfg.workers > 1:
            server.max_accept = 1  # one worker must not take what another is free for
        server.start()
        return server

    def _latest_end(self) -> float:
        return time.monotonic() + float(self.cfg.graceful_timeout) - SPARE_TIME

    def _end(self) -> None:
        self.runtime.drain()
        gevent.sleep(LAST_REQUEST)
        for patience in list(self._idle):
            patience.end()

    def timeout_ctx(self) -> Patience:  # type: ignore[override]  # the base raises NotImplementedError
        """The time that a connection may take between two requests; over at once when this process is about to stop."""
        return Patience(self.cfg.keepalive, self._idle)


class Patience(gevent.Timeout):
    """Seconds for what a ``with`` holds, which is given up after them, without an error; listed in ``waiting`` meanwhile."""

    def __init__(self, seconds: float, waiting: dict[Patience, None]) -> None:
        super().__init__(seconds, False)  # type: ignore[arg-type]  # as gevent documents it
        self.over = False
        self._waiting = waiting
        self._waits: Any = None
        self._end: Any = None

    def __enter__(self) -> Self:
        self._waiting[self] = None
        self._waits = gevent.getcurrent()
        super().__enter__()
        return self

    def end(self) -> None:
        """Let it be over, now and not one step after what it is for has ended."""
        self._waiting.pop(self, None)
        if self._end is None:
            self._end = gevent.get_hub().loop.run_callback(self._waits.throw, self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Literal[True] | None:
        self._waiting.pop(self, None)
        if self._end is not None:
            self._end.stop()
        was_it = super().__exit__(kind, error, trace)
        self.over = bool(was_it)
        return was_it


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
