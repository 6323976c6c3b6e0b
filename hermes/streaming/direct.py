"""The direct lane: a stream takes a plain TCP socket over from our own gunicorn worker, and the hub writes to it.

The hub's dispatch sends the shared bytes, framed as the response is (chunked or not); nothing of Python runs for a live
stream but one ``send``, and nothing is kept for it: no greenlet, no timer, no watcher. It *goes on* in a greenlet when it is
woken, for as long as there is something to do. The rounds visit it for its heartbeat, and departures tell when it leaves.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from gevent import spawn_raw
from gevent.socket import wait_write

from hermes.core.hub import Hub, as_chunk
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from hermes.streaming.departures import Departures
from hermes.streaming.listener import CloseReason, Listener
from hermes.streaming.member import Waiter, nothing_taken
from hermes.streaming.portable import PortableStream
from hermes.streaming.rounds import Rounds
from hermes.streaming.sockets import Progress, SocketRules

log = structlog.get_logger(__name__)

FLUSH_LOOK = 0.5
"""Seconds between looks at the close reason while a socket takes nothing."""

LAST_WAIT = 0.5
"""Seconds that a stream whose credentials have ended has for what is still under way."""

SPARE = 2.0
"""Seconds above the send timeout that an idle client has to acknowledge what it was sent."""

JOINED_BYTES = 16_384
"""So much is joined into one write, if there is more than one piece."""

YIELD_BYTES = 4096
"""A stream that sent so much at once, or is still behind, lets everything else have its turn."""

LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body (RFC 9112, section 7.1)."""


