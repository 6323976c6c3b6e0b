"""What a stream sees of a snapshot, and conflation."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.core.event import Event
from hermes.core.retained import Retained, Snapshot, newest_of_each_key, visible
from hermes.core.subscription import Subscription
from tests.unit.events import event, numbers


def snapshot(*entries: Retained) -> Snapshot:
    return Snapshot("e", 9, entries)


def kept(number: int, *channels: str, in_: tuple[str, ...] | None = None) -> Retained:
    return Retained(event(number, *channels, key="k"), in_ or channels)


def test_an_event_retained_in_several_channels_comes_once() -> None:
    one = kept(1, "a", "b")
    assert visible(snapshot(one), Subscription(["b", "a", "*"])) == [(one.event, "a")]


def test_only_where_it_is_still_the_newest() -> None:
    replaced_in_a = kept(1, "a", "b", in_=("b",))
    assert visible(snapshot(replaced_in_a), Subscription(["a"])) == []
    assert visible(snapshot(replaced_in_a), Subscription(["a", "b"])) == [(replaced_in_a.event, "b")]


def test_grants_types_and_filters_hold() -> None:
    one = kept(1, "a", "b")
    assert visible(snapshot(one), Subscription(["a", "b"], grants=["b"])) == [(one.event, "b")]
    assert visible(snapshot(one), Subscription(["a"], types=["x"])) == []


def test_only_for_the_items_that_were_reset() -> None:
    one, other = kept(1, "a"), kept(2, "b")
    found = visible(snapshot(one, other), Subscription(["a", "b"]), ("b",))
    assert found == [(other.event, "b")]
    assert visible(snapshot(one, other), Subscription(["a", "b"]), ()) == []


def test_by_way_of_a_pattern_that_was_reset() -> None:
    one = kept(1, "a")
    assert visible(snapshot(one), Subscription(["a", "*"]), ("*",)) == [(one.event, "a")]


keyed_events = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([None, "k", "l"])), max_size=12).map(
    lambda parts: [(event(n, channel, key=key), channel) for n, (channel, key) in enumerate(parts, 1)]
)


@given(keyed_events)
def test_of_keyed_events_only_the_newest(events: list[tuple[Event, str]]) -> None:
    both = Subscription(["a", "b"])
    wanted = [
        (one, channel)
        for index, (one, channel) in enumerate(events)
        if one.key is None or all((one.key, channel) != (later.key, where) for later, where in events[index + 1 :])
    ]
    assert newest_of_each_key(events, both) == wanted


def test_what_is_the_newest_in_one_of_its_channels_stays() -> None:
    """Else the state of b would be lost: the snapshot has event 1 there."""
    events = [(event(1, "a", "b", key="k"), "a"), (event(2, "a", key="k"), "a")]
    assert numbers(newest_of_each_key(events, Subscription(["a", "b"]))) == [1, 2]
    assert numbers(newest_of_each_key(events, Subscription(["a"]))) == [2]
    assert numbers(newest_of_each_key(events, Subscription(["a", "b"], grants=["a"]))) == [2]
