"""What a cursor can still have: where a stream begins, and how its position moves through pages of the log.

This is the promise in code. A position never moves past an event that is owed; what cannot be proved complete is named, by
the subscribed names and patterns that it affects, and everything else is replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hermes.core.cursor import EARLIEST, Cursor, parse_cursor
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.subscription import Subscription


class ResetReason(StrEnum):
    """Why events may be missing."""

    HISTORY_TRUNCATED = "history_truncated"
    EPOCH_CHANGED = "epoch_changed"
    UNKNOWN_CURSOR = "unknown_cursor"


class Tip(NamedTuple):
    """The newest number of the store's sequence, and how many streams the fleet holds open."""

    epoch: str
    number: int
    streams: int = 0


class Fresh(NamedTuple):
    """No cursor: begin at the snapshot's tip."""


class Earliest(NamedTuple):
    """All that is kept."""


class Resume(NamedTuple):
    """Go on above this number, in the epoch that the cursor names."""

    cursor: Cursor


class Reset(NamedTuple):
    """The cursor is worth nothing: say so, and begin at the snapshot's tip."""

    reason: ResetReason


class AskStore(NamedTuple):
    """This process cannot judge the cursor alone: it is ahead of it, or of another epoch."""


Start = Fresh | Earliest | Resume | Reset | AskStore


def decide(text: str | None, epoch: str, last: int, store: Tip | None = None) -> Start:
    """Where a stream with the cursor ``text`` begins in a process that has reached ``last`` of ``epoch``.

    ``store`` is the store's own word, to be given after :class:`AskStore`. A :class:`Resume` may name an epoch or a number
    that this process has not reached: then the stream waits there.
    """
    if text is None or not text.strip():
        return Fresh()
    if text == EARLIEST:
        return Earliest()
    cursor = parse_cursor(text)
    if cursor is None:
        return Reset(ResetReason.UNKNOWN_CURSOR)
    if cursor.epoch == epoch and cursor.number <= last:
        return Resume(cursor)
    if store is None:
        return AskStore()
    if cursor.epoch != store.epoch:
        return Reset(ResetReason.EPOCH_CHANGED)
    if cursor.number > store.number:
        return Reset(ResetReason.UNKNOWN_CURSOR)
    return Resume(cursor)


@dataclass(slots=True)
class Taken:
    """What a page gave: the items that lost events (then nothing else), or the events in order with their channels."""

    lost: tuple[str, ...]
    events: list[tuple[Event, str]]


class Position:
    """All events of ``epoch`` up to ``number`` were examined for one stream.

    ``owed_after`` holds, for items that were reset, the number up to which nothing is owed, because a snapshot stands for it.
    What was removed up to ``accepted`` is known to be gone: a stream from the earliest event asks for no more than is kept.
    """

    __slots__ = ("accepted", "epoch", "number", "owed_after")

    def __init__(self, epoch: str, number: int) -> None:
        self.epoch = epoch
        self.number = number
        self.accepted = 0
        self.owed_after: dict[str, int] = {}

    @property
    def cursor(self) -> Cursor:
        """The position as an id of the stream."""
        return Cursor(self.epoch, self.number)

    def lost(self, page: Page, subscription: Subscription) -> tuple[str, ...]:
        """The subscribed items, in their order, of which the log may have dropped events above this position."""
        if page.floor <= self.number and not page.floors:
            return ()
        gone = {item for item in subscription.items if self._examined(item) < page.floor}
        for channel, floor in page.floors.items():
            if floor > self.number and subscription.covers(channel):
                gone.update(item for item in subscription.items_of(channel) if self._examined(item) < floor)
        return tuple(item for item in subscription.items if item in gone)

    def take(self, page: Page, subscription: Subscription, now_ms: int, limit: int | None = None) -> Taken:
        """Move over ``page``, unless events are lost; expired events (``ttl``) are passed over.

        With ``limit`` it stops at the event with which there are so many.
        """
        lost = self.lost(page, subscription)
        if lost:
            return Taken(lost, [])
        events = []
        for event in page.events:
            channel = subscription.match_after(event, self.owed_after)
            if channel is not None and not event.expired(now_ms):
                events.append((event, channel))
                if len(events) == limit:
                    self.advance(event.number)
                    return Taken((), events)
        self.advance(page.last)
        return Taken((), events)

    def advance(self, number: int) -> None:
        """All up to ``number`` has been examined."""
        self.number = max(self.number, number)
        if self.owed_after:
            self.owed_after = {item: after for item, after in self.owed_after.items() if after > self.number}

    def skip_to(self, items: tuple[str, ...], tip: int, subscription: Subscription) -> None:
        """A snapshot with ``tip`` stands for what ``items`` had up to there; the other items are still owed all."""
        for item in items:
            self.owed_after[item] = max(tip, self.owed_after.get(item, 0))
        owed_from = min((self.owed_after.get(item, 0) for item in subscription.items), default=tip)
        self.advance(owed_from)

    def _examined(self, item: str) -> int:
        return max(self.number, self.accepted, self.owed_after.get(item, 0))
