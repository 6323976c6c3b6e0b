"""Retained state: the newest event of each key of each channel, with the tip of the same moment."""

from __future__ import annotations

import threading
import time

import pytest

from hermes.brokers.base import Broker
from hermes.core import retained as limits
from hermes.core.retained import Snapshot
from tests.contract.factories import PLENTY, BrokerFactory
from tests.contract.helpers import event, events, in_threads


def state(snapshot: Snapshot) -> dict[tuple[str, str], bytes]:
    """(channel, key) -> data."""
    return {
        (channel, str(entry.event.key)): entry.event.data for entry in snapshot.entries for channel in entry.channels
    }


def test_nothing_is_retained_without_a_key(broker: Broker) -> None:
    broker.publish(events("a", 3))
    snapshot = broker.retained(["a", "*"])
    assert (snapshot.entries, snapshot.tip, snapshot.epoch) == ([], 3, broker.tip().epoch)


def test_the_newest_of_each_key(broker: Broker) -> None:
    broker.publish([event("a", b"1", key="x"), event("a", b"2", key="y"), event("b", b"3", key="x")])
    broker.publish([event("a", b"4", key="x")])
    snapshot = broker.retained(["a"])
    assert state(snapshot) == {("a", "x"): b"4", ("a", "y"): b"2"}
    assert [entry.event.number for entry in snapshot.entries] == [2, 4], "in number order"
    assert snapshot.tip == 4


def test_an_entry_is_the_whole_event(broker: Broker) -> None:
    published = event("a,b", b'{"n":1}', type="progress", key="ü\x00 x", exclude=("c_1",))
    broker.publish([published])
    (entry,) = broker.retained(["b"]).entries
    assert entry.event.record() == published.record()
    assert "b" in entry.channels


def test_null_removes_a_key(broker: Broker) -> None:
    broker.publish([event("a", b"1", key="x"), event("a", b"2", key="y")])
    broker.publish([event("a", b"null", key="x"), event("b", b"null", key="never there")])
    assert state(broker.retained(["*"])) == {("a", "y"): b"2"}
    broker.publish([event("a", b"3", key="x")])
    assert state(broker.retained(["*"])) == {("a", "x"): b"3", ("a", "y"): b"2"}


def test_an_event_of_several_channels_is_replaced_in_each_on_its_own(broker: Broker) -> None:
    broker.publish([event("a,b,c", b"1", key="x")])
    broker.publish([event("b", b"2", key="x")])
    broker.publish([event("c", b"null", key="x")])
    snapshot = broker.retained(["a", "b", "c"])
    assert [(entry.event.data, set(entry.channels)) for entry in snapshot.entries] == [(b"1", {"a"}), (b"2", {"b"})]
    broker.publish([event("b,c", b"3", key="x")])
    snapshot = broker.retained(["a", "b", "c"])
    assert [(entry.event.data, set(entry.channels)) for entry in snapshot.entries] == [
        (b"1", {"a"}),
        (b"3", {"b", "c"}),
    ]


def test_names_and_patterns_select(broker: Broker) -> None:
    names = ["run:1", "run:22", "run:x:1", "runs", "user:u1", "hermes:status", "presence:p", "a.b", "a%b", "é"]
    broker.publish([event(name, key="k") for name in names])

    def selected(*items: str) -> set[str]:
        """Patterns may bring more than they select: callers filter. They must not bring less."""
        return {channel for entry in broker.retained(items).entries for channel in entry.channels}

    assert selected("runs") == {"runs"}
    assert selected("runs", "a.b", "no such") == {"runs", "a.b"}
    assert selected("é") == {"é"}
    assert selected() == set()
    for pattern, wanted in {
        "run:*": {"run:1", "run:22", "run:x:1"},
        "*:1": {"run:1", "run:x:1"},
        "r*1": {"run:1", "run:x:1"},
        "r*:*1": {"run:1", "run:x:1"},
        "a.*": {"a.b"},
        "a%*": {"a%b"},
        "user:*": {"user:u1"},
        "hermes:*": {"hermes:status"},
        "*": {"run:1", "run:22", "run:x:1", "runs", "a.b", "a%b", "é"},
        "**": {"runs"},
        "run:1*": {"run:1"},
    }.items():
        assert selected(pattern) >= wanted, pattern


def test_a_pattern_of_many_stars_takes_no_time(broker: Broker) -> None:
    """Backtracking over it would take longer than anybody lives, in a place where everybody waits."""
    broker.publish([event("a" * 250, key="k")])
    started = time.monotonic()
    broker.retained(["*a" * 120 + "*b"])
    assert time.monotonic() - started < 2


