"""What can be told of one stream: at its opening once for the fleet, and at any time what changes all along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from hermes.core.clock import iso_time, milliseconds
from hermes.core.cursor import Cursor
from hermes.core.subscription import Subscription
from hermes.streaming.listener import Listener

RECORD_CHARACTERS = 2000
"""Characters of channels, and of types, that a record holds: the store keeps one for each stream."""

DETAIL_CHARACTERS = 12_000
"""The same of what is told of one stream, which has to fit an answer."""


def record(listener: Listener) -> dict[str, Any]:
    """What does not change while the stream lives. Very long lists are cut."""
    return _fixed(listener, RECORD_CHARACTERS)


def detail(listener: Listener) -> dict[str, Any]:
    """All that there is to tell."""
    return _fixed(listener, DETAIL_CHARACTERS) | fresh(listener)


def fresh(listener: Listener) -> dict[str, Any]:
    """What changes: how far the stream has come, how many numbers it lags behind its process, and the bytes that wait for it."""
    cursor = Cursor(listener.position.epoch, listener.hub.examined(listener.member))
    return {"last_event_id": str(cursor), "lag": listener.lag, "queued": queued(listener)}


UNKNOWN = {"last_event_id": None, "lag": None, "queued": None}
"""What is fresh of a stream whose process does not answer."""


def queued(listener: Listener) -> int:
    """Bytes of a frame that its socket did not take yet. What the kernel holds for it is not counted."""
    owed = getattr(listener.member, "owed", None)
    return len(owed) if isinstance(owed, memoryview | bytes) else 0


def _fixed(listener: Listener, characters: int) -> dict[str, Any]:
    bearer, subscription = listener.bearer, listener.subscription
    return {
        "connection_id": listener.connection_id,
        "user_id": bearer.user_id,
        "principal": bearer.principal_id,
        "address": bearer.address,
        "channels": _cut(subscription.items, characters),
        "types": _cut(types(subscription), characters),
        "filters": filters(subscription),
        "connected_at": iso_time(milliseconds(listener.opened_at)),
    }


def types(subscription: Subscription) -> tuple[str, ...]:
    """The event types, names and patterns, that a subscription asks for; none: all."""
    return subscription.key[1]


def filters(subscription: Subscription) -> Any:
    """The filter of a subscription as it was given, or ``None``."""
    return orjson.loads(subscription.filter.key)[0] if subscription.filter is not None else None


def _cut(names: Iterable[str], characters: int) -> list[str]:
    kept: list[str] = []
    for name in names:
        characters -= len(name)
        if characters < 0:
            break
        kept.append(name)
    return kept
