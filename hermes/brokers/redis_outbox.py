"""Publish calls on their way to Redis: those that wait for the connection are sent together, in one step."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from hermes.brokers.redis_link import Link
from hermes.brokers.redis_wire import Argument, decode_answer, encode_call
from hermes.core.cursor import Cursor, new_epoch
from hermes.core.event import Event
from hermes.core.publisher import Once
from hermes.errors import StoreError, Unavailable

TIMEOUT = 5.0
"""Seconds that a call has in all, its wait for the turn included."""

LEAST = 2.0
"""Seconds that a group gets for its attempts even where the one that sends it has waited for long."""

TOGETHER_EVENTS = 1000
TOGETHER_BYTES = 1_048_576
"""Calls that wait are sent together up to here; a larger one goes alone."""

NOT_KNOWN = "the event is not known to be stored: try again with the same idempotency key"


class _Waiting:
    """A call, and what became of it. Its caller sleeps on ``wake`` until it is settled or it is its turn to send."""

    __slots__ = ("abandoned", "answer", "args", "deadline", "error", "events", "has_turn", "size", "wake")

    def __init__(
        self, events: Sequence[Event], once: Once | None, each: Mapping[int, Once] | None, deadline: float
    ) -> None:
        self.args = encode_call(events, once, each)
        self.events = len(events)
        self.size = sum(len(event.data) for event in events)
        self.deadline = deadline
        self.wake = threading.Semaphore(0)
        self.has_turn = False
        self.abandoned = False
        self.answer: str | None = None
        self.error: Exception | None = None

    @property
    def settled(self) -> bool:
        return self.answer is not None or self.error is not None

    def result(self) -> list[Cursor]:
        if self.answer is None:
            raise StoreError(str(self.error)) if isinstance(self.error, StoreError) else Unavailable(str(self.error))
        return decode_answer(self.answer)


class Outbox:
    """Sends publish calls in turn. Whoever has the turn sends all that wait: the busier Redis is, the fewer the steps.

    Each group has a number of this outbox's own. Redis keeps the answer to the last one: a group that got no answer can
    be sent again and is stored once, and one that comes late out of a stalled socket is not stored at all.
    """

    def __init__(self, link: Link, head: Sequence[Argument], monotonic: Callable[[], float]) -> None:
        self._link = link
        self._head = tuple(head)
        self._monotonic = monotonic
        self._caller = secrets.token_hex(8)
        self._sequence = 0
        self._lock = threading.Lock()
        self._sending = False
        self._queue: deque[_Waiting] = deque()

    def publish(self, events: Sequence[Event], once: Once | None, each: Mapping[int, Once] | None) -> list[Cursor]:
        """See :meth:`hermes.brokers.base.Broker.publish`."""
        call = _Waiting(events, once, each, self._monotonic() + TIMEOUT)
        with self._lock:
            self._queue.append(call)
            if not self._sending:
                self._sending = call.has_turn = True
        if not call.has_turn:
            self._wait(call)
        if not call.settled:
            self._send_group(max(LEAST, call.deadline - self._monotonic()))
        return call.result()

    def _wait(self, call: _Waiting) -> None:
        """Until the call is settled or has the turn."""
        if call.wake.acquire(timeout=TIMEOUT):
            return
        with self._lock:
            if not (call.settled or call.has_turn):
                call.abandoned = True
                raise Unavailable(f"Redis does not answer: {NOT_KNOWN}")

    def _send_group(self, timeout: float) -> None:
        """Send what waits, settle it, and give the turn to the first of those that came meanwhile."""
        group: list[_Waiting] = []
        try:
            group = self._take()
            self._send(group, timeout)
        finally:
            with self._lock:
                while self._queue and self._queue[0].abandoned:
                    self._queue.popleft()
                successor = self._queue[0] if self._queue else None
                self._sending = successor is not None
                if successor is not None:
                    successor.has_turn = True
            for call in (*group, successor):
                if call is not None:
                    call.wake.release()

    def _take(self) -> list[_Waiting]:
        """The calls to send together, in their order; at least one."""
        group: list[_Waiting] = []
        events = size = 0
        with self._lock:
            while self._queue:
                call = self._queue[0]
                if group and (events + call.events > TOGETHER_EVENTS or size + call.size > TOGETHER_BYTES):
                    break
                self._queue.popleft()
                if not call.abandoned:
                    group.append(call)
                    events, size = events + call.events, size + call.size
        return group

    def _send(self, group: Sequence[_Waiting], timeout: float) -> None:
        self._sequence += 1
        prefix, channel, *rest = self._head
        args: list[Argument] = [prefix, new_epoch(), channel, self._caller, self._sequence, *rest, len(group)]
        for call in group:
            args += call.args
        error: Exception = Unavailable(f"the call was interrupted: {NOT_KNOWN}")
        try:
            answers = self._link.call("publish", args, timeout).decode().split("\n")
            for call, answer in zip(group, answers, strict=True):
                call.answer = answer
        except Exception as raised:  # each caller raises its own
            error = raised
        finally:
            for call in group:
                if call.answer is None:
                    call.error = error
