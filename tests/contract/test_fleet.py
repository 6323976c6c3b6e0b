"""The contract of a fleet: what one process tells, all hear, for as long as it lives; on both fleets, and between processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.brokers.redis import RedisBroker
from hermes.core.clock import SystemClock
from hermes.errors import Unavailable
from hermes.fleet.alone import Alone
from hermes.fleet.base import ANSWER_WAIT, LONGEST_ID, MOST_RECORD, MOST_REPORT, MOST_SAID, SILENCE, Fleet, Record
from hermes.fleet.redis import TOGETHER, RedisFleet
from tests.contract.helpers import Recorder, event
from tests.contract.redis_fixtures import OpenRedis
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_until
from tests.unit.effort import load_profile

load_profile()

OpenFleet = Callable[..., RedisFleet]
SILENCE_MS = int(SILENCE * 1000)


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    redis_server.empty()
    return redis_server


@pytest.fixture
def open_fleet(server: RedisServer, open_redis: OpenRedis) -> Iterator[OpenFleet]:
    """Opens the fleet of one more process: `open_fleet("a")`; `where` is another server."""
    opened = []

    def open_one(node: str, where: RedisServer | str = server, feed: Recorder | None = None) -> RedisFleet:
        broker = open_redis(where, node=node)
        fleet = RedisFleet(broker, node, SystemClock())
        broker.feed(feed or Recorder())
        opened.append(fleet)
        return fleet

    yield open_one
    for fleet in opened:
        fleet.close()


@pytest.fixture(params=["alone", "redis"])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """A process by itself."""
    if request.param == "alone":
        return Alone("me")
    open_one: OpenFleet = request.getfixturevalue("open_fleet")
    return open_one("me")


def put(fleet: Fleet, **records: bytes | None) -> None:
    fleet.exchange({}, records)


def ids(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records]


# Every fleet


def test_nobody_hears_itself(fleet: Fleet) -> None:
    for _ in range(2):
        assert fleet.exchange({"limits": b"x"}, {}) == ({}, False)


def test_records_are_there_until_they_are_removed(fleet: Fleet) -> None:
    put(fleet, b=b"2", a=b"1", c=b"")
    assert fleet.records("", 9) == [Record("me", "a", b"1"), Record("me", "b", b"2"), Record("me", "c", b"")]
    put(fleet, b=b"3", a=None, gone=None)
    assert fleet.records("", 9) == [Record("me", "b", b"3"), Record("me", "c", b"")]
    assert fleet.find("b") == Record("me", "b", b"3")
    for missing in ("a", "", "b\0", "bb", "\ud800", "x" * 1000):
        assert fleet.find(missing) is None


def test_pages_go_on_above_an_id(fleet: Fleet) -> None:
    names = sorted(["a", "a-", "aa", "aaa", "ab", "b", "Z", "_", "-", "é", "z", "\U0001f600", "￮", "0", "00"])
    fleet.exchange({}, {name: name.encode() for name in names})
    assert ids(fleet.records("", 99)) == names
    assert ids(fleet.records("aa", 2)) == ["aaa", "ab"]
    assert ids(fleet.records("aab", 1)) == ["ab"], "an id that is not there"
    assert fleet.records("\U0001f600", 9) == []
    after, found = "", []
    while page := fleet.records(after, 4):
        found += ids(page)
        after = page[-1].id
    assert found == names


def test_an_id_is_no_beginning_of_another(fleet: Fleet) -> None:
    put(fleet, aa=b"2", a=b"1", aaa=b"3")
    put(fleet, aa=None)
    put(fleet, a=b"0")
    assert fleet.records("", 9) == [Record("me", "a", b"0"), Record("me", "aaa", b"3")]


def test_data_may_be_any_bytes(fleet: Fleet) -> None:
    data = bytes(range(256)) * 4
    put(fleet, a=data, b=b"\0\1\n=-")
    assert [record.data for record in fleet.records("", 9)] == [data, b"\0\1\n=-"]
    put(fleet, a=None)
    assert ids(fleet.records("", 9)) == ["b"]


def test_what_is_out_of_bounds_is_left_out(fleet: Fleet) -> None:
    longest = "x" * LONGEST_ID
    bad = {"": b"1", longest + "x": b"1", "a\0b": b"1", "a\n": b"1", "\ud800": b"1", "big": b"x" * (MOST_RECORD + 1)}
    fleet.exchange({}, {**bad, longest: b"x" * MOST_RECORD})
    assert fleet.records("", 9) == [Record("me", longest, b"x" * MOST_RECORD)]


def test_telling_anew_forgets_the_former(fleet: Fleet) -> None:
    put(fleet, a=b"1", b=b"2")
    assert not fleet.exchange({}, {"b": b"3", "c": b"4"}, anew=True).forgotten
    assert fleet.records("", 9) == [Record("me", "b", b"3"), Record("me", "c", b"4")]
    put(fleet, a=b"5")
    assert ids(fleet.records("", 9)) == ["a", "b", "c"]


def test_a_process_answers_itself(fleet: Fleet) -> None:
    assert fleet.ask("me", b"?") is None, "nobody listens"
    fleet.listen(lambda question: question.upper())
    assert fleet.ask("me", b"abc") == b"ABC"
    assert fleet.ask("nobody", b"abc") is None
    assert fleet.ask("me", b"x" * (MOST_SAID + 1)) is None
    fleet.listen(lambda question: question.lower())
    assert fleet.ask("me", b"ABC") == b"abc"


def test_a_lease_is_kept(fleet: Fleet) -> None:
    assert [fleet.hold("jobs") for _ in range(3)] == [True] * 3


def test_closing_twice(fleet: Fleet) -> None:
    put(fleet, a=b"1")
    fleet.close()
    fleet.close()


# Between processes: reports


def test_reports_replace_each_other(open_fleet: OpenFleet) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    assert one.exchange({"limits": b"1", "presence": b"p"}, {}).reports == {}
    assert two.exchange({}, {}).reports == {"one": {"limits": b"1", "presence": b"p"}}
    assert one.exchange({"limits": b"2", "presence": b""}, {}).reports == {"two": {}}
    for _ in range(3):
        assert two.exchange({"x": bytes(range(256))}, {}).reports == {"one": {"limits": b"2"}}
    assert one.exchange({"limits": b"2"}, {}).reports == {"two": {"x": bytes(range(256))}}
    one.close()
    assert two.exchange({}, {}).reports == {}


def test_only_what_changed_is_read_again(open_fleet: OpenFleet, server: RedisServer) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    one.exchange({"limits": b"1"}, {})
    assert two.exchange({}, {}).reports["one"] == {"limits": b"1"}
    server.client.hset("hermes:fleet:node:one", "=limits", "not read")
    one.exchange({"limits": b"1"}, {})
    assert two.exchange({}, {}).reports["one"] == {"limits": b"1"}
    one.exchange({"limits": b"2"}, {})
    assert two.exchange({}, {}).reports["one"] == {"limits": b"2"}


def test_a_report_that_is_too_large_is_left_out(open_fleet: OpenFleet) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    one.exchange({"big": b"x" * (MOST_REPORT + 1), "fits": b"x" * MOST_REPORT}, {})
    assert set(two.exchange({}, {}).reports["one"]) == {"fits"}


def test_stores_with_another_prefix_are_another_fleet(open_redis: OpenRedis, server: RedisServer) -> None:
    for prefix in ("p", "q"):
        fleet = RedisFleet(open_redis(server, node=prefix, prefix=prefix), prefix, SystemClock())
        assert fleet.exchange({"x": b"1"}, {"id": b"1"}).reports == {}
        assert len(fleet.records("", 9)) == 1


# Silence


def hush(server: RedisServer, node: str, seconds: float) -> None:
    """As if the node was heard so many seconds ago."""
    now, micros = server.client.time()
    server.client.zadd("hermes:fleet:nodes", {node: int(now * 1000 + micros / 1000 - seconds * 1000)})


@pytest.mark.parametrize("seconds", [SILENCE + 0.1, -3600], ids=["silent", "of a clock that was set back"])
def test_a_silent_node_is_gone_with_all_it_told(open_fleet: OpenFleet, server: RedisServer, seconds: float) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    one.exchange({"x": b"1"}, {"a": b"1"})
    two.exchange({}, {"b": b"2"})
    hush(server, "one", seconds)
    assert ids(two.records("", 9)) == ["b"]
    assert two.find("a") is None
    assert two.exchange({}, {}).reports == {}
    assert not [key for key in server.client.keys("hermes:fleet:*") if key.endswith(":one")]
    heard = one.exchange({"x": b"1"}, {})
    assert heard == ({"two": {}}, True), "it is told that its records are forgotten"
    one.exchange({"x": b"1"}, {"a": b"1"}, anew=True)
    assert two.exchange({}, {}).reports == {"one": {"x": b"1"}}
    assert ids(two.records("", 9)) == ["a", "b"]


def test_nothing_outlives_the_silence(open_fleet: OpenFleet, server: RedisServer) -> None:
    one = open_fleet("one")
    one.exchange({"x": b"1"}, {"a": b"1"})
    keys = server.client.keys("hermes:fleet:*")
    assert sorted(keys) == ["hermes:fleet:node:one", "hermes:fleet:nodes", "hermes:fleet:records:one"]
    assert all(0 < server.client.pttl(key) <= SILENCE_MS for key in keys)
    for key in keys:
        server.client.pexpire(key, 1000)
    one.exchange({"x": b"1"}, {})
    assert all(server.client.pttl(key) > 1000 for key in keys), "an exchange renews all of it"
    one.exchange({}, {"a": None})
    one.close()
    assert server.client.keys("hermes:fleet:*") == []


def test_what_redis_lost_is_told_again(open_fleet: OpenFleet, server: RedisServer) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    one.exchange({"x": b"1"}, {"a": b"1", "b": b"1"})
    assert not one.exchange({"x": b"1"}, {}).forgotten
    server.empty()
    assert one.exchange({"x": b"1"}, {"b": b"2"}).forgotten
    assert two.exchange({}, {}).reports == {"one": {"x": b"1"}}, "reports that did not change, too"
    assert two.records("", 9) == [Record("one", "b", b"2")]
    assert not one.exchange({"x": b"1"}, {"a": b"1", "b": b"2"}, anew=True).forgotten
    assert ids(two.records("", 9)) == ["a", "b"]


def test_a_new_process_of_the_same_name_begins_anew(open_fleet: OpenFleet) -> None:
    former, watcher = open_fleet("one"), open_fleet("two")
    for _ in range(5):
        former.exchange({"x": b"1"}, {"a": b"1"})
    one = open_fleet("one")
    assert one.exchange({"x": b"2"}, {"b": b"2"}) == ({}, False)
    assert watcher.exchange({}, {}).reports == {"one": {"x": b"2"}}
    assert watcher.records("", 9) == [Record("one", "b", b"2")]
    former.close()
    assert watcher.records("", 9) == [Record("one", "b", b"2")], "the former one takes nothing along"


def test_a_call_that_comes_late_changes_nothing(open_fleet: OpenFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was stuck in a socket of a Redis that stalled, while it was told again and others followed."""
    calls: list[tuple[str, Sequence[Any]]] = []
    call = RedisBroker.call

    def noted(self: RedisBroker, name: str, args: Sequence[Any], timeout: float) -> Any:
        calls.append((name, args))
        return call(self, name, args, timeout)

    monkeypatch.setattr(RedisBroker, "call", noted)
    one, two = open_fleet("one"), open_fleet("two")
    one.exchange({"x": b"1"}, {"a": b"1"})
    one.exchange({"x": b"2"}, {"a": None, "b": b"2"})
    for name, args in [entry for entry in calls if entry[0] == "exchange"]:
        answer = call(two._broker, name, args, 1)
        assert answer == [] if args[3] == 1 else [0], "the last one may come twice"
    assert two.exchange({}, {}).reports == {"one": {"x": b"2"}}
    assert two.records("", 9) == [Record("one", "b", b"2")]


