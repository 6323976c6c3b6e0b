"""Redis: a new run of the server, however it came about, is a new epoch, in the very first answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from hermes.brokers.base import Bounds, Broker, Once
from hermes.brokers.redis import RedisBroker
from hermes.core.cursor import Cursor
from tests.contract.helpers import Recorder, event, events, in_threads, numbers, read_log
from tests.contract.redis_fixtures import OpenRedis
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.fault
StartRedis = Callable[..., RedisServer]

FIRST_CALLS: dict[str, Callable[[RedisBroker], str]] = {
    "publish": lambda broker: broker.publish([event("a")])[0].epoch,
    "read": lambda broker: broker.read(0, 10, 1000).epoch,
    "tip": lambda broker: broker.tip().epoch,
    "retained": lambda broker: broker.retained(["a"]).epoch,
}


def fill(broker: Broker) -> str:
    """A log with bounds reached, floors and retained state; its epoch."""
    broker.publish([event(f"a,c{number}", key=f"k{number % 3}") for number in range(20)])
    return broker.tip().epoch


def restart_without_data(server: RedisServer, folder: Path) -> None:
    server.kill9()
    server.start()


def restart_with_data(server: RedisServer, folder: Path) -> None:
    server.restart()


def restore_an_older_snapshot(server: RedisServer, folder: Path) -> None:
    snapshot = server.snapshot(folder / "older.rdb")
    broker = RedisBroker(server.url, clock=_Clock, bounds=Bounds(), node="other")
    broker.publish(events("a", 30))
    broker.close()
    server.restore(snapshot)


def lose_all_data(server: RedisServer, folder: Path) -> None:
    server.empty()


def become_another_server(server: RedisServer, folder: Path) -> None:
    """As after a failover to a replica: the same data, another run, and a connection that knows of nothing."""
    server.client.hset("hermes:meta", "run_id", "0" * 40)


class _Clock:
    now = staticmethod(lambda: 0.0)
    monotonic = staticmethod(lambda: 0.0)


@pytest.mark.parametrize("first_call", FIRST_CALLS)
@pytest.mark.parametrize(
    "happens",
    [restart_without_data, restart_with_data, restore_an_older_snapshot, lose_all_data, become_another_server],
)
def test_the_first_call_after_it_has_the_new_epoch(
    start_redis: StartRedis,
    open_redis: OpenRedis,
    tmp_path: Path,
    happens: Callable[[RedisServer, Path], None],
    first_call: str,
) -> None:
    server = start_redis()
    broker = open_redis(server)
    before = fill(broker)
    happens(server, tmp_path)
    after = FIRST_CALLS[first_call](broker)
    assert after != before
    log = read_log(broker)
    number = 1 if first_call == "publish" else 0
    assert broker.tip() == (after, number, 0)
    assert (numbers(log.events), log.floor, log.floors) == ([1] if number else [], 0, {})
    assert broker.publish(events("a", 3)) == [Cursor(after, number + place) for place in (1, 2, 3)]


def test_what_a_new_epoch_keeps(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server, bounds=Bounds(per_channel=3))
    first = broker.publish([event("a,b", b"1", key="x"), event("a", b"2", key="y")], Once("key", "d"))
    single = broker.publish([event("a", b"3", key="z")], each={0: Once("one", "d")})
    server.restart()
    assert broker.publish(events("a", 2), Once("key", "d")) == first, "idempotency answers as it did"
    assert broker.publish([event("a")], each={0: Once("one", "d")}) == single
    assert broker.tip().number == 0, "and stores nothing"
    broker.publish([event("b", b"4", key="x")])
    snapshot = broker.retained(["a", "b"])
    assert [(entry.event.data, entry.channels, entry.event.number) for entry in snapshot.entries] == [
        (b"1", ("a",), 0),
        (b"2", ("a",), 0),
        (b"3", ("a",), 0),
        (b"4", ("b",), 1),
    ], "what was retained is, without a number: those of the former epoch mean nothing"


def test_what_a_former_epoch_left_is_cleared_away(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    former = [broker.tip().epoch]
    for _ in range(3):
        for part in range(3):
            broker.publish([event(f"c{part}-{number}") for number in range(700)])
        former.append(broker.tip().epoch)
        become_another_server(server, Path())
    broker.publish([event("a")])

    def clear() -> bool:
        broker.tip()
        return not [key for epoch in former for key in server.client.keys(f"*{epoch}*")]

    wait_until(clear, message=lambda: str(server.client.keys("*"))[:500])
    wait_until(lambda: broker.tip() and not server.client.exists("hermes:former"))
    assert numbers(read_log(broker).events) == [1]


def test_all_agree_on_the_new_epoch(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    brokers = [open_redis(server, node=f"n{index}") for index in range(6)]
    for _ in range(5):
        for broker in brokers:
            broker.tip()
        become_another_server(server, Path())
        found: list[Cursor] = []
        in_threads(6, partial(_publish_one, brokers, found))
        assert len({cursor.epoch for cursor in found}) == 1
        assert sorted(cursor.number for cursor in found) == [1, 2, 3, 4, 5, 6]


def _publish_one(brokers: Sequence[Broker], found: list[Cursor], index: int) -> None:
    found += brokers[index].publish([event("a")])


def test_the_feed_tells_of_the_new_epoch(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker, other = open_redis(server), open_redis(server)
    feed = Recorder()
    broker.feed(feed)
    other.publish(events("a", 3))
    feed.wait_for(3)
    server.kill9()
    server.start()
    wait_until(lambda: feed.announced)
    assert feed.announced[0] == ("", 0), "the link was broken: read the log"
    epoch = other.publish([event("a")])[0].epoch
    wait_until(lambda: (epoch, 1, 1) in feed.calls)


def test_publishers_while_redis_is_killed(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    """Whatever was acknowledged of the last epoch is in its log, each number once."""
    server = start_redis()
    brokers = [open_redis(server, node=f"n{index}") for index in range(3)]
    acknowledged: list[Cursor] = []

    def publish(index: int) -> None:
        for call in range(300):
            acknowledged.extend(brokers[index].publish([event("a", b'"%d %d"' % (index, call))]))

    def kill(index: int) -> None:
        for _ in range(3):
            count = len(acknowledged) + 100
            wait_until(lambda wanted=count: len(acknowledged) >= wanted)
            server.kill9()
            server.start()

    in_threads(4, lambda index: kill(index) if index == 3 else publish(index))
    assert len(set(acknowledged)) == len(acknowledged) == 900
    last = brokers[0].tip()
    there = set(numbers(read_log(brokers[0]).events))
    assert there >= {cursor.number for cursor in acknowledged if cursor.epoch == last.epoch}
    assert len({cursor.epoch for cursor in acknowledged}) >= 2
