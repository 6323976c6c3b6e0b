"""Publishing: all or none, each problem by its index, and idempotency keys that belong to their caller."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.publisher import MAX_BATCH, Once, Publisher
from hermes.errors import InvalidInput, Problem
from hermes.testing import FakeClock
from tests.unit.strategies import json_values


class Notebook:
    """A store that writes down what it is asked to store."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.once: Once | None = None
        self.each: Mapping[int, Once] = {}

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        first = len(self.events) + 1
        self.events += events
        self.once, self.each = once, each or {}
        return [Cursor("e", first + index) for index in range(len(events))]


@pytest.fixture
def store() -> Notebook:
    return Notebook()


@pytest.fixture
def publisher(store: Notebook) -> Publisher:
    return Publisher(store, FakeClock(1000.5))


def test_one_event(store: Notebook, publisher: Publisher) -> None:
    assert publisher.publish("a", {"x": 1}, type="t", key="k", exclude=["c"]) == "e-1"
    (event,) = store.events
    assert (event.channels, event.type, event.value, event.time) == (("a",), "t", {"x": 1}, 1_000_500)
    assert (event.key, event.ttl, event.exclude) == ("k", None, ("c",))
    assert (store.once, store.each) == (None, {})


def test_several_channels_and_a_ttl(store: Notebook, publisher: Publisher) -> None:
    publisher.publish(["a", "b"], ttl=5)
    assert (store.events[0].channels, store.events[0].ttl, store.events[0].data) == (("a", "b"), 5, b"null")


def test_reserved_names_are_for_hermes_own_publishers(store: Notebook, publisher: Publisher) -> None:
    with pytest.raises(InvalidInput):
        publisher.publish("hermes:status", type="hermes.x")
    Publisher(store, FakeClock(), internal=True).publish("hermes:status", type="hermes.x")
    assert len(store.events) == 1


def test_a_batch_is_stored_in_its_order(store: Notebook, publisher: Publisher) -> None:
    cursors = publisher.publish_batch([{"channel": "a", "data": n} for n in range(3)])
    assert cursors == [Cursor("e", 1), Cursor("e", 2), Cursor("e", 3)]
    assert [event.value for event in store.events] == [0, 1, 2]


@given(st.lists(st.booleans(), min_size=2, max_size=6))
def test_all_or_none_and_every_bad_event_is_named(good: list[bool]) -> None:
    store = Notebook()
    batch = [{"channel": "a"} if fine else {"channel": "", "ttl": 0} for fine in good]
    bad = [index for index, fine in enumerate(good) if not fine]
    if not bad:
        Publisher(store, FakeClock()).publish_batch(batch)
        assert len(store.events) == len(good)
        return
    with pytest.raises(InvalidInput) as refused:
        Publisher(store, FakeClock()).publish_batch(batch)
    assert [(problem.index, problem.field) for problem in refused.value.problems] == [
        (index, field) for index in bad for field in ("channel", "ttl")
    ]
    assert store.events == []


def test_the_problem_of_a_single_event_has_no_index(publisher: Publisher) -> None:
    with pytest.raises(InvalidInput) as refused:
        publisher.publish_batch([{"channel": "a", "ttl": 0}])
    assert [problem.as_dict() for problem in refused.value.problems] == [
        {"field": "ttl", "message": refused.value.problems[0].message}
    ]


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_the_length_of_a_batch(publisher: Publisher, count: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        publisher.publish_batch([{"channel": "a"}] * count)
    assert refused.value.problems[0] == Problem("events", refused.value.problems[0].message)


@pytest.mark.parametrize("entry", [None, 1, "a", []])
def test_an_entry_that_is_no_event(publisher: Publisher, entry: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        publisher.publish_batch([{"channel": "a"}, entry], idempotency_key="k")
    assert [problem.index for problem in refused.value.problems] == [1]


# Idempotency


def each_of(store: Notebook, *keys: str | None, scope: str = "") -> Mapping[int, Once]:
    batch = [{"channel": "a", "data": n, **({"idempotency_key": key} if key else {})} for n, key in enumerate(keys)]
    Publisher(store, FakeClock()).publish_batch(batch, scope=scope)
    return store.each


def once_of(store: Notebook, batch: list[dict[str, Any]], key: str = "k", scope: str = "") -> Once:
    Publisher(store, FakeClock()).publish_batch(batch, scope=scope, idempotency_key=key)
    assert store.once is not None
    return store.once


def test_only_events_with_a_key_are_idempotent(store: Notebook) -> None:
    assert list(each_of(store, None, "k", None, "l")) == [1, 3]


def test_keys_count_within_their_scope(store: Notebook) -> None:
    mine, other = each_of(store, "k", scope="me")[0], each_of(store, "k", scope="other")[0]
    assert mine.key != other.key
    assert mine.digest == other.digest
    assert each_of(store, "k", scope="me")[0] == mine


@given(st.tuples(st.text("ab"), st.text("ab", min_size=1)), st.tuples(st.text("ab"), st.text("ab", min_size=1)))
def test_no_scope_reaches_into_another(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [each_of(Notebook(), key, scope=scope)[0].key for scope, key in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_a_key_of_a_call_is_not_one_of_an_event(store: Notebook) -> None:
    assert once_of(store, [{"channel": "a", "data": 0}]).key != each_of(store, "k")[0].key


def test_the_digest_leaves_out_the_time(store: Notebook) -> None:
    digests = set()
    for now in (1.0, 2.0):
        Publisher(store, FakeClock(now)).publish("a", 1, idempotency_key="k")
        digests.add(store.each[0])
    assert len(digests) == 1


def test_the_digest_holds_everything_else(store: Notebook) -> None:
    variants: list[dict[str, Any]] = [
        {"channel": "a"},
        {"channel": "b"},
        {"channels": ["a", "b"]},
        {"channels": ["b", "a"]},
        {"channel": "a", "type": "t"},
        {"channel": "a", "data": 0},
        {"channel": "a", "data": False},
        {"channel": "a", "data": "0"},
        {"channel": "a", "key": "k"},
        {"channel": "a", "ttl": 1},
        {"channel": "a", "exclude": ["c"]},
    ]
    for make in (lambda fields: each_digest(store, fields), lambda fields: once_of(store, [fields]).digest):
        assert len({make(fields) for fields in variants}) == len(variants)


def each_digest(store: Notebook, fields: dict[str, Any]) -> str:
    Publisher(store, FakeClock()).publish_batch([{**fields, "idempotency_key": "k"}])
    return store.each[0].digest


@given(st.lists(json_values, min_size=1, max_size=3), st.lists(json_values, min_size=1, max_size=3))
def test_the_digest_of_a_call_is_of_all_its_events(left: list[Any], right: list[Any]) -> None:
    digests = [once_of(Notebook(), [{"channel": "a", "data": value} for value in values]) for values in (left, right)]
    assert (digests[0] == digests[1]) == (repr(left) == repr(right))


def test_the_same_channel_in_both_spellings_is_the_same_body(store: Notebook) -> None:
    assert once_of(store, [{"channel": "a"}]) == once_of(store, [{"channels": ["a"]}])