class DirectMember(Waiter):
    """A stream that the hub can write to, once it has its socket."""

    __slots__ = ("gone", "owed", "parked", "resume")

    def __init__(
        self, subscription: Subscription, position: Position, ids: tuple[str, ...], now: float, *, chunked: bool
    ) -> None:
        super().__init__(subscription, position, ids, now)
        self.chunked = chunked
        self.owed: memoryview | None = None
        self.gone = False
        self.parked = False
        self.resume: Callable[[], None] | None = None

    def begin(self, connection: socket.socket, resume: Callable[[], None]) -> None:
        """From now on it has its socket; ``resume`` is run in a greenlet when it is woken while parked."""
        self.write = connection.send
        self.resume = resume

    def end(self) -> None:
        """It takes nothing any more."""
        self.write, self.resume = nothing_taken, None
        self.parked = False

    def give(self, data: bytes | memoryview) -> int:
        """Give the kernel what it takes now; 0 where it takes nothing, the client is gone, or there is no socket yet."""
        try:
            return self.write(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.gone = True
            return 0

    def owe(self, rest: memoryview) -> None:
        """Keep the rest of a frame; it goes out before anything else."""
        self.owed = rest

    def park(self, hub: Hub, *, live: bool) -> bool:
        """Leave it to the hub to write or to wake; ``False`` where there is something to do at once."""
        self.parked = not self.woken and hub.park(self, live=live)
        self.woken = False
        return self.parked

    def wake(self) -> None:
        """Go on."""
        super().wake()
        if self.parked and self.resume is not None:
            self.parked = False
            spawn_raw(self.resume)


class DirectLane:
    """What the streams of one process share: the hub, the rules of their sockets, the rounds and the departures."""

    def __init__(self, hub: Hub, rules: SocketRules, rounds: Rounds, departures: Departures) -> None:
        self.hub = hub
        self.rules = rules
        self.rounds = rounds
        self.departures = departures

    def close(self) -> None:
        """No stream is served any more."""
        self.rounds.close()
        self.departures.close()

    @property
    def patience(self) -> float:
        """Seconds that what was sent may be left unacknowledged."""
        return self.rules.send_timeout + SPARE


class DirectStream(PortableStream):
    """A stream that has its socket to itself. Where nobody hands the socket over (a middleware wraps it), it is portable."""

    __slots__ = ("_connection", "_lane", "_progress", "next_round")

    _member: DirectMember

    def __init__(
        self, listener: Listener, member: DirectMember, on_close: Callable[[Listener], None], lane: DirectLane
    ) -> None:
        super().__init__(listener, member, on_close)
        self._lane = lane
        self.next_round: int | None = None

    def begin(self, connection: socket.socket, headers: bytes) -> None:
        """Serve the stream on ``connection``, which is its own and never waits, and close it in the end; ``headers`` go first."""
        self._connection = connection
        self._progress = Progress(connection)
        self._member.begin(connection, self.go_on)
        try:
            self._lane.rules.apply(connection)
            self._lane.rounds.start()
            self._lane.departures.watch(connection, self._left)
        except Exception as error:
            self._failed(error)
            self._close()
            return
        self.go_on(headers)

    def go_on(self, headers: bytes = b"") -> None:
        """Send all that there is, then park, and leave nothing running."""
        try:
            self._lane.hub.unpark(self._member)
            if self._serve(headers):
                return
        except Exception as error:
            self._failed(error)
        self._close()

    def visit(self) -> None:
        """While it is parked: has the other end acknowledged what it was sent, and is its heartbeat or its end due?"""
        member, listener = self._member, self.listener
        if not member.parked:
            return
        stalled = self._progress.stalled()
        if stalled is not None and stalled >= self._lane.patience:
            listener.close(CloseReason.GONE)
        elif listener.until_deadline() > 0:
            self._ask_for_visit(stalled)
        elif listener.beat(self._framed):
            self._ask_for_visit(self._progress.stalled())  # of the heartbeat itself, too
        else:
            member.wake()

    def _ask_for_visit(self, stalled: float | None) -> None:
        within = self.listener.until_deadline()
        if stalled is not None:
            within = min(within, self._lane.patience - stalled)
        self._lane.rounds.put(self, within)

    def _serve(self, headers: bytes) -> bool:
        """Whether it is parked now; else the stream has ended, as it should or because its socket is dead."""
        while self._flush():
            pieces = self._ready()
            if pieces:
                self._send(headers + self._framed(b"".join(pieces)))
                headers = b""
            elif self.listener.ended:
                self._finish()
                return False
            elif self._member.park(self._lane.hub, live=self.listener.may_be_live):
                self._ask_for_visit(self._progress.stalled())
                return True
        self._cut()
        return False

    def _ready(self) -> list[bytes]:
        """The next piece, and with it what follows without a page of the log, which may take its time."""
        pieces: list[bytes] = []
        size = 0
        while (piece := self.listener.next_piece()) is not None:
            pieces.append(piece)
            size += len(piece)
            if size >= JOINED_BYTES or self.listener.lag:
                break
        return pieces

    def _send(self, data: bytes) -> None:
        taken = self._member.give(data)
        if taken < len(data):
            self._member.owe(memoryview(data)[taken:])
        if len(data) >= YIELD_BYTES or self.listener.lag:
            time.sleep(0)

    def _framed(self, piece: bytes) -> bytes:
        return as_chunk(piece) if self._member.chunked else piece

    def _flush(self) -> bool:
        """Write what is owed; ``False`` where the socket took nothing for the send timeout, or the client is gone or must go."""
        ends_by: float | None = None
        while self._member.owed is not None and not self._is_gone():
            if self.listener.is_over():
                ends_by = ends_by or time.monotonic() + LAST_WAIT
                if time.monotonic() >= ends_by:
                    return False
            taken = self._member.give(self._member.owed)
            if taken:
                rest = self._member.owed[taken:]
                self._member.owed = rest or None
            elif not self._wait_writable():
                return False
        return not self._is_gone()

    def _is_gone(self) -> bool:
        """Whether its socket is dead, also where the stream was about to end for another reason."""
        if self._member.gone:
            self.listener.close(CloseReason.GONE)
        return self._member.gone or self.listener.close_reason is CloseReason.GONE

    def _wait_writable(self) -> bool:
        left = self._lane.rules.send_timeout - (self._progress.stalled() or 0.0)
        if left <= 0:
            self.listener.close(CloseReason.SLOW)
            return False
        with suppress(TimeoutError):
            wait_write(self._connection.fileno(), min(FLUSH_LOOK, left))
        return True

    # The end

    def _left(self) -> None:
        self.listener.close(CloseReason.GONE)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OSError):
            log.debug("the socket of a stream failed", error=str(error))
        else:
            log.error("stream failed", exc_info=error)

    def _finish(self) -> None:
        """Finish the response, and read what the client sent meanwhile: unread bytes would turn the end into a reset."""
        if self.listener.close_reason is CloseReason.GONE:
            self._cut()
            return
        if self._member.chunked:
            self._member.owe(memoryview(LAST_CHUNK))
            self._flush()
        self._connection.shutdown(socket.SHUT_WR)
        with suppress(BlockingIOError):
            while self._connection.recv(65_536):
                pass

    def _cut(self) -> None:
        """End the connection at once, and free what the kernel holds for it."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _close(self) -> None:
        self._lane.rounds.take_out(self)
        self._lane.departures.forget(self._connection)
        self._member.end()
        self.close()
        self._connection.close()
