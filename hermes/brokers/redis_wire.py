"""What goes over the wire to the Lua scripts and comes back, as values: no I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.publisher import Once
from hermes.core.retained import Retained, Snapshot
from hermes.errors import Conflict

Argument = bytes | str | int


def encode_call(events: Sequence[Event], once: Once | None, each: Mapping[int, Once] | None) -> list[Argument]:
    """One publish call as ``publish.lua`` reads it."""
    key, digest = once or ("", "")
    args: list[Argument] = [key, digest, len(events)]
    for index, event in enumerate(events):
        event_key, event_digest = (each and each.get(index)) or ("", "")
        args += (event.record(), ",".join(event.channels), _retained_key(event), event_key, event_digest)
    return args


def _retained_key(event: Event) -> str:
    if event.key is None:
        return ""
    return f"-{event.key}" if event.removes else f"={event.key}"


def decode_answer(answer: str) -> list[Cursor]:
    """The cursors of one publish call; raises :class:`~hermes.errors.Conflict` where a key was used otherwise."""
    if answer.startswith("!"):
        index = int(answer[1:])
        where = f"the idempotency key of events[{index - 1}]" if index else "the idempotency key"
        raise Conflict(f"{where} was used before for something else: choose a new key for each new event")
    cursors = []
    for run in answer.split(","):
        start, _, count = run.partition("*")
        epoch, _, first = start.rpartition("-")
        cursors += [Cursor(epoch, int(first) + more) for more in range(int(count))]
    return cursors


def decode_message(message: bytes) -> tuple[str, int, list[Event]]:
    """Epoch, first number and the events of one message of the feed; no events: that number is only announced."""
    head, _, records = message.partition(b"\n")
    epoch, first, *sizes = head.decode("ascii").split(" ")
    number, at = int(first), 0
    events: list[Event] = []
    for size in map(int, sizes):
        events.append(Event.from_record(records[at : at + size], number + len(events)))
        at += size
    if at != len(records):
        raise ValueError(f"a message of the feed has {len(records)} bytes of records and announced {at}")
    return epoch, number, events


def decode_page(answer: Sequence[Any], after: int) -> Page:
    """What ``read.lua`` answered."""
    epoch, tip, floor, last, floors, entries = answer
    return Page(
        epoch=epoch.decode(),
        after=after,
        events=[Event.from_record(value.partition(b"\n")[2], int(number)) for number, value in _pairs(entries)],
        last=int(last),
        tip=int(tip),
        floor=int(floor),
        floors={channel.decode(): int(float(number)) for channel, number in _pairs(floors)},
    )


def decode_snapshot(answer: Sequence[Any]) -> Snapshot:
    """What ``retained.lua`` answered. Events of a former epoch come first and have no number: theirs is void."""
    epoch, tip, *rest = answer
    epoch = epoch.decode()
    entries: dict[int, tuple[Event, list[str]]] = {}
    for channel, values in _pairs(rest):
        for value in values:
            head, _, record = value.partition(b"\n")
            change, its_epoch, number = head.decode("ascii").split(" ")
            entry = entries.get(int(change))
            if entry is None:
                event = Event.from_record(record, int(number) if its_epoch == epoch else 0)
                entry = entries[int(change)] = (event, [])
            entry[1].append(channel.decode())
    ordered = [Retained(event, tuple(channels)) for _, (event, channels) in sorted(entries.items(), key=_first)]
    return Snapshot(epoch, int(tip), ordered)


def _first(pair: tuple[int, object]) -> int:
    return pair[0]


def _pairs(flat: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)
