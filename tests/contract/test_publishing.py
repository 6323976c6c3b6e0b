"""Publishing: numbers, batches, idempotency."""

from __future__ import annotations

import threading

import pytest

from hermes.brokers.base import Broker, Once
from hermes.core.cursor import Cursor, parse_cursor
from hermes.core.event import Event
from hermes.errors import Conflict
from tests.contract.factories import BrokerFactory
from tests.contract.helpers import Recorder, as_values, event, events, in_threads, numbers, read_log, tip_number

# Numbers


def test_numbers_begin_at_one_and_grow_by_one(broker: Broker) -> None:
    cursors = [broker.publish([event("a")])[0] for _ in range(3)] + broker.publish(events("b", 4))
    assert [cursor.number for cursor in cursors] == [1, 2, 3, 4, 5, 6, 7]
    assert len({cursor.epoch for cursor in cursors}) == 1
    assert [parse_cursor(str(cursor)) for cursor in cursors] == cursors, "cursors fit their grammar"
    assert broker.tip()[:2] == cursors[-1]


def test_an_empty_log_has_the_tip_zero(broker: Broker) -> None:
    tip = broker.tip()
    assert tip.number == 0
    assert broker.publish([event("a")]) == [Cursor(tip.epoch, 1)], "asking for the tip began the epoch"


def test_what_was_published_comes_back_unchanged(broker: Broker) -> None:
    published = [
        event("a"),
        event("b,c,d", b'{"x":[1,2.5,null,"\\n"]}', type="job.done"),
        event("ключ:日本", '{"text":"a\u2028b\u0085 \U0001f600"}'.encode()),
        event("k", b"{}", key="schlüssel 1"),
        event("t", b"true", ttl=0.5, exclude=("c_1", "c_2")),
        event("x", b'"' + b"\\u0000" * 10 + b'"'),
        event("big", b'"' + b"y" * 60_000 + b'"'),
        event("a" * 255),
        event("weird:%d|{}[]()^$.+-?\"'`\\/#<>&;=~@!"),
    ]
    cursors = broker.publish(published)
    found = read_log(broker).events
    assert [as_values(one) for one in found] == [as_values(one) for one in published]
    assert numbers(found) == [cursor.number for cursor in cursors]


def test_a_full_batch(broker: Broker) -> None:
    cursors = broker.publish([event(f"c{number % 7}", b"%d" % number) for number in range(1000)])
    assert [cursor.number for cursor in cursors] == list(range(1, 1001))
    assert [one.data for one in read_log(broker).events] == [b"%d" % number for number in range(1000)]


def test_concurrent_publishers_leave_no_gap_and_share_no_number(broker: Broker) -> None:
    answers: dict[tuple[int, int], list[Cursor]] = {}

    def publish(index: int) -> None:
        for call in range(20):
            batch = [event(f"c{index}", b'"%d %d %d"' % (index, call, place)) for place in range(1 + (call % 5))]
            answers[index, call] = broker.publish(batch)

    in_threads(8, publish)
    total = 8 * 20 * 3
    assert sorted(cursor.number for cursors in answers.values() for cursor in cursors) == list(range(1, total + 1))
    data = {one.number: one.data for one in read_log(broker).events}
    assert len(data) == total
    for (index, call), cursors in answers.items():
        first = cursors[0].number
        assert [cursor.number for cursor in cursors] == list(range(first, first + len(cursors))), (
            "a batch is contiguous"
        )
        assert [data[cursor.number] for cursor in cursors] == [
            b'"%d %d %d"' % (index, call, place) for place in range(len(cursors))
        ]
    for index in range(8):
        assert [answers[index, call][0].number for call in range(20)] == sorted(
            answers[index, call][0].number for call in range(20)
        ), "one publisher's calls keep their order"


# Idempotency of calls


def test_a_repeated_call_is_stored_once(broker: Broker) -> None:
    once = Once("key", "digest")
    first = broker.publish(events("a", 3), once)
    broker.publish([event("b")])
    assert broker.publish(events("a", 3), once) == first
    assert tip_number(broker) == 4


def test_a_key_with_another_digest_is_a_conflict_and_stores_nothing(broker: Broker) -> None:
    broker.publish([event("a")], Once("key", "one"))
    with pytest.raises(Conflict):
        broker.publish([event("a"), event("b", key="k")], Once("key", "other"))
    assert tip_number(broker) == 1
    assert broker.retained(["b"]).entries == []
    assert broker.publish([event("a")], Once("key", "one"))[0].number == 1, "the first use still counts"


def test_keys_count_apart(broker: Broker) -> None:
    found = [broker.publish([event("a")], Once(key, "digest"))[0].number for key in ("a", "b", "a:b", "")]
    assert found[:3] == [1, 2, 3]


def test_calls_without_keys_are_all_stored(broker: Broker) -> None:
    same = event("a")
    for _ in range(3):
        broker.publish([same])
    assert len(read_log(broker).events) == 3


