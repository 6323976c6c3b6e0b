"""A store that is down: said within a bounded time, nothing half stored, and back to work by itself."""

from __future__ import annotations

import time

import pytest

from hermes.brokers.base import Broker, Once
from hermes.errors import Unavailable
from tests.contract.factories import BrokerFactory
from tests.contract.helpers import Recorder, event, events, in_threads, read_log
from tests.support.wait import wait_until

pytestmark = pytest.mark.fault


def comes_back(broker: Broker) -> bool:
    try:
        broker.tip()
    except Unavailable:
        return False
    return True


def test_publishing_says_that_it_is_not_known_and_stores_all_or_nothing(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("before")])
    batch, once = events("during", 50), Once("key", "digest")
    with broker_factory.outage():
        started = time.monotonic()
        with pytest.raises(Unavailable):
            broker.publish(batch, once)
        assert time.monotonic() - started < 12
    wait_until(lambda: comes_back(broker))
    stored = [one for one in read_log(broker).events if one.channels == ("during",)]
    assert len(stored) in (0, 50), "all or nothing"
    cursors = broker.publish(batch, once)
    log = read_log(broker)
    assert [one.number for one in log.events] == list(range(1, 52))
    assert [cursor.number for cursor in cursors] == list(range(2, 52)), "the same key stored it once"
    feed.wait_for(51)
    assert sorted(set(feed.numbers)) == list(range(1, 52))


def test_many_callers_hear_of_an_outage_in_time(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.publish([event("before")])
    outcomes: list[float] = []

    def publish(index: int) -> None:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            broker.publish([event("during")], Once(f"key {index}", "digest"))
        outcomes.append(time.monotonic() - started)

    with broker_factory.outage():
        in_threads(10, publish)
    assert max(outcomes) < 12
    wait_until(lambda: comes_back(broker))
    for index in range(10):
        broker.publish([event("during")], Once(f"key {index}", "digest"))
    log = read_log(broker)
    assert len([one for one in log.events if one.channels == ("during",)]) == 10, "stored = distinct keys"
    assert [one.number for one in log.events] == list(range(1, 12))


def test_a_closed_broker_says_so(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.publish([event("a")])
    broker.close()
    for call in (
        lambda: broker.publish([event("a")]),
        lambda: broker.read(0, 1, 1),
        broker.tip,
        lambda: broker.retained(["a"]),
    ):
        with pytest.raises(Unavailable):
            call()
