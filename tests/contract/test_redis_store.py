"""Redis: what is kept where, what goes over the wire, and what else lives on the same server."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from hermes.brokers.base import Bounds, Once
from hermes.brokers.redis_link import script
from hermes.brokers.redis_wire import decode_message
from tests.contract.factories import check_redis_books
from tests.contract.helpers import Recorder, event, events, in_threads, numbers, read_log, settled
from tests.contract.redis_fixtures import OpenRedis
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """The shared server, empty."""
    redis_server.empty()
    return redis_server


def test_prefixes_and_databases_are_apart(server: RedisServer, open_redis: OpenRedis) -> None:
    there = [
        open_redis(server),
        open_redis(server, prefix="other"),
        open_redis(server.url.removesuffix("/0") + "/3"),
    ]
    feeds = [Recorder() for _ in there]
    for broker, feed in zip(there, feeds, strict=True):
        broker.feed(feed)
    for count, broker in enumerate(there, 1):
        broker.publish(events(f"c{count}", count, key="k"))
        assert broker.tip(count).streams == count
    for count, (broker, feed) in enumerate(zip(there, feeds, strict=True), 1):
        feed.wait_for(count)
        assert {one.channels for one in read_log(broker).events} == {(f"c{count}",)}
        assert {entry.channels for entry in broker.retained(["*"]).entries} == {(f"c{count}",)}
        assert feed.numbers == list(range(1, count + 1))
    assert {key.partition(":")[0] for key in server.client.keys("*")} == {"hermes", "other"}


def test_a_process_has_at_most_three_connections(server: RedisServer, open_redis: OpenRedis) -> None:
    before = {client["id"] for client in server.client.client_list()}
    broker = open_redis(server)
    assert {client["id"] for client in server.client.client_list()} == before, "nothing is opened before it is used"
    broker.feed(Recorder())

    def use(index: int) -> None:
        for _ in range(20):
            broker.publish([event("a")])
            broker.read(0, 10, 1000)
            broker.tip()
            broker.retained(["a"])

    in_threads(10, use)
    opened = [client for client in server.client.client_list() if client["id"] not in before]
    assert sorted(client["name"] for client in opened) == ["hermes-ask", "hermes-feed", "hermes-publish"]
    broker.close()
    wait_until(lambda: {client["id"] for client in server.client.client_list()} <= before)


def test_messages_of_the_feed_are_small(server: RedisServer, open_redis: OpenRedis) -> None:
    broker = open_redis(server)
    listener = server.connect(decode_responses=False).pubsub(ignore_subscribe_messages=True)
    listener.subscribe("hermes:0:feed")
    listener.get_message(timeout=5)
    sizes = [10, 31_000, 5_000, 900, 31_900, 33_000, 60_000, 100] + [700] * 200
    batch = [event("a", b'"%s"' % (b"x" * size)) for size in sizes]
    broker.publish(batch)
    expected, announced = 1, []
    while expected <= len(batch):
        message = listener.get_message(timeout=5)
        assert message is not None
        assert len(message["data"]) <= 32_768
        epoch, first, found = decode_message(message["data"])
        assert (epoch, first) == (broker.tip().epoch, expected)
        assert [one.data for one in found] == [one.data for one in batch[first - 1 : first - 1 + len(found)]]
        if not found:
            announced.append(first)
        expected = first + max(1, len(found))
    assert announced == [6, 7], "what does not fit is announced by its number"
    listener.close()


def test_calls_that_wait_go_together(server: RedisServer, open_redis: OpenRedis) -> None:
    broker = open_redis(server)
    broker.publish([event("a")])
    server.cli("CONFIG", "RESETSTAT")

    def publish(index: int) -> None:
        for _ in range(20):
            broker.publish([event("a")])

    server.pause()
    server.resume()
    in_threads(30, publish)
    calls = server.client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert numbers(read_log(broker, max_events=1000).events) == list(range(1, 602))
    assert calls < 400, f"{calls} steps for 600 calls"


def test_scripts_that_redis_forgot_are_sent_again(server: RedisServer, open_redis: OpenRedis) -> None:
    broker = open_redis(server)
    for _ in range(3):
        server.cli("SCRIPT", "FLUSH")
        broker.publish([event("a")])
        server.cli("SCRIPT", "FLUSH")
        assert broker.tip().number == broker.read(0, 10, 1000).last == broker.retained(["a"]).tip


def test_the_books_agree_after_much_of_everything(server: RedisServer, open_redis: OpenRedis) -> None:
    broker = open_redis(server, bounds=Bounds(events=300, bytes=40_000, per_channel=40))
    for call in range(60):
        batch = []
        for place in range(17):
            channels = [f"c{(call * place) % 5}", f"d{place}", "all"][: 1 + (call + place) % 3]
            key = f"k{place % 4}" if place % 2 else None
            data = b"null" if (call + place) % 7 == 0 else b'"%s"' % ("ü" * (place * 3)).encode()
            batch.append(event(",".join(channels), data, key=key))
        broker.publish(
            batch,
            Once(f"once {call}", "d") if call % 2 else None,
            {3: Once(f"each {call % 9}", "d")} if call % 3 else None,
        )
        if call % 10 == 9:
            broker.tip()
            check_redis_books(server.connect())


def test_there_are_no_more_floors_than_the_log_has_events(server: RedisServer, open_redis: OpenRedis) -> None:
    """Each floor names a channel, and there is no end of channels: the log's floor takes the place of the oldest."""
    broker = open_redis(server, bounds=Bounds(events=20, per_channel=5))
    broker.publish([event("quiet")])
    for number in range(200):
        broker.publish([event(f"noisy,c{number}")])
    log = settled(broker, lambda log: len(log.floors) <= 20)
    assert 170 < log.floor < 180
    assert log.floors == {"noisy": 196, **{f"c{number}": number + 2 for number in range(log.floor - 1, 195)}}


