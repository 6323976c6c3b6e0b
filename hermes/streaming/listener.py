"""The listener: one connection's stream, from its opening to its close reason.

It owns the position, the filter, the heartbeat and the deadline, and hands out bytes; a lane takes them to the socket. While
it is behind it reads the log in bounded pieces; with nothing left to read the lane parks it at the hub.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from typing import NamedTuple, Protocol

import structlog

from hermes.core.clock import Clock, iso_time, milliseconds
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.recovery import Position, ResetReason
from hermes.core.retained import Snapshot, each_visible, newest_of_each_key
from hermes.core.sse import OPENING_COMMENT, control_frame, heartbeat_frame
from hermes.core.subscription import Subscription
from hermes.errors import Unavailable
from hermes.streaming.bearer import NOBODY, Bearer
from hermes.streaming.member import Waiter
from hermes.streaming.opening import Opener, Opening
from hermes.streaming.store import Store

log = structlog.get_logger(__name__)

PIECE_BYTES = 65_536
PIECE_EVENTS = 256
"""What a stream that is behind takes at once."""

CONFLATION_EVENTS = 5000
CONFLATION_BYTES = 4 * 1024 * 1024
"""How far ``overflow=latest`` looks ahead for newer state of the same key."""

STORE_PAUSE = 0.5
"""Seconds between tries of an open stream whose store is away."""


class CloseReason(StrEnum):
    """Every way a stream ends that the server chose, and ``gone``: the client left."""

    DRAIN = "drain"
    SLOW = "slow"
    EXPIRED = "expired"
    REVOKED = "revoked"
    KICKED = "kicked"
    MAX_AGE = "max_age"
    COMPLETE = "complete"
    ERROR = "error"
    GONE = "gone"


MOST_SAID = 16
"""Frames of no log that may wait for a stream."""

RECONNECTING = frozenset(
    {CloseReason.DRAIN, CloseReason.SLOW, CloseReason.EXPIRED, CloseReason.MAX_AGE, CloseReason.ERROR}
)
"""After these a client is asked to come back."""


NOT_WAITED_FOR = frozenset({CloseReason.EXPIRED, CloseReason.REVOKED, CloseReason.KICKED})
"""Who takes nothing then is cut: the end of the stream is due at once, and not when there is room for its last frame."""


_FAILED = "something went wrong on the server; its log has the cause"
FAILED = control_frame("error", {"code": "INTERNAL_ERROR", "message": _FAILED, "error": _FAILED})


class Pace(NamedTuple):
    """The times of a stream, in seconds, and the jittered ``retry`` that it begins with."""

    heartbeat: float
    retry: float
    max_age: float


class Place(Protocol):
    """What is given back when the stream ends."""

    def close(self) -> None:
        """Give it back. Idempotent."""


class _NoPlace:
    def close(self) -> None:
        """Nothing to give back."""


NO_PLACE = _NoPlace()


class Listener:
    """One stream. ``next_piece`` gives what to send now; with nothing to send a lane parks its member at ``hub``."""

    __slots__ = (
        "_clock",
        "_close_retry",
        "_ends_as",
        "_ends_at",
        "_late",
        "_late_except",
        "_latest",
        "_opener",
        "_pace",
        "_said",
        "_steps",
        "_store",
        "_target",
        "bearer",
        "close_reason",
        "ended",
        "hub",
        "member",
        "opened_at",
        "place",
    )

    def __init__(
        self,
        member: Waiter,
        opening: Opening,
        opener: Opener,
        *,
        store: Store,
        hub: Hub,
        clock: Clock,
        pace: Pace,
        bearer: Bearer = NOBODY,
        place: Place = NO_PLACE,
        latest: bool = False,
    ) -> None:
        self.member = member
        self.bearer = bearer
        self.place = place
        self.close_reason: CloseReason | None = None
        self.ended = False
        self.opened_at = clock.now()
        self._opener = opener
        self._store = store
        self.hub = hub
        self._clock = clock
        self._pace = pace
        self._latest = latest
        self._target: int | None = opening.target
        self._late = opening.late_snapshot
        self._late_except = opening.items
        self._ends_at, self._ends_as = _end(clock, pace, bearer)
        self._close_retry: float | None = None
        self._said: deque[bytes] | None = None
        self._steps: Iterator[bytes] | None = self._open(opening)

    @property
    def connection_id(self) -> str:
        """The id of this connection; ``member.ids`` has its former one too."""
        return self.member.ids[0]

    @property
    def subscription(self) -> Subscription:
        """What this stream asked for and may see."""
        return self.member.subscription

    @property
    def position(self) -> Position:
        """Where the stream stands."""
        return self.member.position

    @property
    def lag(self) -> int:
        """Numbers between this stream and its process."""
        return max(0, self.hub.last - self.hub.examined(self.member))

    def close(self, reason: CloseReason, retry: float | None = None) -> None:
        """End the stream soon: a ``close`` frame, with ``retry`` seconds for the client, then the end. First reason wins."""
        if self.close_reason is None:
            self.close_reason = reason
            self._close_retry = retry
            self.member.wake()

    def is_over(self) -> bool:
        """Whether the stream is to end even where its client takes nothing: what is under way is not waited for."""
        if self._past_end():
            self.close(self._ends_as)
        return self.close_reason in NOT_WAITED_FOR

    def say(self, frame: bytes) -> bool:
        """Send a frame of no log as soon as what is under way is out; ``False`` where the stream ends or has enough waiting."""
        if self.close_reason is not None or self.ended:
            return False
        self._said = deque() if self._said is None else self._said
        if len(self._said) == MOST_SAID:
            return False
        self._said.append(frame)
        self.member.wake()
        return True

    # What to send

    def next_piece(self) -> bytes | None:
        """The next bytes to send, or ``None``: then either the stream has ended or there is nothing to send yet."""
        while not self.ended:
            if self._past_end():
                self.close(self._ends_as)
            if self.close_reason is not None:
                # What is still to be sent of this piece is not lost: the client's cursor stands before it.
                self.ended = True
                return None if self.close_reason is CloseReason.GONE else self._close_frame()
            piece = next(self._steps, None) if self._steps is not None else None
            if piece is not None:
                return self._sent(piece)
            self._steps = None
            if self._said:
                return self._sent(self._said.popleft())
            if not self._advance():
                return self._sent(self._heartbeat()) if self._heartbeat_due() else None
        return None

    def beat(self, frame: Callable[[bytes], bytes]) -> bool:
        """Have the hub write the heartbeat of a parked stream, put into ``frame``, which is far cheaper than to go on.

        ``False`` where the stream has to go on, because more is due or not all was taken.
        """
        if self._past_end() or self.close_reason is not None or self._said:
            return False
        reached = self.hub.examined(self.member)
        data = frame(heartbeat_frame(Cursor(self.position.epoch, reached), self._timestamp()))
        return self.hub.write(self.member, data, reached, self._clock.monotonic())

    def _sent(self, piece: bytes) -> bytes:
        self.member.touched = self._clock.monotonic()
        return piece

    def _advance(self) -> bool:
        """Take one step through the log; ``False`` where there is nothing to take."""
        try:
            return self._advance_or_fail()
        except Unavailable:
            # The store is away: the stream stays open on heartbeats and tries again.
            self.member.pause(STORE_PAUSE)
            return False
        except Exception:
            log.exception("stream failed", connection_id=self.connection_id)
            self.close(CloseReason.ERROR)
            return True

    def _advance_or_fail(self) -> bool:
        if self.position.epoch != self.hub.epoch:
            self._begin_again(self._opener.after_epoch())
            return True
        if self._late is not None and self.position.number >= self._late.tip:
            self._steps = self._state(self._late, None, told=self._late_except)
            self._late = None
            return True
        if self._target is not None and self.position.number >= self._target:
            self._target = None
            self._steps = iter((self._heartbeat(),))
            return True
        return self.position.number < self.hub.last and self._replay()

    def _replay(self) -> bool:
        limits = (CONFLATION_EVENTS, CONFLATION_BYTES) if self._latest else (PIECE_EVENTS, PIECE_BYTES)
        page = self._store.page(self.position.number, *limits)
        if page.epoch != self.position.epoch:
            return True
        if self._late is not None:
            page = page.up_to(self._late.tip)
        taken = self.position.take(page, self.subscription, milliseconds(self._clock.now()))
        if taken.lost:
            self._begin_again(self._opener.after_loss(self.position, taken.lost))
            return True
        events = [(event, channel) for event, channel in taken.events if not self._excluded(event)]
        if self._latest:
            events = newest_of_each_key(events, self.subscription)
        if events:
            self._steps = self._frames(events)
        elif self.lag:
            time.sleep(0)  # a page that gave nothing took as long as one that gave much: others have their turn
        return True

    def _excluded(self, event: Event) -> bool:
        return bool(event.exclude) and any(connection in self.member.ids for connection in event.exclude)

    def _frames(self, events: list[tuple[Event, str]]) -> Iterator[bytes]:
        epoch, envelope = self.position.epoch, self.subscription.envelope
        return joined(event.frame(epoch, channel, envelope) for event, channel in events)

    # The opening, and beginning again

    def _open(self, opening: Opening) -> Iterator[bytes]:
        connected = {
            "connection_id": self.connection_id,
            "timestamp": self._timestamp(),
            "channels": self.subscription.items,
            "user_id": self.bearer.user_id,
            "heartbeat_interval": self._pace.heartbeat,
            "cursor": str(opening.position.cursor),
            "recovered": opening.recovered,
        }
        yield OPENING_COMMENT + control_frame("connected", connected, retry_ms=round(self._pace.retry * 1000))
        yield from self._reset_and_state(opening)

    def _begin_again(self, opening: Opening) -> None:
        self.member.position = opening.position
        self._target = opening.target
        if opening.reset is ResetReason.EPOCH_CHANGED:
            self._late = None
        self._late_except += opening.items
        self._steps = self._reset_and_state(opening)

    def _reset_and_state(self, opening: Opening) -> Iterator[bytes]:
        if opening.reset is not None:
            yield control_frame("reset", {"reason": opening.reset, "channels": opening.items})
        if opening.snapshot is not None:
            yield from self._state(opening.snapshot, opening.snapshot_items)

    def _state(self, snapshot: Snapshot, items: Collection[str] | None, told: Collection[str] = ()) -> Iterator[bytes]:
        entries = each_visible(snapshot, self.subscription, items, told)
        envelope = self.subscription.envelope
        return joined(event.retained_frame(channel, envelope) for event, channel in entries)

    # Heartbeat, deadline, close

    def _heartbeat(self) -> bytes:
        return heartbeat_frame(self.position.cursor, self._timestamp())

    def _heartbeat_due(self) -> bool:
        return self._clock.monotonic() >= self.member.touched + self._pace.heartbeat

    def _past_end(self) -> bool:
        return self._ends_at is not None and self._clock.monotonic() >= self._ends_at

    def until_deadline(self) -> float:
        """Seconds to the next heartbeat, or to the end of the stream's greatest age or of its credentials."""
        deadline = self.member.touched + self._pace.heartbeat
        if self._ends_at is not None:
            deadline = min(deadline, self._ends_at)
        return max(0.0, deadline - self._clock.monotonic())

    @property
    def may_be_live(self) -> bool:
        """Whether the hub may write to it: not while it is owed something that comes between."""
        return self._late is None and not self.position.owed_after

    def _close_frame(self) -> bytes:
        reason = self.close_reason or CloseReason.ERROR
        retry = self._close_retry
        if retry is None and reason in RECONNECTING:
            retry = self._pace.retry
        data = {"reason": reason, "reconnect": reason in RECONNECTING}
        frame = control_frame("close", data, retry_ms=None if retry is None else round(retry * 1000))
        return FAILED + frame if reason is CloseReason.ERROR else frame

    def _timestamp(self) -> str:
        return iso_time(milliseconds(self._clock.now()))


def _end(clock: Clock, pace: Pace, bearer: Bearer) -> tuple[float | None, CloseReason]:
    """When a stream that begins now ends by itself, on the monotonic clock, and as what."""
    now = clock.monotonic()
    by_age = now + pace.max_age if pace.max_age else None
    if bearer.expires_at is None:
        return by_age, CloseReason.MAX_AGE
    by_expiry = now + bearer.expires_at - clock.now()
    if by_age is not None and by_age < by_expiry:
        return by_age, CloseReason.MAX_AGE
    return by_expiry, CloseReason.EXPIRED


def joined(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Frames put together into pieces of about ``PIECE_BYTES``."""
    piece: list[bytes] = []
    size = 0
    for frame in frames:
        piece.append(frame)
        size += len(frame)
        if size >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def jittered(seconds: float) -> float:
    """``seconds``, more or less by up to half, so that clients that were cut together do not return together."""
    return seconds * random.uniform(0.5, 1.5)
