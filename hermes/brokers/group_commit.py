"""Group commit: one writer takes all calls that wait, stores them together, hands them over, and answers each."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from hermes.brokers.journal import Written
from hermes.brokers.journal_once import Call
from hermes.core.cursor import Cursor
from hermes.core.recovery import Tip
from hermes.loop import state_lock

GROUP_EVENTS = 2000
GROUP_BYTES = 4 * 1024 * 1024
"""A group is at most so big, or one call."""

PENDING_BYTES = 64 * 1024 * 1024
"""Records that may wait; beyond it the store is too slow for what is published."""

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Closed(Exception):
    """The writer has stopped, or is about to."""


class Overloaded(Exception):
    """Too much waits already."""


class _Wait(Generic[Result]):
    """A caller that waits for its answer."""

    __slots__ = ("_answered", "_error", "_result")

    def __init__(self) -> None:
        self._answered = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None

    def answer(self, result: Result) -> None:
        self._result = result
        self._answered.set()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._answered.set()

    def result(self, timeout: float) -> Result:
        """The answer, or the error that came instead; ``TimeoutError`` when there is none in time."""
        if not self._answered.wait(timeout):
            raise TimeoutError(f"no answer within {timeout:g} s")
        if self._error is not None:
            raise self._error
        return cast(Result, self._result)


class _Waiting(_Wait[list[Cursor]]):
    """A call that waits to be stored."""

    __slots__ = ("call", "size")

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call
        self.size = sum(map(len, call.records))


class GroupWriter:
    """Runs one thread (a greenlet, under gevent) that does all writing.

    ``write`` and ``upkeep`` may block or wait; ``hand_over`` runs between the commit of a group and its answers, and must not
    raise.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Call]], Written],
        upkeep: Callable[[], Tip],
        hand_over: Callable[[Written], None],
    ) -> None:
        self._write = write
        self._upkeep = upkeep
        self._hand_over = hand_over
        self._lock = state_lock()
        self._pending: deque[_Waiting] = deque()
        self._pending_bytes = 0
        self._asking: list[_Wait[Tip]] = []
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="hermes-journal", daemon=True)
        self._thread.start()

    def publish(self, call: Call, timeout: float) -> list[Cursor]:
        """Store ``call`` with whatever else waits, and give back its cursors, or raise what ``write`` did or a conflict.

        Raises ``TimeoutError``, :class:`Closed` or :class:`Overloaded`; after the first it may be stored all the same.
        """
        waiting = _Waiting(call)
        with self._lock:
            if self._stopping:
                raise Closed
            if self._pending and self._pending_bytes + waiting.size > PENDING_BYTES:
                raise Overloaded
            self._pending.append(waiting)
            self._pending_bytes += waiting.size
            self._wake.set()
        try:
            return waiting.result(timeout)
        except TimeoutError:
            self._withdraw(waiting)
            raise

    def tip(self, timeout: float) -> Tip:
        """Do the upkeep, once for all that ask meanwhile, and answer the tip. Raises as :meth:`publish`."""
        asking: _Wait[Tip] = _Wait()
        with self._lock:
            if self._stopping:
                raise Closed
            self._asking.append(asking)
            self._wake.set()
        return asking.result(timeout)

    def stop(self, timeout: float) -> bool:
        """Take no more, finish what waits; whether that was done in time."""
        with self._lock:
            self._stopping = True
            self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            with self._lock:
                group, asking = self._take()
                if not group and not asking:
                    if self._stopping:
                        return
                    self._wake.clear()
            if group:
                self._store(group)
            if asking:
                self._keep_up(asking)

    def _take(self) -> tuple[list[_Waiting], list[_Wait[Tip]]]:
        group: list[_Waiting] = []
        events = size = 0
        while self._pending:
            waiting = self._pending[0]
            events, size = events + len(waiting.call.events), size + waiting.size
            if group and (events > GROUP_EVENTS or size > GROUP_BYTES):
                break
            group.append(self._pending.popleft())
            self._pending_bytes -= waiting.size
        asking, self._asking = self._asking, []
        return group, asking

    def _withdraw(self, waiting: _Waiting) -> None:
        with self._lock:
            if waiting in self._pending:
                self._pending.remove(waiting)
                self._pending_bytes -= waiting.size

    def _store(self, group: Sequence[_Waiting]) -> None:
        try:
            written = self._write([waiting.call for waiting in group])
        except BaseException as error:  # this thread must go on, and every caller must hear of it
            for waiting in group:
                waiting.fail(error)
            return
        try:
            self._hand_over(written)
        except Exception:
            _log.exception("the feed failed; what was published is stored, and will be read from the log")
        for waiting, answer in zip(group, written.answers, strict=True):
            if isinstance(answer, list):
                waiting.answer(answer)
            else:
                waiting.fail(answer)

    def _keep_up(self, asking: Sequence[_Wait[Tip]]) -> None:
        try:
            tip = self._upkeep()
        except BaseException as error:
            for one in asking:
                one.fail(error)
            return
        for one in asking:
            one.answer(tip)
