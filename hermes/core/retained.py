"""Retained state: the newest event of each (channel, key), as one atomic snapshot together with the log's tip."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from hermes.core.event import Event
from hermes.core.subscription import Subscription

MAX_KEYS = 10_000
"""Keys that a channel retains; beyond it the key longest unchanged goes."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of records that a channel retains."""


@dataclass(slots=True, frozen=True, weakref_slot=True)
class Retained:
    """An event and the channels in which it is still the newest of its key (it may have been replaced in others)."""

    event: Event
    channels: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Snapshot:
    """The retained state of some channels, in number order, and the tip of the log at that very moment."""

    epoch: str
    tip: int
    entries: Sequence[Retained]


def visible(
    snapshot: Snapshot, subscription: Subscription, items: Collection[str] | None = None, told: Collection[str] = ()
) -> list[tuple[Event, str]]:
    """What a stream sees of ``snapshot``: each event once, with the channel by way of which it is seen.

    ``items`` narrows it to the subscribed names and patterns that were reset. What is seen by way of the items that were
    ``told`` their state before is left out.
    """
    return list(each_visible(snapshot, subscription, items, told))


def each_visible(
    snapshot: Snapshot, subscription: Subscription, items: Collection[str] | None = None, told: Collection[str] = ()
) -> Iterator[tuple[Event, str]]:
    """As :func:`visible`, one by one: a stream on a slow link holds nothing but its place in the snapshot."""
    for entry in snapshot.entries:
        if told and _first_channel(entry, subscription, told) is not None:
            continue
        channel = _first_channel(entry, subscription, items)
        if channel is not None:
            yield entry.event, channel


class Sharing:
    """Lets snapshots share the entries that they have in common, for as long as any of them is in use.

    Streams on slow links each hold a snapshot for as long as it takes to send: 500 of them held 800 MB of 3 MB of state,
    in a hundred copies of different moments (measured).
    """

    def __init__(self) -> None:
        self._epoch = ""
        self._entries: WeakValueDictionary[int, Retained] = WeakValueDictionary()

    def shared(self, snapshot: Snapshot) -> Snapshot:
        """The same snapshot, made of the entries of earlier ones where they are equal."""
        if snapshot.epoch != self._epoch:
            self._epoch, self._entries = snapshot.epoch, WeakValueDictionary()
        return Snapshot(snapshot.epoch, snapshot.tip, [self._kept(entry) for entry in snapshot.entries])

    def _kept(self, entry: Retained) -> Retained:
        if entry.event.number == 0:
            return entry  # of a former epoch: its number is void
        kept = self._entries.setdefault(entry.event.number, entry)
        if kept.channels != entry.channels:
            kept = self._entries[entry.event.number] = entry
        return kept


def _first_channel(entry: Retained, subscription: Subscription, items: Collection[str] | None) -> str | None:
    for channel in entry.channels:
        if not subscription.covers(channel):
            continue
        if items is None or any(item in items for item in subscription.items_of(channel)):
            return channel if subscription.wants(entry.event) else None
    return None


def newest_of_each_key(events: Sequence[tuple[Event, str]], subscription: Subscription) -> list[tuple[Event, str]]:
    """Conflation for ``overflow=latest``: of keyed events only the newest of each (channel, key); the rest as they are.

    An event of several channels stays while it is the newest in one of those that ``subscription`` covers, as in a snapshot.
    """
    newest: dict[tuple[str, str], int] = {}
    for event, _ in events:
        if event.key is not None:
            covered = filter(subscription.covers, event.channels)
            newest.update(((channel, event.key), event.number) for channel in covered)
    return [(event, channel) for event, channel in events if event.key is None or _is_newest(event, event.key, newest)]


def _is_newest(event: Event, key: str, newest: Mapping[tuple[str, str], int]) -> bool:
    return any(newest.get((channel, key)) == event.number for channel in event.channels)