# Many records


def test_ten_thousand_records_in_small_steps(
    open_fleet: OpenFleet, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[int] = []
    call = RedisBroker.call

    def counted(self: RedisBroker, name: str, args: Sequence[Any], timeout: float) -> Any:
        changes.append(int(args[6]) if args[5] == "-" else int(args[6 + 2 * args[5]]))
        return call(self, name, args, timeout)

    one, two = open_fleet("one"), open_fleet("two")
    records = {f"{number:05d}": b"x" * 500 for number in range(10_000)}
    two.exchange({"y": b"2"}, {})
    server.client.config_resetstat()
    with monkeypatch.context() as patch:
        patch.setattr(RedisBroker, "call", counted)
        started = time.monotonic()
        heard = one.exchange({"x": b"1"}, records)
        took = time.monotonic() - started
    stats = server.client.info("commandstats")["cmdstat_evalsha"]
    assert heard == ({"two": {"y": b"2"}}, False)
    assert max(changes) <= TOGETHER
    assert sum(changes) == 10_000
    print(f"10,000 records: {took:.2f} s in {len(changes)} steps of {stats['usec_per_call'] / 1000:.2f} ms")
    found, after = 0, ""
    while page := two.records(after, 500):
        found += len(page)
        after = page[-1].id
    assert found == 10_000
    one.exchange({}, dict.fromkeys(records))
    assert two.records("", 9) == []


def test_large_records_are_told_in_smaller_steps(open_fleet: OpenFleet) -> None:
    one = open_fleet("one")
    one.exchange({}, {f"{number:03d}": b"x" * 50_000 for number in range(40)})
    assert len(one.records("", 100)) == 40


@given(
    st.lists(st.tuples(st.text("abcXYZ019-_", min_size=1, max_size=3), st.integers(0, 2)), max_size=60),
    st.integers(1, 12),
)
def test_pages_over_all_nodes_are_in_order_and_complete(
    shared_nodes: list[RedisFleet], placed: list[tuple[str, int]], limit: int
) -> None:
    where = dict(placed)
    for index, fleet in enumerate(shared_nodes):
        fleet.exchange({}, {id: b"%d" % index for id, node in where.items() if node == index}, anew=True)
    found: list[Record] = []
    while page := shared_nodes[0].records(found[-1].id if found else "", limit):
        assert len(page) == limit or len(found) + len(page) == len(where), "only the last page is short"
        found += page
    assert [(record.id, int(record.data)) for record in found] == sorted(where.items())


@pytest.fixture(scope="module")
def shared_nodes(redis_server: RedisServer) -> Iterator[list[RedisFleet]]:
    """Three processes with a store of their own within the server."""
    from hermes.brokers.base import Bounds

    clock = SystemClock()
    brokers = [
        RedisBroker(redis_server.url, prefix="shared", clock=clock, bounds=Bounds(), node=f"n{index}")
        for index in range(3)
    ]
    yield [RedisFleet(broker, f"n{index}", clock) for index, broker in enumerate(brokers)]
    for broker in brokers:
        broker.close()


def test_a_page_where_one_node_has_all_the_next(open_fleet: OpenFleet) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    one.exchange({}, {f"a{number:04d}": b"1" for number in range(900)})
    two.exchange({}, {f"b{number:04d}": b"2" for number in range(900)})
    assert ids(two.records("a0100", 700)) == [f"a{number:04d}" for number in range(101, 801)]
    page = ids(one.records("a0800", 300))
    assert page == [f"a{number:04d}" for number in range(801, 900)] + [f"b{number:04d}" for number in range(201)]


# Questions


def asked(one: Fleet, node: str, question: bytes) -> bytes:
    """The answer, once the other one is heard."""
    return wait_until(lambda: one.ask(node, question) or b"")


def test_a_question_reaches_one_node(open_fleet: OpenFleet) -> None:
    one, two, three = open_fleet("one"), open_fleet("two"), open_fleet("three")
    heard: list[tuple[str, bytes]] = []

    def answering(name: str) -> Callable[[bytes], bytes]:
        return lambda question: heard.append((name, question)) or name.encode() + question  # type: ignore[func-returns-value]

    for fleet in (one, two, three):
        fleet.listen(answering(fleet.node))
    assert asked(one, "two", b"\0\n?") == b"two\0\n?"
    assert asked(three, "one", b"") == b"one"
    assert {name for name, _ in heard} == {"two", "one"}


def test_many_ask_at_once(open_fleet: OpenFleet) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    two.listen(lambda question: question * 2)
    asked(one, "two", b"x")
    with ThreadPoolExecutor(20) as pool:
        questions = [b"%d" % number for number in range(200)]
        answers = list(pool.map(lambda question: one.ask("two", question), questions))
    assert answers == [question * 2 for question in questions]
    assert one._asked == {}


def test_nobody_there_is_known_at_once(open_fleet: OpenFleet) -> None:
    one = open_fleet("one")
    started = time.monotonic()
    assert one.ask("nobody", b"?") is None
    assert time.monotonic() - started < ANSWER_WAIT / 2


def test_who_does_not_answer_is_not_waited_for_longer(open_fleet: OpenFleet) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    two.listen(lambda question: question)
    asked(one, "two", b"x")
    two._answering.close()  # type: ignore[union-attr]
    started = time.monotonic()
    assert one.ask("two", b"?") is None
    assert ANSWER_WAIT - 0.1 <= time.monotonic() - started < ANSWER_WAIT + 1


def test_answers_never_hold_the_feed_up(open_fleet: OpenFleet) -> None:
    feed = Recorder()
    one, two = open_fleet("one"), open_fleet("two", feed=feed)
    may, begun = threading.Event(), threading.Event()

    def slow(question: bytes) -> bytes:
        if question == b"slow":
            begun.set()
            may.wait(10)
        return question

    two.listen(slow)
    asked(one, "two", b"x")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(one.ask, "two", b"slow")
        assert begun.wait(5)
        feed.wait_for(one._broker.publish([event("a")])[0].number, timeout=1)
        may.set()
        assert answer.result(5) == b"slow"


def test_what_is_too_large_is_not_asked_and_not_answered(open_fleet: OpenFleet) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    two.listen(lambda question: question * 2)
    assert asked(one, "two", b"x" * (MOST_SAID // 2)) == b"x" * MOST_SAID
    assert one.ask("two", b"x" * (MOST_SAID + 1)) is None
    assert one.ask("two", b"x" * (MOST_SAID // 2 + 1)) is None


def test_junk_on_a_nodes_channel_is_passed_over(open_fleet: OpenFleet, server: RedisServer) -> None:
    feed = Recorder()
    one, two = open_fleet("one"), open_fleet("two", feed=feed)
    questions: list[bytes] = []
    two.listen(lambda question: questions.append(question) or b"ok")  # type: ignore[func-returns-value]
    asked(one, "two", b"x")
    announced = len(feed.announced)
    junk = [b"", b"\n", b"?", b"?\n", b"!", b"!1\nx", b"? \nx", b"?id\nx", b"x1 y\nz", b"\xff\xfe", b"?1 \xff\nnobody"]
    for message in [*junk, b"?2 one\n" + b"x" * (MOST_SAID + 1)]:
        server.client.publish("hermes:0:node:two", message)
    for _ in range(3):
        server.client.publish("hermes:0:node:two", b"?same one\nonce")
    assert asked(one, "two", b"last") == b"ok"
    assert questions == [b"x", b"nobody", b"once", b"last"]
    assert len(feed.announced) == announced, "the feed has nothing to do with it"


def test_a_killed_link_is_listened_on_again(open_fleet: OpenFleet, server: RedisServer) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    two.listen(lambda question: question)
    asked(one, "two", b"x")
    server.cli("CLIENT", "KILL", "TYPE", "pubsub")
    assert asked(one, "two", b"y") == b"y"


def test_a_process_has_three_connections(open_fleet: OpenFleet, server: RedisServer) -> None:
    before = {client["id"] for client in server.client.client_list()}
    one = open_fleet("one")
    one.listen(lambda question: question)
    one._broker.publish([event("a")])
    one._broker.tip()
    one.exchange({"x": b"1"}, {"a": b"1"})
    one.records("", 9)
    one.ask("nobody", b"")
    one.hold("jobs")
    ours = [client["name"] for client in server.client.client_list() if client["id"] not in before]
    assert sorted(ours) == ["hermes-ask", "hermes-feed", "hermes-publish"]


# Leases


def test_a_lease_has_one_holder(open_fleet: OpenFleet, server: RedisServer) -> None:
    one, two = open_fleet("one"), open_fleet("two")
    assert [one.hold("jobs"), two.hold("jobs"), one.hold("jobs"), two.hold("other"), one.hold("other")] == [
        True, False, True, True, False,
    ]  # fmt: skip
    assert 0 < server.client.pttl("hermes:lease:jobs") <= 5000
    server.client.delete("hermes:lease:jobs")
    assert [two.hold("jobs"), one.hold("jobs")] == [True, False]


@pytest.mark.parametrize("seconds", [6, -3600, 3600])
def test_a_lease_ends_whatever_the_clock_shows(open_fleet: OpenFleet, server: RedisServer, seconds: float) -> None:
    """Its holder is dead, and Redis' clock was set: the expiry of the key may be an hour away."""
    one, two = open_fleet("one"), open_fleet("two")
    assert one.hold("jobs")
    taken, _, holder = str(server.client.get("hermes:lease:jobs")).partition(" ")
    server.client.set("hermes:lease:jobs", f"{int(taken) - int(seconds * 1000)} {holder}", px=3_600_000)
    assert two.hold("jobs")
    assert not one.hold("jobs")


# Outages


@pytest.mark.fault
def test_an_outage(start_redis: Callable[..., RedisServer], open_fleet: OpenFleet) -> None:
    server = start_redis()
    one, two = open_fleet("one", server), open_fleet("two", server)
    two.listen(lambda question: question)
    one.exchange({"x": b"1"}, {"a": b"1"})
    asked(one, "two", b"x")
    server.pause()
    for call in (
        lambda: one.exchange({"x": b"2"}, {"b": b"1"}),
        lambda: one.records("", 9),
        lambda: one.ask("two", b"?"),
    ):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            call()
        assert time.monotonic() - started < 4
    assert not one.hold("jobs")
    server.resume()
    wait_until(lambda: _works(lambda: one.exchange({"x": b"2"}, {"b": b"1"})))
    assert two.exchange({}, {}).reports == {"one": {"x": b"2"}}
    assert ids(two.records("", 9)) == ["a", "b"]
    assert asked(one, "two", b"y") == b"y"


@pytest.mark.fault
def test_a_restart_of_redis(start_redis: Callable[..., RedisServer], open_fleet: OpenFleet) -> None:
    server = start_redis()
    one = open_fleet("one", server)
    one.exchange({"x": b"1"}, {"a": b"1"})
    server.kill9()
    with pytest.raises(Unavailable):
        one.exchange({"x": b"1"}, {})
    server.start()
    heard = wait_until(lambda: _works(lambda: one.exchange({"x": b"1"}, {})))
    assert heard.forgotten


@pytest.mark.fault
def test_leaving_does_not_wait_for_a_redis_that_is_away(
    start_redis: Callable[..., RedisServer], open_fleet: OpenFleet
) -> None:
    server = start_redis()
    one = open_fleet("one", server)
    one.exchange({}, {})
    server.pause()
    started = time.monotonic()
    one.close()
    assert time.monotonic() - started < 3
    server.resume()
    with pytest.raises(Unavailable):
        one.exchange({}, {})


@pytest.mark.fault
def test_a_full_redis_takes_what_the_fleet_tells(
    start_redis: Callable[..., RedisServer], open_fleet: OpenFleet
) -> None:
    server = start_redis()
    one, two = open_fleet("one", server), open_fleet("two", server)
    server.cli("CONFIG", "SET", "maxmemory", "1mb")
    with pytest.raises(Unavailable):
        one._broker.publish([event("a")])
    one.exchange({"x": b"1"}, {"a": b"1"})
    assert two.exchange({}, {}).reports == {"one": {"x": b"1"}}
    assert two.find("a") == Record("one", "a", b"1")


def _works(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Unavailable:
        return None
