"""The log: pages, bounds, and floors that tell of every removal."""

from __future__ import annotations

import pytest

from hermes.brokers.base import Bounds, Broker
from tests.contract.factories import PLENTY, BrokerFactory
from tests.contract.helpers import event, events, numbers, read_log, settled

# Pages


def test_an_empty_log(broker: Broker) -> None:
    page = broker.read(0, 10, 1000)
    assert (list(page.events), page.last, page.tip, page.floor, dict(page.floors)) == ([], 0, 0, 0, {})
    assert page.epoch == broker.tip().epoch


def test_pages_end_at_so_many_events(broker: Broker) -> None:
    broker.publish(events("a", 10))
    page = broker.read(0, 4, 1_000_000)
    assert (numbers(page.events), page.last, page.tip) == ([1, 2, 3, 4], 4, 10)
    page = broker.read(4, 100, 1_000_000)
    assert (numbers(page.events), page.last) == ([5, 6, 7, 8, 9, 10], 10)
    assert numbers(read_log(broker, max_events=1).events) == list(range(1, 11))


def test_pages_end_at_so_many_bytes(broker: Broker) -> None:
    batch = [event("a", b'"%s"' % (b"x" * 1000)) for _ in range(10)]
    broker.publish(batch)
    size = len(batch[0].record())
    page = broker.read(0, 100, 3 * size)
    assert (numbers(page.events), page.last, page.tip) == ([1, 2, 3], 3, 10)
    assert numbers(broker.read(0, 100, 3 * size - 1).events) == [1, 2]
    assert numbers(read_log(broker, max_bytes=2 * size + 5).events) == list(range(1, 11))


def test_a_page_has_at_least_one_event(broker: Broker) -> None:
    broker.publish([event("a", b'"%s"' % (b"x" * 50_000)) for _ in range(3)])
    page = broker.read(1, 100, 10)
    assert (numbers(page.events), page.last) == ([2], 2)


def test_a_page_at_or_above_the_tip_is_empty(broker: Broker) -> None:
    broker.publish(events("a", 3))
    for after in (3, 4, 1_000_000_000_000):
        page = broker.read(after, 10, 1000)
        assert (list(page.events), page.last, page.tip, dict(page.floors)) == ([], 3, 3, {})


def test_many_pages(broker: Broker) -> None:
    for _ in range(3):
        broker.publish(events("a", 300))
    assert numbers(read_log(broker, max_events=7).events) == list(range(1, 901))
    assert numbers(read_log(broker, after=650, max_events=1000).events) == list(range(651, 901))


# The log's bounds


