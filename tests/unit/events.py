"""Events in one line, and a matcher for them that is written apart from Hermes' own."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from hermes.core.event import Event
from tests.unit.core.test_channel import fits, selects

TIME = 1_800_000_000_000
"""Milliseconds: the start of the fake clock."""


def event(number: int, *channels: str, data: Any = None, time: int = TIME, **more: Any) -> Event:
    """Event `number` on `channels` (default: a), as a broker hands it over."""
    value = {"n": number} if data is None else data
    fields = {"type": "message", **more}
    return Event(channels or ("a",), data=orjson.dumps(value), time=time, number=number, **fields)


def numbers(events: Iterable[Any]) -> list[int]:
    """The numbers of events, or of (event, channel) pairs."""
    return [one[0].number if isinstance(one, tuple) else one.number for one in events]


def ways(
    channels: Iterable[str], items: Iterable[str], grants: Iterable[str], *, everything: bool = False
) -> list[tuple[str, str]]:
    """Each (channel, item) by way of which an event on `channels` is seen."""
    return [
        (channel, item)
        for channel in channels
        for item in items
        if selects(item, channel) and (everything or any(selects(grant, channel) for grant in grants))
    ]


def wanted(event: Event, types: Iterable[str], fields: Mapping[str, Any]) -> bool:
    """Whether one of `types` (or none) fits, and the data has all of `fields`."""
    types = list(types)
    value = orjson.loads(event.data)
    return (not types or any(fits(type_, event.type) for type_ in types)) and all(
        isinstance(value, dict) and value.get(name) == wish for name, wish in fields.items()
    )
