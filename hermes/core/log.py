"""The log as a process reads it: pages of it, and the tail, its newest part in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hermes.core.event import Event


@dataclass(slots=True, frozen=True)
class Page:
    """One atomic read of the log: the events above ``after``, and what was removed.

    ``last`` is the highest number examined (events or not): a position that took the page stands there. ``tip`` is the
    newest number of the log. ``floor``: all up to here is gone. ``floors``: for channels that lost events out of turn, the
    highest number lost; only those above ``after`` and ``floor``.
    """

    epoch: str
    after: int
    events: Sequence[Event]
    last: int
    tip: int
    floor: int = 0
    floors: Mapping[str, int] = field(default_factory=dict)

    def up_to(self, number: int) -> Page:
        """The same page, cut after ``number``."""
        if number >= self.last:
            return self
        events = [event for event in self.events if event.number <= number]
        return replace(self, events=events, last=max(number, self.after))


class Tail:
    """The newest part of the log, in number order, bounded by events, bytes and age.

    It is complete above ``floor`` but for what ``floors`` tells: what it was filled with may have had holes already.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self.reset("", 0)

    def reset(self, epoch: str, floor: int) -> None:
        """Empty, and complete above ``floor`` of ``epoch``."""
        self.epoch = epoch
        self.floor = floor
        self.last = floor
        self.floors: dict[str, int] = {}
        self._events: list[Event] = []
        self._start = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events) - self._start

    def extend(self, events: Iterable[Event], last: int) -> None:
        """Append events above ``self.last``; the tail then reaches to ``last``, which may be above the newest of them."""
        for event in events:
            self._events.append(event)
            self._bytes += event.size
        self.last = last
        while len(self) > self._max_events or self._bytes > self._max_bytes:
            self._drop_oldest()
        self._compact()

    def note_floors(self, floors: Mapping[str, int]) -> None:
        """Remember the holes of a page that filled this tail."""
        for channel, number in floors.items():
            if number > self.floors.get(channel, self.floor):
                self.floors[channel] = number

    def expire(self, before_ms: int) -> None:
        """Drop events published before ``before_ms``: nothing older than the history's age is replayed."""
        while len(self) and self._events[self._start].time < before_ms:
            self._drop_oldest()
        self._compact()

    def page(self, after: int, max_events: int, max_bytes: int) -> Page | None:
        """What follows ``after``, a bounded piece at least one event long; ``None`` where the tail does not reach back."""
        if after < self.floor:
            return None
        begin = bisect_right(self._events, after, self._start, key=_number)
        end, size = begin, 0
        limit = min(len(self._events), begin + max_events)
        while end < limit and (end == begin or size + self._events[end].size <= max_bytes):
            size += self._events[end].size
            end += 1
        events = self._events[begin:end]
        last = events[-1].number if end < len(self._events) else self.last
        floors = {channel: number for channel, number in self.floors.items() if number > after}
        return Page(self.epoch, after, events, last, self.last, self.floor, floors)

    def _drop_oldest(self) -> None:
        event = self._events[self._start]
        self._start += 1
        self._bytes -= event.size
        self.floor = event.number
        if self.floors:
            self.floors = {channel: number for channel, number in self.floors.items() if number > self.floor}

    def _compact(self) -> None:
        """Free what was dropped, once it is a quarter of the list: deleting at the front costs the length of the rest."""
        if self._start * 4 > len(self._events):
            del self._events[: self._start]
            self._start = 0


def _number(event: Event) -> int:
    return event.number