def test_many_items(broker: Broker) -> None:
    broker.publish([event(f"c{number}", key="k") for number in range(1000)])
    snapshot = broker.retained([f"c{number}" for number in range(0, 1000, 2)])
    assert len({channel for entry in snapshot.entries for channel in entry.channels}) >= 500


def test_state_outlives_its_event_in_the_log(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(PLENTY._replace(events=5))
    broker.publish([event("a", b"1", key="x")])
    for _ in range(10):
        broker.publish([event("b")])
    assert state(broker.retained(["a"])) == {("a", "x"): b"1"}


def test_a_repeat_of_the_same_key_within_a_call(broker: Broker) -> None:
    broker.publish(events("a", 50, key="x"))
    assert state(broker.retained(["a"])) == {("a", "x"): b"49"}


def test_the_key_longest_unchanged_goes_beyond_so_many(broker: Broker) -> None:
    keys = [f"k{number}" for number in range(limits.MAX_KEYS)]
    for begin in range(0, len(keys), 1000):
        broker.publish([event("a", b"1", key=key) for key in keys[begin : begin + 1000]])
    broker.publish([event("other", b"1", key="k0")])
    broker.publish([event("a", b"2", key="k0")])
    broker.publish([event("a", b"1", key="new 1"), event("a", b"1", key="new 2")])
    found = state(broker.retained(["a"]))
    assert len(found) == limits.MAX_KEYS
    assert {key for _, key in found} == {"k0", "new 1", "new 2", *keys[3:]}
    assert state(broker.retained(["other"])) == {("other", "k0"): b"1"}


def test_the_keys_longest_unchanged_go_beyond_so_many_bytes(broker: Broker) -> None:
    large = b'"%s"' % (b"x" * 40_000)
    size = len(event("a", large, key="k100").record())
    fits = limits.MAX_BYTES // size
    for number in range(fits):
        broker.publish([event("a", large, key=f"k{number + 100}")])
    assert len(state(broker.retained(["a"]))) == fits
    broker.publish([event("a", b"1", key="k100"), event("a", b"1", key="small")])
    assert len(state(broker.retained(["a"]))) == fits + 1
    broker.publish([event("a", large, key="k100")])
    broker.publish([event("a", large, key="more")])
    snapshot = broker.retained(["a"])
    assert sum(len(entry.event.record()) for entry in snapshot.entries) <= limits.MAX_BYTES
    kept = {key for _, key in state(snapshot)}
    assert {"k100", "small", "more"} <= kept
    assert "k101" not in kept


def test_state_outlives_the_process(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.publish([event("a,b", b"1", key="x"), event("a", b"2", key="y"), event("b", b"null", key="x")])
    broker = broker_factory.reopen(broker)
    assert state(broker.retained(["*"])) == {("a", "x"): b"1", ("a", "y"): b"2"}
    broker.publish([event("a", b"3", key="x")])
    assert state(broker.retained(["*"])) == {("a", "x"): b"3", ("a", "y"): b"2"}


def test_state_and_tip_are_of_one_moment(broker: Broker) -> None:
    """Each call sets both keys to the number that it will have: a torn snapshot would show."""
    done = threading.Event()
    torn: list[Snapshot] = []

    def publish(index: int) -> None:
        for number in range(1, 200):
            data = b"%d" % number
            broker.publish([event("a", data, key="x"), event("b", data, key="y")])
        done.set()

    def look(index: int) -> None:
        while not done.is_set():
            snapshot = broker.retained(["a", "b"])
            values = {int(entry.event.data) for entry in snapshot.entries}
            if snapshot.entries and (len(snapshot.entries) != 2 or values != {snapshot.tip // 2}):
                torn.append(snapshot)

    in_threads(2, lambda index: (publish, look)[index](index))
    assert not torn


@pytest.mark.parametrize("count", [1, 3])
def test_old_snapshot_and_events_are_the_new_snapshot(broker: Broker, count: int) -> None:
    broker.publish([event("a", b"%d" % number, key=f"k{number % 7}") for number in range(20)])
    old = broker.retained(["a"])
    for number in range(30):
        data = b"null" if number % 5 == 0 else b"%d" % (100 + number)
        broker.publish([event("a", data, key=f"k{(number + place) % 9}") for place in range(count)])
    rebuilt = state(old)
    for one in broker.read(old.tip, 1000, 1_000_000).events:
        if one.removes:
            rebuilt.pop(("a", str(one.key)), None)
        else:
            rebuilt["a", str(one.key)] = one.data
    assert rebuilt == state(broker.retained(["a"]))