def test_many_channels_leave_nothing_behind(server: RedisServer, open_redis: OpenRedis) -> None:
    broker = open_redis(server, bounds=Bounds(events=10, per_channel=5))
    for number in range(30):
        broker.publish([event(f"c{number},d{number}") for _ in range(3)])
    settled(broker, lambda log: len(log.events) <= 10)
    assert len(server.client.keys("hermes:list:*")) <= 2 * 4
    check_redis_books(server.connect())


def test_a_quiet_event_between_noisy_ones_costs_no_more_than_itself(server: RedisServer, open_redis: OpenRedis) -> None:
    """A stream frees its memory by the node: it held 37 times the bytes of what was left in it."""
    broker = open_redis(server)
    for _ in range(100):
        broker.publish([event("noisy" if place % 30 else f"q{place}", b'"%s"' % (b"x" * 60)) for place in range(1000)])
    epoch = broker.tip().epoch
    held = sum(server.client.memory_usage(f"hermes:{name}:{epoch}", samples=0) for name in ("log", "order"))
    records = sum(len(one.record()) for one in read_log(broker).events)
    assert held < 5 * records


def test_the_web_processes_bounds_count_for_all(server: RedisServer, open_redis: OpenRedis) -> None:
    """Another program publishes with defaults, or with settings of its own: it must not cut the history shorter."""
    web = open_redis(server, bounds=Bounds(per_channel=50))
    program = open_redis(server, bounds=Bounds(per_channel=5))
    program.publish(events("a", 10))
    assert len(read_log(program).events) == 5, "nobody has said otherwise"
    web.tip()
    program.publish(events("b", 60))
    assert len([one for one in read_log(web).events if one.channels == ("b",)]) == 50


def test_the_log_takes_at_most_a_quarter_of_the_memory(
    start_redis: Callable[..., RedisServer], open_redis: OpenRedis
) -> None:
    web = open_redis(start_redis(maxmemory="16mb"), bounds=Bounds(per_channel=100_000))
    quarter = 4 * 1024 * 1024
    web.tip()
    for _ in range(6):
        web.tip()
        web.publish(events("a", 100, data=b'"' + b"x" * 10_000 + b'"'))
    log = settled(web, lambda log: sum(len(one.record()) for one in log.events) <= quarter)
    assert sum(len(one.record()) for one in log.events) > quarter * 0.9
    assert log.floor == 600 - len(log.events)


