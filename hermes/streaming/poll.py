"""One JSON page instead of a stream: history, the polling fallback and the long poll, by the same rules of recovery."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from hermes.core.clock import Clock, milliseconds
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.recovery import Position, ResetReason
from hermes.core.retained import visible
from hermes.core.subscription import Subscription
from hermes.streaming.bearer import NOBODY, Bearer
from hermes.streaming.member import Waiter
from hermes.streaming.opening import Opener, Opening
from hermes.streaming.store import Store

PAGE_BYTES = 1024 * 1024
PAGE_EVENTS = 256
"""Events that are looked through at once, however few are asked for: a page of one costs nearly as much as one of many; and
however many: with a hundred patterns a thousand took the event loop for 0.25 s (measured).
"""

MAX_EXAMINED = 50_000
"""Events that one poll looks through before it answers with what it has; the cursor then says how far it came."""


@dataclass(slots=True)
class Answer:
    """What a poll gives."""

    events: list[tuple[Event, str]] = field(default_factory=list)
    retained: list[tuple[Event, str]] = field(default_factory=list)
    reset: dict[str, Any] | None = None
    cursor: str = ""
    epoch: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {
            "events": [event.as_dict(channel, f"{self.epoch}-{event.number}") for event, channel in self.events],
            "cursor": self.cursor,
            "reset": self.reset,
            "retained": [_retained_dict(event, channel) for event, channel in self.retained],
            "close": None,
        }


class Poll:
    """One poll of one caller. ``wait`` is in seconds and counts from the call."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        subscription: Subscription,
        ids: tuple[str, ...] = (),
        bearer: Bearer = NOBODY,
    ) -> None:
        self.bearer = bearer
        self._store = store
        self._hub = hub
        self._clock = clock
        self._subscription = subscription
        self._ids = ids
        self._member: Waiter | None = None
        self._ended = False

    def end(self) -> None:
        """See :class:`~hermes.streaming.registry.LongPoll`."""
        self._ended = True
        if self._member is not None:
            self._member.wake()

    def answer(self, cursor: str | None, retained: str, limit: int, wait: float) -> Answer:
        """The page above ``cursor``; without a cursor the retained state, and the tip to go on from."""
        opener = Opener(self._store, self._hub, self._subscription, retained)
        deadline = self._clock.monotonic() + wait
        answer = Answer()
        opening: Opening | None = opener.open(cursor)
        while opening is not None:
            position = opening.position
            self._begin(answer, opening)
            opening = self._read(answer, opener, position, limit, deadline) if cursor is not None else None
        answer.cursor, answer.epoch = str(position.cursor), position.epoch
        return answer

    def _begin(self, answer: Answer, opening: Opening) -> None:
        if opening.reset is ResetReason.EPOCH_CHANGED:
            answer.reset, answer.retained = None, []
        told = answer.reset["channels"] if answer.reset else []
        if opening.reset is not None:
            reason = answer.reset["reason"] if answer.reset else opening.reset
            lost = [item for item in self._subscription.items if item in opening.items or item in told]
            answer.reset = {"reason": reason, "channels": lost}
        if opening.snapshot is not None:
            answer.retained += visible(opening.snapshot, self._subscription, opening.snapshot_items, told)
        if opening.late_snapshot is not None:
            answer.retained += visible(opening.late_snapshot, self._subscription, told=opening.items)

    def _read(self, answer: Answer, opener: Opener, position: Position, limit: int, deadline: float) -> Opening | None:
        """Read on until there is something to answer, or until it must begin again: then that opening.

        Events in the answer are older than the state that goes with a reset, and a client applies them after it: what was
        lost behind them is told by the next poll.
        """
        examined = 0
        while len(answer.events) < limit and examined < MAX_EXAMINED:
            if position.epoch != self._hub.epoch:
                return None if answer.events else opener.after_epoch()
            if position.number < self._hub.last:
                before = position.number
                lost = self._take(answer, position, limit)
                if lost:
                    return None if answer.events else opener.after_loss(position, lost)
                examined += position.number - before
                time.sleep(0)  # a page may take a millisecond: others have their turn
            elif not self._wait(answer, position, deadline):
                break
        return None

    def _take(self, answer: Answer, position: Position, limit: int) -> tuple[str, ...]:
        wanted = limit - len(answer.events)
        page = self._store.page(position.number, PAGE_EVENTS, PAGE_BYTES)
        if page.epoch != position.epoch:
            return ()
        taken = position.take(page, self._subscription, milliseconds(self._clock.now()), wanted)
        answer.events += [
            (event, channel) for event, channel in taken.events if not any(id_ in self._ids for id_ in event.exclude)
        ]
        return taken.lost

    def _wait(self, answer: Answer, position: Position, deadline: float) -> bool:
        """Wait for more; ``False`` where there is something to answer already, or the time is up."""
        left = deadline - self._clock.monotonic()
        if answer.events or answer.retained or answer.reset or left <= 0:
            return False
        member = self._member = Waiter(self._subscription, position, self._ids, self._clock.monotonic())
        if self._ended:
            return False
        member.wait(self._hub, left, live=not position.owed_after)
        return True


def _retained_dict(event: Event, channel: str) -> dict[str, Any]:
    fields = event.as_dict(channel, None)
    del fields["id"]
    return {**fields, "key": event.key}
