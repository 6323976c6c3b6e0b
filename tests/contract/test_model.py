"""Against a model too simple to be wrong: the list of all events that were ever published.

*Sound*: whoever reads from any position gets each event of a channel, or hears that this channel lost something. *Frugal*:
what no bound pushes out is kept. The readers use the same `Position` as the streams do, so this is the promise itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hermes.brokers.base import Bounds
from hermes.core.event import Event
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from tests.contract.factories import BrokerFactory
from tests.contract.helpers import event, numbers, read_log

CHANNELS = ("a", "b", "c", "user:x")
SIZES = (1, 40, 400)
BOUNDS = (
    Bounds(events=8, bytes=1_000_000, per_channel=3, age=3600.0),
    Bounds(events=1000, bytes=1_000_000, per_channel=2, age=3600.0),
    Bounds(events=30, bytes=900, per_channel=5, age=3600.0),
    Bounds(events=5, bytes=1_000_000, per_channel=1000, age=3600.0),
    Bounds(events=1, bytes=1_000_000, per_channel=1, age=3600.0),
)
ITEMS = (("a",), ("b", "a"), ("*",), ("user:*", "c"), ("a", "user:x", "b*"))

some_channels = st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True)
batches = st.lists(st.tuples(some_channels, st.sampled_from(SIZES)), min_size=1, max_size=8)


class Reader:
    """A stream as it goes through the log: what it was given, and what it was told is missing."""

    def __init__(self, items: Sequence[str], epoch: str, number: int) -> None:
        self.subscription = Subscription(items, everything=True)
        self.position = Position(epoch, number)
        self.begins = number
        self.delivered: list[int] = []
        self.told: dict[str, int] = {}  # item -> up to which number it may miss something

    def is_owed(self, one: Event) -> bool:
        """Whether some item of this stream must have brought that event."""
        items = {item for channel in one.channels for item in self.subscription.items_of(channel)}
        return one.number > self.begins and any(one.number > self.told.get(item, 0) for item in items)


class LogMachine(RuleBasedStateMachine):
    """Publishes, removes and reads in any order."""

    factory: BrokerFactory
    bounds: Bounds

    def __init__(self) -> None:
        super().__init__()
        self.factory.empty()
        self.broker = self.factory(self.bounds)
        self.epoch = self.broker.tip().epoch
        self.ever: list[Event] = []
        self.readers: list[Reader] = []

    @rule(batch=batches)
    def publish(self, batch: list[tuple[list[str], int]]) -> None:
        new = [event(",".join(channels), b"1" * size) for channels, size in batch]
        cursors = self.broker.publish(new)
        assert [cursor.number for cursor in cursors] == list(range(len(self.ever) + 1, len(self.ever) + len(new) + 1))
        for one, cursor in zip(new, cursors, strict=True):
            one.number = cursor.number
        self.ever += new

    @rule(channel=st.sampled_from(CHANNELS), count=st.integers(1, 30))
    def publish_noise(self, channel: str, count: int) -> None:
        self.publish([([channel], 1)] * count)

    @rule(streams=st.integers(0, 5))
    def ask_for_the_tip(self, streams: int) -> None:
        assert self.broker.tip(streams) == (self.epoch, len(self.ever), streams)

    @rule()
    def open_again(self) -> None:
        self.broker = self.factory.reopen(self.broker, self.bounds)

    @rule(items=st.sampled_from(ITEMS), back=st.integers(0, 40))
    def begin_to_read(self, items: tuple[str, ...], back: int) -> None:
        self.readers.append(Reader(items, self.epoch, max(0, len(self.ever) - back)))

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), events=st.integers(1, 5), size=st.sampled_from((1, 300, 100_000)))
    def read_on(self, data: st.DataObject, events: int, size: int) -> None:
        self.step(data.draw(st.sampled_from(range(len(self.readers)))), events, size)

    def step(self, index: int, events: int, size: int) -> None:
        reader = self.readers[index]
        page = self.broker.read(reader.position.number, events, size)
        taken = reader.position.take(page, reader.subscription, 0)
        if taken.lost:
            snapshot = self.broker.retained(reader.subscription.items)
            reader.position.skip_to(taken.lost, snapshot.tip, reader.subscription)
            reader.told.update(dict.fromkeys(taken.lost, snapshot.tip))
        reader.delivered += [one.number for one, _ in taken.events]

    @rule(after=st.integers(0, 60), events=st.integers(1, 9), size=st.sampled_from((1, 300, 100_000)))
    def no_page_hides_a_loss(self, after: int, events: int, size: int) -> None:
        log = read_log(self.broker, after, events, size)
        there = set(numbers(log.events))
        assert log.tip == len(self.ever)
        for one in self.ever[after:]:
            assert (
                one.number in there
                or log.floor >= one.number
                or all(log.floors.get(channel, 0) >= one.number for channel in one.channels)
            ), f"{one} is missing and nobody says so"

    @invariant()
    def what_no_bound_pushes_out_is_kept(self) -> None:
        log = read_log(self.broker)
        there = set(numbers(log.events))
        newer = dict.fromkeys(CHANNELS, 0)
        size = 0
        for newest_first, one in enumerate(reversed(self.ever)):
            size += len(one.record())
            if newest_first >= self.bounds.events or size > self.bounds.bytes:
                break
            if all(newer[channel] < self.bounds.per_channel for channel in one.channels):
                assert one.number in there, f"{one} was within all bounds"
            for channel in one.channels:
                newer[channel] += 1

    @invariant()
    def what_is_over_a_bound_goes_soon(self) -> None:
        for _ in range(100):
            log = read_log(self.broker)
            per_channel = max(sum(channel in one.channels for one in log.events) for channel in CHANNELS)
            size = sum(len(one.record()) for one in log.events)
            if (
                len(log.events) <= self.bounds.events
                and per_channel <= self.bounds.per_channel
                and size <= self.bounds.bytes
            ):
                return
            self.broker.tip()
        raise AssertionError(f"still over a bound: {log}")

    def teardown(self) -> None:
        for index, reader in enumerate(self.readers):
            for _ in range(10 * len(self.ever) + 10):
                if reader.position.number >= len(self.ever):
                    break
                self.step(index, 3, 100_000)
            assert reader.position.number == len(self.ever), "a reader arrives"
            assert reader.delivered == sorted(set(reader.delivered)), "in order, and once"
            owed = {one.number for one in self.ever if reader.is_owed(one)}
            assert owed <= set(reader.delivered), f"lost, and nobody said so: {owed - set(reader.delivered)}"
        self.factory.check_books(self.broker)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_no_loss_is_ever_hidden(broker_factory: BrokerFactory, bounds: Bounds, full: bool) -> None:
    machine = type("Machine", (LogMachine,), {"factory": broker_factory, "bounds": bounds})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300 if full else 12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