def test_streams_are_summed_over_the_nodes_that_are_heard_of(server: RedisServer, open_redis: OpenRedis) -> None:
    one, two = open_redis(server, node="one"), open_redis(server, node="two")
    one.tip(5)
    assert two.tip(7).streams == 12
    seconds = int(server.client.time()[0])
    server.client.hset("hermes:nodes", "gone", f"100 {(seconds - 6) * 1000}")
    server.client.hset("hermes:nodes", "of a clock that was set back", f"100 {(seconds + 600) * 1000}")
    assert one.tip(5).streams == 12
    assert set(server.client.hgetall("hermes:nodes")) == {"one", "two"}


# The internal key of each call


def publish_args(sequence: int, data: bytes, caller: str = "me") -> list[object]:
    record = event("a", data).record()
    bounds = (1000, 1_000_000, 100, 3_600_000)
    return [
        "hermes",
        "epoch001",
        "hermes:0:feed",
        caller,
        sequence,
        *bounds,
        10,
        1000,
        1,
        "",
        "",
        1,
        record,
        "a",
        "",
        "",
        "",
    ]


def test_a_group_that_arrives_twice_is_stored_once(server: RedisServer, open_redis: OpenRedis) -> None:
    source = script("publish").source
    client = server.client
    first = client.eval(source, 0, *publish_args(1, b"1"))
    assert client.eval(source, 0, *publish_args(1, b"1")) == first
    assert client.eval(source, 0, *publish_args(2, b"2")) != first
    client.eval(source, 0, *publish_args(1, b"other", caller="another"))
    assert [one.data for one in read_log(open_redis(server)).events] == [b"1", b"2", b"other"]


def test_a_group_that_arrives_after_a_later_one_is_not_stored(server: RedisServer, open_redis: OpenRedis) -> None:
    source = script("publish").source
    server.client.eval(source, 0, *publish_args(8, b"8"))
    with pytest.raises(Exception, match="LATE"):
        server.client.eval(source, 0, *publish_args(7, b"7"))
    assert [one.data for one in read_log(open_redis(server)).events] == [b"8"]


# Other ways to run


def run(server: RedisServer, program: str) -> str:
    """What a program prints that has `open_broker()`, `event()` and `Recorder`; a process of its own."""
    begin = """
        from hermes.brokers.base import Bounds
        from hermes.brokers.redis import RedisBroker
        from hermes.core.clock import SystemClock
        from tests.contract.helpers import Recorder, event, in_threads, numbers, read_log
        from tests.support.wait import wait_until

        def open_broker():
            return RedisBroker(URL, clock=SystemClock(), bounds=Bounds(), node="n")
    """
    source = textwrap.dedent(program).replace("BEGIN", textwrap.dedent(begin)).replace("URL", repr(server.url))
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_greenlets_share_the_connections(server: RedisServer) -> None:
    printed = run(
        server,
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent
        BEGIN
        broker, feed = open_broker(), Recorder()
        broker.feed(feed)
        turns = 0
        def count():
            global turns
            while True:
                turns += 1
                gevent.sleep(0.001)
        counting = gevent.spawn(count)
        def publish(index):
            for _ in range(50):
                broker.publish([event("a")])
                broker.tip()
        in_threads(20, publish)
        wait_until(lambda: feed.numbers == list(range(1, 1001)))
        assert turns > 10, turns
        broker.close()
        print(read_log(broker := open_broker()).tip)
        """,
    )
    assert printed == "1000"


def test_a_fork_opens_its_own(server: RedisServer) -> None:
    printed = run(
        server,
        """
        import os
        BEGIN
        broker = open_broker()
        broker.publish([event("a")])
        broker.tip()
        child = os.fork()
        if not child:
            for _ in range(50):
                broker.publish([event("child")])
                broker.tip()
            os._exit(0)
        for _ in range(50):
            broker.publish([event("parent")])
            broker.tip()
        assert os.waitpid(child, 0)[1] == 0
        found = [one.channels[0] for one in read_log(broker).events]
        print(found.count("child"), found.count("parent"))
        """,
    )
    assert printed == "50 50"
