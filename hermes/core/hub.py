"""The hub: one process's end of the log, and the live streams that what is new goes to.

A stream is *behind*, and reads the tail by itself, or *live*: then the hub writes to it. It changes from one to the other at
a number, in one turn of the event loop, so nothing can fall between. The hub does no I/O but through ``Member.write``.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import NamedTuple, Protocol

from hermes.core.event import Event
from hermes.core.log import Page, Tail
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription

RANGE_EVENTS = 1000
RANGE_BYTES = 262_144
"""At most so much is joined into one write."""

WRITES_PER_TURN = 64
"""Between these the dispatcher may yield."""


class Member(Protocol):
    """A stream as the hub sees it."""

    subscription: Subscription
    position: Position
    ids: tuple[str, ...]
    chunked: bool
    touched: float
    group: Group | None

    @property
    def write(self) -> Callable[[bytes], int]:
        """Writes without waiting, and gives how many bytes were taken; 0 or an ``OSError`` where none were, or it is gone."""

    def owe(self, rest: memoryview) -> None:
        """The rest of a frame that did not fit: it must be written first."""

    def wake(self) -> None:
        """The stream is behind (or its epoch is over) and shall go on by itself. Never blocks."""


class _Matched(NamedTuple):
    number: int
    frame: bytes
    exclude: tuple[str, ...]


class Group:
    """Live streams that get the same frames: matching is done once for all of them."""

    __slots__ = ("members", "subscription")

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.members: dict[Member, None] = {}


class Hub:
    """Knows the newest part of the log and who is live. ``lock`` matters only where streams run on real threads."""

    def __init__(
        self, tail: Tail, monotonic: Callable[[], float], lock: AbstractContextManager[object] | None = None
    ) -> None:
        self._tail = tail
        self._monotonic = monotonic
        self.lock = lock or nullcontext()
        self.finished = tail.last
        """All ranges up to here were dispatched to every live stream."""
        self._groups: dict[object, Group] = {}
        self._by_channel: dict[str, dict[Group, None]] = {}
        self._by_pattern: dict[Group, None] = {}
        self._ahead: list[tuple[int, int, Member]] = []
        self._order = count()

    @property
    def epoch(self) -> str:
        """The life of the sequence that this process follows."""
        return self._tail.epoch

    @property
    def last(self) -> int:
        """The newest number that has entered this process."""
        return self._tail.last

    @property
    def subscribers(self) -> int:
        """Streams that are live or wait ahead."""
        return sum(len(group.members) for group in self._groups.values()) + len(self._ahead)

    # What enters

    def begin(self, epoch: str, number: int) -> None:
        """Stand at ``number`` of ``epoch`` with an empty tail; every stream is behind and finds out for itself."""
        with self.lock:
            self._unpark_all()
            self._tail.reset(epoch, number)
            self.finished = number

    def append(self, events: Sequence[Event], last: int, floors: Mapping[str, int] | None = None) -> None:
        """The log went on to ``last``. From now on the number is this process's; dispatch follows."""
        with self.lock:
            if floors:
                self._tail.note_floors(floors)
            self._tail.extend(events, last)
            while self._ahead and self._ahead[0][0] <= last:
                heapq.heappop(self._ahead)[2].wake()

    def expire(self, before_ms: int) -> None:
        """Forget what is older than the history's age."""
        with self.lock:
            self._tail.expire(before_ms)

    # What streams ask

    def page(self, after: int, max_events: int, max_bytes: int) -> Page | None:
        """A piece of the tail above ``after``, or ``None`` where only the store may have it."""
        with self.lock:
            return self._tail.page(after, max_events, max_bytes)

    def park(self, member: Member, *, live: bool = True) -> bool:
        """Make a stream live that has examined all of the tail, or let it wait that is ahead of it; else ``False``.

        With ``live=False`` it is only woken by what comes next: a stream that is owed something else in between.
        """
        with self.lock:
            position = member.position
            if position.epoch != self.epoch or position.number < self.last:
                return False
            if position.number > self.last or not live:
                reached = max(position.number, self.last + 1)
                heapq.heappush(self._ahead, (reached, next(self._order), member))
            else:
                self._join(member)
            return True

    def unpark(self, member: Member) -> None:
        """Take a stream out; its position then says all that it has examined."""
        with self.lock:
            group = member.group
            if group is None:
                if self._ahead:
                    self._ahead = [entry for entry in self._ahead if entry[2] is not member]
                    heapq.heapify(self._ahead)
                return
            member.position.advance(self.examined(member))
            member.group = None
            del group.members[member]
            if not group.members:
                self._remove_group(group)

    def examined(self, member: Member) -> int:
        """The number that a heartbeat of a live stream may carry: its own last range, or the last one finished for all."""
        number = member.position.number
        return max(number, self.finished) if member.group is not None else number

    # Dispatch

    def dispatch(self) -> Iterator[None]:
        """Write what is new to the live streams, range by range; the caller may yield to others at each step."""
        while self.finished < self.last:
            with self.lock:
                page = self._tail.page(self.finished, RANGE_EVENTS, RANGE_BYTES)
                if page is None:
                    # The tail dropped events before they were dispatched.
                    self.leave_to_streams()
                    continue
                matches = self._matches(page)
            for group, frames in matches.items():
                yield from self._write_to(group, frames, page.after, page.last)
            if self.epoch == page.epoch and self.finished == page.after:
                self.finished = page.last

    def _matches(self, page: Page) -> dict[Group, list[_Matched]]:
        matches: dict[Group, list[_Matched]] = {}
        for event in page.events:
            for group in self._candidates(event):
                channel = group.subscription.match(event)
                if channel is not None:
                    frame = event.frame(page.epoch, channel, group.subscription.envelope)
                    matches.setdefault(group, []).append(_Matched(event.number, frame, event.exclude))
        return matches

    def _candidates(self, event: Event) -> Iterator[Group]:
        if len(event.channels) == 1 and not self._by_pattern:
            return iter(self._by_channel.get(event.channels[0], ()))
        found: dict[Group, None] = {}
        for channel in event.channels:
            found.update(self._by_channel.get(channel, {}))
        found.update(self._by_pattern)
        return iter(found)

    def _write_to(self, group: Group, frames: list[_Matched], after: int, last: int) -> Iterator[None]:
        joined = b"".join(matched.frame for matched in frames)
        excluding = any(matched.exclude for matched in frames)
        chunk = as_chunk(joined)
        now = self._monotonic()
        members = list(group.members)
        for begin in range(0, len(members), WRITES_PER_TURN):
            with self.lock:
                # Everything here is done for each stream and each range: a call more is 2 % of a delivery (measured).
                for member in members[begin : begin + WRITES_PER_TURN]:
                    position = member.position
                    if member.group is not group or position.number >= last:
                        continue
                    data = chunk if member.chunked else joined
                    if excluding or position.number > after:
                        data = _own_part(frames, member, position.number)
                        if not data:
                            continue
                    try:
                        taken = member.write(data)
                    except OSError:
                        taken = 0
                    if taken == len(data):
                        position.number = last
                        member.touched = now
                    else:
                        self._leave_behind(member, data, taken, last)
            yield

    def write(self, member: Member, data: bytes, reached: int, now: float) -> bool:
        """Write what brings a parked stream to the number ``reached``; ``False`` where not all was taken: it goes on itself."""
        try:
            taken = member.write(data)
        except OSError:
            taken = 0
        if taken == len(data):
            member.position.number = reached
            member.touched = now
            return True
        self._leave_behind(member, data, taken, reached)
        return False

    def _leave_behind(self, member: Member, data: bytes, taken: int, reached: int) -> None:
        """A stream took only a part of what brings it to ``reached``, or nothing: it goes on by itself."""
        self.unpark(member)
        if taken:
            member.position.number = reached
            member.owe(memoryview(data)[taken:])
        member.wake()

    # Groups

    def _join(self, member: Member) -> None:
        subscription = member.subscription
        group = self._groups.get(subscription.key)
        if group is None:
            group = self._groups[subscription.key] = Group(subscription)
            for name in subscription.exact:
                self._by_channel.setdefault(name, {})[group] = None
            if subscription.patterns:
                self._by_pattern[group] = None
        group.members[member] = None
        member.group = group

    def _remove_group(self, group: Group) -> None:
        del self._groups[group.subscription.key]
        for name in group.subscription.exact:
            groups = self._by_channel[name]
            del groups[group]
            if not groups:
                del self._by_channel[name]
        self._by_pattern.pop(group, None)

    def leave_to_streams(self) -> None:
        """Make every stream behind: each fetches what it has not seen by itself, from the tail or the store."""
        with self.lock:
            self._unpark_all()
            self.finished = self.last

    def _unpark_all(self) -> None:
        members = [member for group in self._groups.values() for member in group.members]
        for member in members:
            self.unpark(member)
            member.wake()
        ahead, self._ahead = self._ahead, []
        for _, _, member in ahead:
            member.wake()


def as_chunk(data: bytes) -> bytes:
    """``data`` as one chunk of HTTP/1.1 chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _own_part(frames: list[_Matched], member: Member, number: int) -> bytes:
    """The frames above ``number`` that do not exclude this stream."""
    data = b"".join(
        matched.frame
        for matched in frames
        if matched.number > number and not any(connection in member.ids for connection in matched.exclude)
    )
    return as_chunk(data) if member.chunked and data else data
