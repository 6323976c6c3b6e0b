"""One JSON page instead of a stream: history, the polling fallback and the long poll, by the same rules of recovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hermes.core.clock import Clock, milliseconds
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.recovery import Position
from hermes.core.retained import Snapshot, visible
from hermes.core.subscription import Subscription
from hermes.streaming.member import Waiter
from hermes.streaming.opening import Opener, Opening
from hermes.streaming.store import Store

PAGE_BYTES = 1024 * 1024
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
        self, store: Store, hub: Hub, clock: Clock, subscription: Subscription, ids: tuple[str, ...] = ()
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._subscription = subscription
        self._ids = ids
        self._late: Snapshot | None = None

    def answer(self, cursor: str | None, retained: str, limit: int, wait: float) -> Answer:
        """The page above ``cursor``; without a cursor the retained state, and the tip to go on from."""
        opener = Opener(self._store, self._hub, self._subscription, retained)
        answer = Answer()
        position = self._begin(answer, opener.open(cursor))
        if cursor is None:
            return self._finish(answer, position)
        deadline = self._clock.monotonic() + wait
        examined = 0
        while len(answer.events) < limit and examined < MAX_EXAMINED:
            if position.epoch != self._hub.epoch:
                answer.events.clear()
                position = self._begin(answer, opener.after_epoch())
            elif position.number < self._hub.last:
                before = position.number
                position = self._take(answer, opener, position, limit)
                examined += position.number - before
            elif not self._wait(answer, position, deadline):
                break
        return self._finish(answer, position)

    def _begin(self, answer: Answer, opening: Opening) -> Position:
        if opening.reset is not None:
            answer.reset = {"reason": opening.reset, "channels": list(opening.items)}
        if opening.snapshot is not None:
            answer.retained = visible(opening.snapshot, self._subscription, opening.snapshot_items)
        self._late = opening.late_snapshot or self._late
        return opening.position

    def _take(self, answer: Answer, opener: Opener, position: Position, limit: int) -> Position:
        page = self._store.page(position.number, limit - len(answer.events), PAGE_BYTES)
        if page.epoch != position.epoch:
            return position
        taken = position.take(page, self._subscription, milliseconds(self._clock.now()))
        if taken.lost:
            return self._begin(answer, opener.after_loss(position, taken.lost))
        answer.events += [
            (event, channel) for event, channel in taken.events if not any(id_ in self._ids for id_ in event.exclude)
        ]
        return position

    def _wait(self, answer: Answer, position: Position, deadline: float) -> bool:
        """Wait for more; ``False`` where there is something to answer already, or the time is up."""
        left = deadline - self._clock.monotonic()
        if answer.events or answer.reset or left <= 0:
            return False
        member = Waiter(self._subscription, position, self._ids, self._clock.monotonic())
        member.wait(self._hub, left, live=not position.owed_after)
        return True

    def _finish(self, answer: Answer, position: Position) -> Answer:
        if self._late is not None and position.number >= self._late.tip:
            answer.retained += visible(self._late, self._subscription)
        answer.cursor, answer.epoch = str(position.cursor), position.epoch
        return answer


def _retained_dict(event: Event, channel: str) -> dict[str, Any]:
    fields = event.as_dict(channel, None)
    del fields["id"]
    return {**fields, "key": event.key}
