"""Retained state: the newest event of each (channel, key), as one atomic snapshot together with the log's tip."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hermes.core.event import Event
from hermes.core.subscription import Subscription

MAX_KEYS = 10_000
"""Keys that a channel retains; beyond it the key longest unchanged goes."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of records that a channel retains."""


@dataclass(slots=True, frozen=True)
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
    snapshot: Snapshot, subscription: Subscription, items: Collection[str] | None = None
) -> list[tuple[Event, str]]:
    """What a stream sees of ``snapshot``: each event once, with the channel by way of which it is seen.

    ``items`` narrows it to the subscribed names and patterns that were reset.
    """
    found = []
    for entry in snapshot.entries:
        channel = _first_channel(entry, subscription, items)
        if channel is not None:
            found.append((entry.event, channel))
    return found


def _first_channel(entry: Retained, subscription: Subscription, items: Collection[str] | None) -> str | None:
    for channel in entry.channels:
        if not subscription.covers(channel):
            continue
        if items is None or any(item in items for item in subscription.items_of(channel)):
            return channel if subscription.wants(entry.event) else None
    return None


def newest_of_each_key(events: Sequence[tuple[Event, str]]) -> list[tuple[Event, str]]:
    """Conflation for ``overflow=latest``: of keyed events only the newest of each (channel, key); the rest as they are."""
    newest = {(channel, event.key): event.number for event, channel in events if event.key is not None}
    return [
        (event, channel)
        for event, channel in events
        if event.key is None or newest[(channel, event.key)] == event.number
    ]
