"""A broker that is too simple to be wrong: it keeps all events ever, and a set of those that were removed.

Nothing is handed over by itself: each `Link` holds what it has still to bring, for a test to bring late, twice or never.
`meanwhile` holds what happens elsewhere while somebody waits for an answer: each call does the next of it first.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from hermes.brokers.base import Feed, Once
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.recovery import Tip
from hermes.core.retained import Retained, Snapshot
from hermes.errors import Unavailable
from tests.unit.core.test_channel import selects


class Message(NamedTuple):
    """What a link brings."""

    epoch: str
    first: int
    events: list[Event]


class Link:
    """The way of the feed to one process."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.unsent: deque[Message] = deque()

    def deliver(self, count: int = 10**6) -> None:
        """Bring the oldest of what is on its way."""
        for _ in range(min(count, len(self.unsent))):
            self.feed.accept(*self.unsent.popleft())

    def repeat(self) -> None:
        """Bring the oldest, and keep it to bring it again."""
        if self.unsent:
            self.feed.accept(*self.unsent[0])

    def lose(self, count: int = 10**6) -> None:
        """What is on its way never arrives."""
        for _ in range(min(count, len(self.unsent))):
            self.unsent.popleft()


class ModelBroker:
    """One store; any number of processes may follow it."""

    def __init__(self) -> None:
        self.epoch = "e1"
        self.ever: dict[str, list[Event]] = {"e1": []}
        self.removed: set[Cursor] = set()
        self.floor = 0
        self.floors: dict[str, int] = {}
        self.state: dict[tuple[str, str], tuple[Cursor, Event]] = {}
        self.away = False
        self.links: list[Link] = []
        self.snapshots: list[Snapshot] = []
        self.meanwhile: deque[Callable[[], object]] = deque()
        self.calls: list[str] = []

    # The contract

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        self._call("publish")
        first = self.last + 1
        for number, event in enumerate(events, first):
            event.number = number
            self.ever[self.epoch].append(event)
            if event.key is not None:
                for channel in event.channels:
                    self.state.pop((channel, event.key), None)
                    if not event.removes:
                        self.state[channel, event.key] = (Cursor(self.epoch, number), event)
        for link in self.links:
            link.unsent.append(Message(self.epoch, first, list(events)))
        return [Cursor(self.epoch, event.number) for event in events]

    def feed(self, feed: Feed) -> None:
        self.links.append(Link(feed))

    def read(self, after: int, max_events: int, max_bytes: int) -> Page:
        self._call("read")
        above = [event for event in self.kept if event.number > after]
        events: list[Event] = []
        for event in above[:max_events]:
            if events and sum(len(one.record()) for one in [*events, event]) > max_bytes:
                break
            events.append(event)
        last = self.last if len(events) == len(above) else events[-1].number
        floors = {channel: number for channel, number in self.floors.items() if number > after}
        return Page(self.epoch, after, events, last, self.last, self.floor, floors)

    def tip(self, streams: int = 0) -> Tip:
        self._call("tip")
        return Tip(self.epoch, self.last, streams)

    def retained(self, items: Collection[str]) -> Snapshot:
        self._call("retained")
        entries: dict[Cursor, tuple[Event, list[str]]] = {}
        for (channel, _), (cursor, event) in sorted(self.state.items(), key=lambda entry: entry[1][0]):
            if any(selects(item, channel) for item in items):
                entries.setdefault(cursor, (event, []))[1].append(channel)
        found = [
            Retained(self._numbered(cursor, event), tuple(name for name in event.channels if name in names))
            for cursor, (event, names) in entries.items()
        ]
        self.snapshots.append(Snapshot(self.epoch, self.last, found))
        return self.snapshots[-1]

    def _numbered(self, cursor: Cursor, event: Event) -> Event:
        """What a former epoch left has no number any more."""
        return event if cursor.epoch == self.epoch else Event.from_record(event.record(), 0)

    def close(self) -> None:
        self.links.clear()

    def _call(self, name: str) -> None:
        if self.meanwhile:
            self.meanwhile.popleft()()
        if self.away:
            raise Unavailable("the store is away")
        self.calls.append(name)

    # What a test sees and does

    @property
    def last(self) -> int:
        """The tip."""
        return len(self.ever[self.epoch])

    @property
    def kept(self) -> list[Event]:
        """The log."""
        return [event for event in self.ever[self.epoch] if Cursor(self.epoch, event.number) not in self.removed]

    def remove_oldest(self, count: int = 1) -> None:
        """The log is over one of its bounds."""
        for event in self.kept[:count]:
            self.removed.add(Cursor(self.epoch, event.number))
            self.floor = event.number
        self.floors = {channel: number for channel, number in self.floors.items() if number > self.floor}

    def remove_oldest_of(self, channel: str) -> None:
        """A channel has more than it may have: its oldest event goes, and its other channels lose it too."""
        for event in self.kept:
            if channel in event.channels:
                self.removed.add(Cursor(self.epoch, event.number))
                for name in event.channels:
                    self.floors[name] = max(event.number, self.floors.get(name, 0))
                return

    def begin_epoch(self, *, keep_state: bool = True) -> None:
        """The store was restarted: the log is empty, the sequence begins anew."""
        self.epoch = f"e{len(self.ever) + 1}"
        self.ever[self.epoch] = []
        self.floor, self.floors = 0, {}
        if not keep_state:
            self.state.clear()
