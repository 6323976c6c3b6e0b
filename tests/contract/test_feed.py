"""The feed: what is published reaches every process, in order."""

from __future__ import annotations

from hermes.brokers.base import Broker
from tests.contract.factories import BrokerFactory
from tests.contract.helpers import Recorder, as_values, event, events, in_threads, read_log
from tests.support.wait import wait_until


def test_what_is_published_is_fed_in_order(broker: Broker) -> None:
    feed = Recorder()
    broker.feed(feed)
    published = [event("a"), event("b,c", b'{"x":1}', key="k", exclude=("c_1",)), event("t", ttl=3.0)]
    broker.publish(published[:1])
    cursors = broker.publish(published[1:])
    feed.wait_for(3)
    assert feed.numbers == [1, 2, 3]
    assert [as_values(one) for one in feed.events] == [as_values(one) for one in published]
    assert {epoch for epoch, _, _ in feed.calls} == {cursors[0].epoch}
    assert feed.announced == [], "nothing was broken, and nothing was too large"


def test_only_what_is_published_from_then_on(broker: Broker) -> None:
    broker.publish(events("a", 3))
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("a")])
    feed.wait_for(4)
    assert feed.numbers == [4]


def test_a_full_batch_is_fed(broker: Broker) -> None:
    feed = Recorder()
    broker.feed(feed)
    broker.publish(events("a", 1000))
    feed.wait_for(1000)
    assert feed.numbers == list(range(1, 1001))


def test_concurrent_publishers_are_fed_in_the_order_of_the_log(broker: Broker) -> None:
    feed = Recorder()
    broker.feed(feed)

    def publish(index: int) -> None:
        for call in range(50):
            broker.publish(events(f"c{index}", 1 + call % 4))

    in_threads(6, publish)
    total = broker.tip().number
    feed.wait_for(total)
    assert feed.numbers == list(range(1, total + 1))
    assert [as_values(one) for one in feed.events] == [as_values(one) for one in read_log(broker).events]


def test_a_large_event_is_fed_or_announced(broker: Broker) -> None:
    """A process that is told the number alone reads the log."""
    feed = Recorder()
    broker.feed(feed)
    large = b'"%s"' % (b"x" * 60_000)
    broker.publish([event("a"), event("a", large), event("a")])
    feed.wait_for(3)
    epoch = broker.tip().epoch
    assert feed.numbers in ([1, 2, 3], [1, 3])
    if feed.numbers == [1, 3]:
        assert (epoch, 2) in feed.announced
    assert read_log(broker).events[1].data == large


def test_what_is_refused_is_not_fed(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("a")])
    feed.wait_for(1)
    broker.close()
    assert feed.numbers == [1]


def test_streams_are_counted(broker: Broker) -> None:
    assert broker.tip(7).streams == 7
    assert broker.tip(3).streams == 3
    assert broker.tip().streams == 0


def test_closing_ends_the_feed_and_can_be_repeated(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("a")])
    feed.wait_for(1)
    broker.close()
    broker.close()
    other = broker_factory()
    other.publish([event("a")])
    wait_until(lambda: other.tip().number == 2)
    assert feed.numbers == [1]