def test_the_oldest_leave_a_log_that_has_too_many(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(PLENTY._replace(events=10))
    for number in range(25):
        broker.publish([event(f"c{number}")])
    log = settled(broker, lambda log: len(log.events) <= 10)
    assert (numbers(log.events), log.floor, log.floors) == (list(range(16, 26)), 15, {})


def test_a_batch_larger_than_the_log(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(PLENTY._replace(events=10))
    cursors = broker.publish(events("a", 40))
    assert [cursor.number for cursor in cursors] == list(range(1, 41))
    log = settled(broker, lambda log: len(log.events) <= 10)
    assert (numbers(log.events), log.floor) == (list(range(31, 41)), 30)


def test_the_oldest_leave_a_log_that_has_too_many_bytes(broker_factory: BrokerFactory) -> None:
    one = event("a", b'"%s"' % (b"x" * 1000))
    broker = broker_factory(PLENTY._replace(bytes=5 * len(one.record()) + 10))
    for _ in range(12):
        broker.publish([one])
    log = settled(broker, lambda log: len(log.events) <= 5)
    assert (numbers(log.events), log.floor) == ([8, 9, 10, 11, 12], 7)


def test_an_event_larger_than_the_log_leaves_at_once(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(PLENTY._replace(bytes=5000))
    broker.publish([event("a")])
    broker.publish([event("a", b'"%s"' % (b"x" * 10_000))])
    log = settled(broker, lambda log: not log.events)
    assert log.floor == log.tip == 2
    broker.publish([event("a")])
    assert numbers(read_log(broker).events) == [3]


def test_the_old_leave_though_nobody_publishes(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(PLENTY._replace(age=0.5))
    broker.publish(events("a", 250))
    log = settled(broker, lambda log: not log.events)
    assert (log.floor, log.tip, log.floors) == (250, 250, {})
    broker.publish([event("a")])
    assert numbers(read_log(broker).events) == [251]


def test_a_smaller_bound_is_reached_step_by_step(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.publish(events("a", 500))
    broker = broker_factory.reopen(broker, PLENTY._replace(events=20))
    log = settled(broker, lambda log: len(log.events) <= 20)
    assert (numbers(log.events), log.floor) == (list(range(481, 501)), 480)


# A channel's bound


@pytest.fixture
def small(broker_factory: BrokerFactory) -> Broker:
    return broker_factory(PLENTY._replace(per_channel=5))


def test_a_channel_keeps_its_newest(small: Broker) -> None:
    for one in events("noisy", 12):
        small.publish([one])
    log = settled(small, lambda log: len(log.events) <= 5)
    assert (numbers(log.events), log.floor, log.floors) == ([8, 9, 10, 11, 12], 0, {"noisy": 7})


def test_a_noisy_channel_costs_the_quiet_ones_nothing(small: Broker) -> None:
    small.publish([event("quiet")])
    small.publish(events("noisy", 50))
    small.publish([event("quiet")])
    small.publish(events("noisy", 50))
    log = settled(small, lambda log: len(log.events) <= 7)
    assert [one.number for one in log.events if one.channels == ("quiet",)] == [1, 52]
    assert (log.floor, log.floors) == (0, {"noisy": 97})


def test_an_event_of_several_channels_goes_with_the_first_and_raises_the_floors_of_all(small: Broker) -> None:
    small.publish([event("noisy,quiet,other"), event("quiet")])
    small.publish(events("noisy", 5))
    log = settled(small, lambda log: len(log.events) <= 6)
    assert (numbers(log.events), log.floor) == ([2, 3, 4, 5, 6, 7], 0)
    assert log.floors == {"noisy": 1, "quiet": 1, "other": 1}


def test_an_event_that_is_gone_already_is_passed_over(small: Broker) -> None:
    small.publish([event("a,b")])
    small.publish(events("a", 5))
    small.publish(events("b", 7))
    log = settled(small, lambda log: len([one for one in log.events if "b" in one.channels]) <= 5)
    assert numbers(log.events) == [2, 3, 4, 5, 6, 9, 10, 11, 12, 13]
    assert log.floors == {"a": 1, "b": 8}


def test_a_floor_never_sinks(small: Broker) -> None:
    small.publish([event("a,x"), event("b,x"), *events("b", 5)])
    assert settled(small, lambda log: "x" in log.floors).floors == {"b": 2, "x": 2}
    small.publish(events("a", 5))
    assert settled(small, lambda log: "a" in log.floors).floors == {"a": 1, "b": 2, "x": 2}


def test_floors_are_told_above_the_position_alone(small: Broker) -> None:
    small.publish(events("a", 8))
    small.publish(events("b", 8))
    settled(small, lambda log: len(log.events) <= 10)
    assert dict(small.read(0, 1, 1000).floors) == {"a": 3, "b": 11}
    assert dict(small.read(3, 1, 1000).floors) == {"b": 11}
    assert dict(small.read(11, 1, 1000).floors) == {}


def test_a_floor_that_the_logs_has_passed_is_forgotten(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(PLENTY._replace(events=12, per_channel=5))
    broker.publish(events("noisy", 8))
    assert settled(broker, lambda log: len(log.events) <= 5).floors == {"noisy": 3}
    for number in range(10):
        broker.publish([event(f"c{number}")])
    log = settled(broker, lambda log: len(log.events) <= 12)
    assert (log.floor, log.floors) == (6, {})


def test_all_bounds_together(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(Bounds(events=30, bytes=100_000, per_channel=8, age=1000.0))
    for number in range(100):
        broker.publish([event(f"a,c{number % 3}"), event(f"d{number}")])
    log = settled(broker, lambda log: len(log.events) <= 30)
    for channel in ("a", "c0", "c1", "c2"):
        assert len([one for one in log.events if channel in one.channels]) <= 8
    assert len([one for one in log.events if "a" in one.channels]) == 8
    assert [one for one in log.events if one.number > 184] == log.events[-16:]


def test_a_log_that_is_opened_again_is_the_same(broker_factory: BrokerFactory) -> None:
    bounds = PLENTY._replace(events=30, per_channel=5)
    broker = broker_factory(bounds)
    broker.publish([event("a,b"), *events("a", 7), *[event(f"c{number}") for number in range(28)]])
    before = settled(broker, lambda log: len(log.events) <= 30)
    epoch = broker.tip().epoch
    broker = broker_factory.reopen(broker, bounds)
    after = read_log(broker)
    assert numbers(after.events) == numbers(before.events)
    assert after[1:] == before[1:]
    assert broker.tip().epoch == epoch
    broker.publish([event("new")])
    assert read_log(broker).events[-1].number == before.tip + 1
