"""What the suite says again and again: events, a feed that remembers, and reading the whole log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hermes.brokers.base import Broker
from hermes.core.event import Event
from hermes.core.recovery import Tip
from tests.support.wait import wait_until

TIME = 1_800_000_000_000


def event(channels: str, data: bytes = b"1", **fields: Any) -> Event:
    """An event on comma-separated channels."""
    return Event(tuple(channels.split(",")), fields.pop("type", "message"), data, TIME, **fields)


def events(channels: str, count: int, **fields: Any) -> list[Event]:
    """So many events on the same channels; their data counts them from 0, unless it is given."""
    return [event(channels, **{"data": b"%d" % number, **fields}) for number in range(count)]


def numbers(found: Sequence[Event]) -> list[int]:
    return [one.number for one in found]


def as_values(one: Event) -> tuple[object, ...]:
    """All that a published event must keep; its number comes later."""
    return (one.channels, one.type, one.data, one.time, one.key, one.ttl, one.exclude)


class Log(NamedTuple):
    """The whole log above a position, put together from its pages."""

    events: list[Event]
    floor: int
    floors: dict[str, int]
    tip: int


def read_log(broker: Broker, after: int = 0, max_events: int = 500, max_bytes: int = 1_000_000) -> Log:
    """Page by page to the tip; checks what every page must keep to."""
    found: list[Event] = []
    floor, floors = 0, {}
    while True:
        page = broker.read(after, max_events, max_bytes)
        assert page.after == after
        assert len(page.events) <= max_events
        assert numbers(page.events) == sorted({number for number in numbers(page.events) if after < number <= page.tip})
        assert all(number > max(after, page.floor) for number in page.floors.values())
        assert page.last == page.tip or page.last == page.events[-1].number
        found += page.events
        floor = max(floor, page.floor)
        for channel, number in page.floors.items():
            floors[channel] = max(number, floors.get(channel, 0))
        if page.last >= page.tip:
            return Log(found, floor, floors, page.tip)
        assert page.last > after, "a page must go on"
        after = page.last


def settled(broker: Broker, condition: Callable[[Log], object], timeout: float = 10.0) -> Log:
    """The log once `condition` holds: `tip` is asked again and again, as each process does, to remove what is over."""

    def look() -> Log | None:
        broker.tip()
        log = read_log(broker)
        return log if condition(log) else None

    found = wait_until(look, timeout, lambda: f"the log is {read_log(broker)}")
    assert found is not None
    return found


@dataclass
class Recorder:
    """A feed that remembers what it was given."""

    events: list[Event] = field(default_factory=list)
    calls: list[tuple[str, int, int]] = field(default_factory=list)  # epoch, first, how many
    announced: list[tuple[str, int]] = field(default_factory=list)

    def accept(self, epoch: str, first: int, events: Sequence[Event]) -> None:
        assert numbers(events) == list(range(first, first + len(events))), "contiguous, and each has its number"
        self.calls.append((epoch, first, len(events)))
        self.events += events

    def announce(self, epoch: str, number: int) -> None:
        self.announced.append((epoch, number))

    @property
    def numbers(self) -> list[int]:
        return numbers(self.events)

    def wait_for(self, number: int, timeout: float = 10.0) -> None:
        """Until that number has come."""
        wait_until(lambda: number in self.numbers, timeout, lambda: f"number {number}; there are {self.numbers[-20:]}")


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs `work(0)`, `work(1)`, ... at once, and raises what any of them raised."""
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def tip_number(broker: Broker) -> int:
    tip = broker.tip()
    assert isinstance(tip, Tip)
    return tip.number
