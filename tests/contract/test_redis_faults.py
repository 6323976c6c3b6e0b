"""Redis: broken links, stalls, refusals, and servers that cannot be used."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from hermes.brokers.base import Once
from hermes.brokers.redis import RedisBroker
from hermes.core.cursor import Cursor
from hermes.errors import StoreError, Unavailable
from tests.contract.helpers import Recorder, event, events, numbers, read_log
from tests.contract.redis_fixtures import OpenRedis
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.tcp_relay import TcpRelay
from tests.support.wait import wait_until

pytestmark = pytest.mark.fault
StartRedis = Callable[..., RedisServer]

# The feed's link


def test_a_killed_feed_says_so_and_goes_on(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("a")])
    feed.wait_for(1)
    for round_ in range(1, 4):
        server.cli("CLIENT", "KILL", "TYPE", "pubsub")
        broker.publish([event("unheard")])
        wait_until(lambda wanted=round_: len(feed.announced) == wanted)
        number = broker.publish([event("a")])[0].number
        feed.wait_for(number)
    assert feed.announced == [("", 0)] * 3


def test_nothing_is_lost_between_a_killed_feed_and_the_log(
    start_redis: StartRedis, open_redis: OpenRedis, full: bool
) -> None:
    """Whatever the feed does not bring was announced, and is in the log above what was known by then."""
    server = start_redis()
    broker, publisher = open_redis(server), open_redis(server)

    class Healing(Recorder):
        """What a process does with a feed, in its simplest form."""

        last = 0

        def take(self, first: int, count: int) -> None:
            if first <= self.last + 1 <= first + count - 1:
                self.last = first + count - 1
            elif first > self.last + 1:
                self.heal()

        def heal(self) -> None:
            self.last = read_log(broker, self.last).tip

        def accept(self, epoch: str, first: int, events: object) -> None:
            super().accept(epoch, first, events)  # type: ignore[arg-type]
            self.take(first, len(events))  # type: ignore[arg-type]

        def announce(self, epoch: str, number: int) -> None:
            super().announce(epoch, number)
            self.heal()

    feed = Healing()
    broker.feed(feed)
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            publisher.publish(events("a", 3))

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish)
        for kills in range(1, 30 if full else 6):
            server.cli("CLIENT", "KILL", "TYPE", "pubsub")
            wait_until(lambda wanted=kills: len(feed.announced) >= wanted)
        stop.set()
        publishing.result(30)
    wait_until(lambda: feed.last == broker.tip().number)


def test_a_confirmation_that_nobody_asked_for_is_a_broken_link(redis_server: RedisServer) -> None:
    """As a client library resubscribes in silence."""
    from hermes.brokers.redis_feed import FeedReader
    from hermes.brokers.redis_url import Dialer

    feed = Recorder()
    reader = FeedReader(Dialer(redis_server.url), "c", "test", feed, time.monotonic)
    for _ in range(3):
        reader._take([b"subscribe", b"c", 1])
    reader._take([b"pong", b""])
    assert feed.announced == [("", 0)] * 2, "all but the first"


def test_what_cannot_be_read_of_the_feed_is_left_to_the_log(redis_server: RedisServer, open_redis: OpenRedis) -> None:
    redis_server.empty()
    broker = open_redis(redis_server)
    feed = Recorder()
    broker.feed(feed)
    for junk in (b"", b"x", b"epoch 1 5\n123", b"epoch x\n", b"epoch 1 3\n\xff\xff\n", b"\n\n\n"):
        redis_server.client.publish("hermes:0:feed", junk)
    broker.publish([event("a")])
    feed.wait_for(1)
    assert feed.announced == [("", 0)] * 6


def test_a_redis_that_comes_later_is_waited_for(tmp_path: Path, open_redis: OpenRedis) -> None:
    server = RedisServer(tmp_path / "late", free_port())
    broker = open_redis(server)
    feed = Recorder()
    broker.feed(feed)
    with pytest.raises(Unavailable):
        broker.tip()
    with server:
        wait_until(lambda: feed.announced == [("", 0)])
        broker.publish([event("a")])
        feed.wait_for(1)


def test_closing_does_not_wait_for_a_redis_that_stalls(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    broker.feed(Recorder())
    broker.publish([event("a")])
    server.pause()
    started = time.monotonic()
    broker.close()
    assert time.monotonic() - started < 6
    server.resume()


# Calls


def test_a_stall(start_redis: StartRedis, open_redis: OpenRedis, full: bool) -> None:
    """Stored = distinct keys, though calls are tried again, by the broker and by its callers."""
    server = start_redis()
    broker = open_redis(server)
    feed = Recorder()
    broker.feed(feed)
    acknowledged: dict[str, list[Cursor]] = {}
    stop = threading.Event()

    def publish(index: int) -> None:
        call = 0
        while not stop.is_set():
            key = f"{index} {call}"
            while key not in acknowledged:
                try:
                    acknowledged[key] = broker.publish([event("a", b'"%s"' % key.encode())], Once(key, "d"))
                except Unavailable:
                    continue
            call += 1

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(publish, index) for index in range(4)]
        wait_until(lambda: len(acknowledged) > 100)
        for _ in range(2):
            server.pause()
            stalled = time.monotonic()
            with pytest.raises(Unavailable):
                broker.tip()
            assert time.monotonic() - stalled < 2.5, "a stall is noticed soon"
            wait_until(lambda since=stalled: time.monotonic() - since > (8 if full else 3), 15)
            server.resume()
            count = len(acknowledged)
            wait_until(lambda count=count: len(acknowledged) > count + 50)
            broker.tip()
        stop.set()
        for one in working:
            one.result(30)
    log = read_log(broker)
    stored = [one.data.decode().strip('"') for one in log.events]
    assert sorted(stored) == sorted(acknowledged)
    feed.wait_for(log.tip)


def test_an_answer_that_is_lost_does_not_store_twice(
    start_redis: StartRedis, start_relay: Callable[[int], TcpRelay], open_redis: OpenRedis
) -> None:
    """The call carries no key of its caller's: the broker's own covers its attempts."""
    server = start_redis()
    relay = start_relay(server.port)
    direct = open_redis(server)
    broker = open_redis(f"redis://127.0.0.1:{relay.port}/0")
    broker.publish([event("a")])
    relay.delay(60, up=False)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(broker.publish, events("b", 3))
        wait_until(lambda: direct.tip().number == 4)
        relay.delay(0)
        relay.cut(reset=True)
        assert [cursor.number for cursor in call.result(10)] == [2, 3, 4]
    assert numbers(read_log(direct).events) == [1, 2, 3, 4]


def test_a_link_that_breaks_between_calls_costs_nothing(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    for number in range(1, 6):
        assert broker.publish([event("a")])[0].number == number
        assert broker.tip().number == number
        server.cli("CLIENT", "KILL", "TYPE", "normal")


def test_a_restart_within_the_deadline_is_bridged(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis(appendonly=True)
    broker = open_redis(server)
    broker.publish([event("a")])
    server.kill9()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(broker.publish, [event("a")])
        server.start()
        assert call.result(10)[0].number == 1, "of the new epoch"


def test_out_of_memory(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("a", key="k")])
    feed.wait_for(1)
    server.cli("CONFIG", "SET", "maxmemory", "1mb")
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(Unavailable, match="out of memory"):
            broker.publish(events("a", 10, key="k"), Once("key", "d"))
        assert time.monotonic() - started < 1, "waiting does not help"
    assert broker.tip(3)[1:] == (1, 3)
    assert numbers(broker.read(0, 10, 1000).events) == [1]
    assert len(broker.retained(["a"]).entries) == 1
    server.cli("CONFIG", "SET", "maxmemory", "0")
    assert broker.publish(events("a", 10), Once("key", "d"))[0].number == 2
    feed.wait_for(11)
    assert feed.numbers == list(range(1, 12)), "nothing was fed that was not stored"


def test_a_new_epoch_while_out_of_memory(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    before = broker.publish([event("a")])[0].epoch
    server.client.hset("hermes:meta", "run_id", "another")
    server.cli("CONFIG", "SET", "maxmemory", "1mb")
    after = broker.tip().epoch
    assert after != before
    assert broker.read(0, 10, 1000).epoch == after


def test_a_disk_that_takes_nothing(start_redis: StartRedis, open_redis: OpenRedis, tmp_path: Path) -> None:
    server = start_redis(config={"enable-protected-configs": "yes"})
    broker = open_redis(server)
    broker.publish([event("a")])
    gone = tmp_path / "gone"
    gone.mkdir()
    server.cli("CONFIG", "SET", "save", "3600 1")
    server.cli("CONFIG", "SET", "dir", str(gone))
    gone.rmdir()
    server.cli("BGSAVE")
    wait_until(lambda: server.client.info("persistence")["rdb_last_bgsave_status"] == "err")
    with pytest.raises(Unavailable, match="disk"):
        broker.publish([event("a")])
    server.cli("CONFIG", "SET", "save", "")
    assert broker.publish([event("a")])[0].number == 2


def test_a_primary_that_becomes_a_replica_is_waited_for(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    broker = open_redis(server)
    broker.publish([event("a")])
    server.cli("REPLICAOF", "127.0.0.1", free_port())
    with pytest.raises(Unavailable):
        broker.tip()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(broker.publish, [event("a")])
        server.cli("REPLICAOF", "NO", "ONE")
        assert call.result(10)[0].number == 2


def test_a_busy_redis_is_waited_for(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis(config={"busy-reply-threshold": "50"})
    broker = open_redis(server)
    broker.publish([event("a")])
    with ThreadPoolExecutor(2) as pool:
        busy = pool.submit(server.connect().eval, "while true do end", 0)
        other = server.connect()
        wait_until(lambda: not _answers(other))
        call = pool.submit(broker.publish, [event("a")])
        with pytest.raises(Unavailable):
            broker.tip()
        other.script_kill()
        assert call.result(10)[0].number == 2
        with pytest.raises(redis.ResponseError):
            busy.result(10)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ResponseError:
        return False


# Servers that cannot be used


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"cluster-enabled": "yes"}, "Cluster"),
        ({"maxmemory-policy": "allkeys-lru"}, "noeviction"),
        ({"maxmemory-policy": "volatile-ttl"}, "noeviction"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused_at_start(
    start_redis: StartRedis, open_redis: OpenRedis, config: dict[str, str], says: str
) -> None:
    server = start_redis(config=config)
    calls: list[Callable[[RedisBroker], object]] = [
        lambda broker: broker.feed(Recorder()),
        lambda broker: broker.publish([event("a")]),
        lambda broker: broker.tip(),
    ]
    for call in calls:
        broker = open_redis(server)
        for _ in range(2):
            with pytest.raises(StoreError, match=says):
                call(broker)


def test_a_server_that_cannot_be_used_any_more_is_not_there(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    """Once Hermes runs, what is wrong with Redis may be put right while it runs."""
    server = start_redis()
    broker = open_redis(server)
    broker.publish([event("a")])
    server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    server.cli("CLIENT", "KILL", "TYPE", "normal")
    with pytest.raises(Unavailable, match="noeviction"):
        broker.publish([event("a")])
    server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert broker.publish([event("a")])[0].number == 2


def test_the_url_may_carry_a_password_and_a_database(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    server.cli("CONFIG", "SET", "requirepass", "p@ss:w/rd")
    without = open_redis(server)
    with pytest.raises(StoreError, match="password"):
        without.feed(Recorder())
    broker = open_redis(f"redis://:p%40ss%3Aw%2Frd@127.0.0.1:{server.port}/2")
    broker.feed(Recorder())
    assert broker.publish([event("a")])[0].number == 1
    assert server.client.dbsize() == 0, "it is in database 2"


def test_a_wrong_password_is_named(start_redis: StartRedis, open_redis: OpenRedis) -> None:
    server = start_redis()
    server.cli("ACL", "SETUSER", "hermes", "on", ">right", "~hermes:*", "&hermes:*", "+@all")
    right = open_redis(f"redis://hermes:right@127.0.0.1:{server.port}/0")
    right.feed(Recorder())
    assert right.publish([event("a")])[0].number == 1, "its own keys and channel are all that it needs"
    wrong = open_redis(f"redis://hermes:wrong@127.0.0.1:{server.port}/0")
    with pytest.raises(StoreError, match="password"):
        wrong.feed(Recorder())
    with pytest.raises(StoreError, match="password") as caught:
        wrong.publish([event("a")])
    assert "wrong" not in str(caught.value).split("password")[1]
    reader = server.cli("ACL", "SETUSER", "reader", "on", ">r", "~hermes:*", "&hermes:*", "+@all", "-info")
    assert reader == "OK"
    less = open_redis(f"redis://reader:r@127.0.0.1:{server.port}/0")
    with pytest.raises(StoreError, match="EVAL and INFO"):
        less.tip()