def test_one_key_from_many_at_once(broker: Broker) -> None:
    found: list[tuple[Cursor, ...]] = []
    barrier = threading.Barrier(8)

    def publish(index: int) -> None:
        barrier.wait(10)
        found.append(tuple(broker.publish(events("a", 5), Once("key", "digest"))))

    in_threads(8, publish)
    assert len(set(found)) == 1
    assert tip_number(broker) == 5


# Idempotency of single events


def test_what_is_known_of_a_batch_is_not_stored_again(broker: Broker) -> None:
    keyed = {index: Once(f"k{index}", "d") for index in range(3)}
    first = broker.publish(events("a", 3), each=keyed)
    again = broker.publish(
        [event("new"), *events("a", 2), event("new")], each={1: keyed[0], 2: keyed[1], 3: Once("k3", "d")}
    )
    assert [cursor.number for cursor in again] == [4, first[0].number, first[1].number, 5]
    assert [one.channels for one in read_log(broker).events] == [("a",)] * 3 + [("new",)] * 2


def test_a_batch_that_is_known_as_a_whole(broker: Broker) -> None:
    keyed = {0: Once("k0", "d"), 1: Once("k1", "d")}
    first = broker.publish(events("a", 2), each=keyed)
    assert broker.publish(events("a", 2), each=keyed) == first
    assert tip_number(broker) == 2


def test_the_same_key_twice_within_a_call_counts_once(broker: Broker) -> None:
    once = Once("k", "d")
    cursors = broker.publish(events("a", 4), each={0: once, 2: once, 3: once})
    assert [cursor.number for cursor in cursors] == [1, 2, 1, 1]
    assert [one.data for one in read_log(broker).events] == [b"0", b"1"]
    assert broker.publish([event("a")], each={0: once}) == cursors[:1]


def test_a_conflict_within_a_batch_stores_nothing(broker: Broker) -> None:
    broker.publish([event("a")], each={0: Once("k", "one")})
    with pytest.raises(Conflict):
        broker.publish(events("a", 3), each={0: Once("new", "d"), 2: Once("k", "other")})
    with pytest.raises(Conflict):
        broker.publish(events("a", 2), each={0: Once("twice", "one"), 1: Once("twice", "other")})
    assert tip_number(broker) == 1
    assert broker.publish([event("a")], each={0: Once("new", "other")})[0].number == 2, "its other keys were not used"
    assert broker.publish([event("a")], each={0: Once("twice", "other")})[0].number == 3


def test_a_conflict_of_one_call_does_not_touch_another(broker: Broker) -> None:
    broker.publish([event("a")], Once("key", "one"))
    outcomes: list[object] = []
    barrier = threading.Barrier(8)

    def publish(index: int) -> None:
        barrier.wait(10)
        try:
            outcomes.append(broker.publish([event("a")], Once("key", "other") if index % 2 else None)[0].number)
        except Conflict as conflict:
            outcomes.append(type(conflict))

    in_threads(8, publish)
    assert outcomes.count(Conflict) == 4
    assert sorted(number for number in outcomes if isinstance(number, int)) == [2, 3, 4, 5]


def test_a_call_and_its_events_may_both_have_keys(broker: Broker) -> None:
    once, each = Once("call", "d"), {1: Once("event", "d")}
    first = broker.publish(events("a", 2), once, each)
    assert broker.publish(events("a", 2), once, each) == first
    assert broker.publish([event("a")], each={0: each[1]}) == [first[1]]
    assert broker.publish(events("a", 2), Once("call 2", "d"), each)[1] == first[1]
    assert tip_number(broker) == 3


def test_what_is_repeated_is_not_fed_and_changes_no_state(broker: Broker) -> None:
    feed = Recorder()
    broker.feed(feed)
    broker.publish([event("a", b"1", key="k")], Once("key", "d"))
    broker.publish([event("a", b"2", key="k")])
    broker.publish([event("a", b"1", key="k")], Once("key", "d"))
    broker.publish([event("end")])
    feed.wait_for(3)
    assert feed.numbers == [1, 2, 3]
    assert [entry.event.data for entry in broker.retained(["a"]).entries] == [b"2"]


def test_answers_outlive_the_process(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    batch, once, each = events("a", 2), Once("call", "d"), {0: Once("event", "d")}
    first = broker.publish(batch, once)
    single = broker.publish([event("a")], each=each)
    broker = broker_factory.reopen(broker)
    assert broker.publish(batch, once) == first
    assert broker.publish([event("a")], each=each) == single
    assert broker.publish([event("a")])[0].number == 4
    with pytest.raises(Conflict):
        broker.publish(batch, Once("call", "other"))


def test_a_batch_of_repeats_and_new_events_in_every_place(broker: Broker) -> None:
    known = broker.publish(events("a", 100), each={index: Once(f"k{index}", "d") for index in range(100)})
    batch: list[Event] = []
    each = {}
    for index in range(200):
        batch.append(event("b"))
        if index % 3 == 0:
            each[index] = Once(f"k{index // 3}", "d")
    answer = broker.publish(batch, each=each)
    new = [cursor.number for index, cursor in enumerate(answer) if index not in each]
    assert new == list(range(101, 101 + len(new)))
    assert all(answer[index] == known[index // 3] for index in each)
