"""The hub: who is live, what a dispatch writes, and what a number on a heartbeat may say."""

import pytest

from hermes.core.hub import RANGE_BYTES, WRITES_PER_TURN, Hub
from hermes.core.log import Tail
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from tests.unit.core.members import EVERYTHING, ModelMember, seen
from tests.unit.events import TIME, event, numbers


class Seconds:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def hub(clock: Seconds) -> Hub:
    made = Hub(Tail(5000, 10**9), clock)
    made.begin("e", 0)
    return made


def append(hub: Hub, *channels: str, **more: object) -> None:
    hub.append([event(hub.last + 1, *channels, **more)], hub.last + 1)


def dispatch(hub: Hub) -> None:
    for _ in hub.dispatch():
        pass


def member(hub: Hub, *items: str, number: int | None = None, **more: object) -> ModelMember:
    position = Position(hub.epoch, hub.last if number is None else number)
    return ModelMember(Subscription(items or ("a",)), position, **more)


def live(hub: Hub, *items: str, **more: object) -> ModelMember:
    made = member(hub, *items, **more)
    assert hub.park(made)
    assert made.group is not None
    return made


# Live and behind


def test_a_stream_that_has_seen_all_becomes_live(hub: Hub) -> None:
    append(hub)
    assert not hub.park(member(hub, number=0))
    made = live(hub)
    append(hub)
    dispatch(hub)
    assert seen(made) == [2]
    assert made.position.number == 2


def test_only_what_matches_is_written(hub: Hub) -> None:
    mine, other, both, pattern = live(hub, "a"), live(hub, "b"), live(hub, "a", "b"), live(hub, "*")
    append(hub, "a")
    append(hub, "b")
    append(hub, "a", "b")
    append(hub, "c")
    dispatch(hub)
    assert [seen(one) for one in (mine, other, both, pattern)] == [[1, 3], [2, 3], [1, 2, 3], [1, 2, 3, 4]]


def test_frames_are_shared_by_a_group(hub: Hub) -> None:
    one, other, else_ = live(hub), live(hub), live(hub, "a", "b")
    assert one.group is other.group is not else_.group
    append(hub)
    dispatch(hub)
    assert one.received == other.received == else_.received


def test_a_chunked_stream_gets_one_chunk_for_a_range(hub: Hub) -> None:
    plain, chunked = live(hub), live(hub, chunked=True)
    append(hub)
    append(hub)
    dispatch(hub)
    size, _, rest = bytes(chunked.received).partition(b"\r\n")
    assert int(size, 16) == len(plain.received)
    assert rest == plain.received + b"\r\n"


def test_a_stream_of_another_epoch_is_never_live(hub: Hub) -> None:
    made = ModelMember(Subscription(["a"]), Position("d", hub.last))
    assert not hub.park(made)


def test_groups_end_with_their_last_member(hub: Hub) -> None:
    one, other = live(hub, "a", "b*"), live(hub, "a", "b*")
    assert hub.subscribers == 2
    hub.unpark(one)
    append(hub)
    dispatch(hub)
    assert seen(other) == [1]
    hub.unpark(other)
    hub.unpark(other)
    assert hub.subscribers == 0
    assert (hub._groups, hub._by_channel, hub._by_pattern) == ({}, {}, {})


def test_what_was_written_counts_as_touched(hub: Hub, clock: Seconds) -> None:
    mine, other = live(hub, "a"), live(hub, "b")
    clock.now = 5.0
    append(hub, "a")
    dispatch(hub)
    assert (mine.touched, other.touched) == (5.0, 0.0)


def test_exclude_holds_for_former_connections_too(hub: Hub) -> None:
    one, other = live(hub, ids=("now", "before")), live(hub, ids=("else",))
    append(hub, exclude=("before",))
    append(hub)
    dispatch(hub)
    assert seen(one) == [2]
    assert seen(other) == [1, 2]


def test_a_range_that_excludes_all_writes_nothing(hub: Hub) -> None:
    one = live(hub, ids=("me",), chunked=True)
    append(hub, exclude=("me",))
    dispatch(hub)
    assert one.received == b""
    assert hub.examined(one) == 1


# What does not fit


@pytest.mark.parametrize("chunked", [False, True])
def test_the_rest_of_a_frame_is_owed(hub: Hub, chunked: bool) -> None:
    one = live(hub, room=10, chunked=chunked)
    append(hub)
    dispatch(hub)
    assert (one.group, one.wakes, one.position.number) == (None, 1, 1)
    assert one.owed
    one.room = EVERYTHING
    one.flush()
    assert seen(one) == [1]


def test_where_nothing_fits_nothing_is_owed(hub: Hub) -> None:
    one = live(hub, room=0)
    append(hub)
    dispatch(hub)
    assert (one.group, one.wakes, one.owed, one.position.number) == (None, 1, b"", 0)


def test_one_that_is_full_does_not_touch_the_others(hub: Hub) -> None:
    members = [live(hub, room=EVERYTHING if index % 2 else 3) for index in range(6)]
    append(hub)
    dispatch(hub)
    assert [seen(one) for one in members] == [[], [1]] * 3
    append(hub)
    dispatch(hub)
    assert [seen(one) for one in members] == [[], [1, 2]] * 3


# Ahead


def test_a_stream_that_is_ahead_waits(hub: Hub) -> None:
    one = member(hub, number=3)
    assert hub.park(one)
    assert one.group is None
    assert hub.subscribers == 1
    for _ in range(2):
        append(hub)
    dispatch(hub)
    assert (one.wakes, hub.examined(one)) == (0, 3)
    append(hub)
    assert one.wakes == 1
    assert hub.subscribers == 0


def test_one_that_waits_can_leave(hub: Hub) -> None:
    one, other = member(hub, number=3), member(hub, number=2)
    for each in (one, other):
        hub.park(each)
    hub.unpark(one)
    hub.unpark(one)
    append(hub)
    append(hub)
    append(hub)
    assert (one.wakes, other.wakes) == (0, 1)


def test_one_that_only_waits_is_woken_by_what_comes_next(hub: Hub) -> None:
    one = member(hub)
    assert hub.park(one, live=False)
    assert one.group is None
    append(hub, "other")
    assert one.wakes == 1


# Epochs and jumps


def test_a_new_epoch_makes_every_stream_behind(hub: Hub) -> None:
    append(hub)
    one, ahead = live(hub), member(hub, number=7)
    hub.park(ahead)
    hub.begin("f", 0)
    assert (one.wakes, ahead.wakes, one.group) == (1, 1, None)
    assert (hub.epoch, hub.last, hub.finished, hub.subscribers) == ("f", 0, 0, 0)
    assert one.position.cursor == ("e", 1)


def test_a_jump_leaves_the_position_where_it_was(hub: Hub) -> None:
    one = live(hub)
    hub.begin("e", 50)
    assert one.position.number == 0
    assert not hub.park(one)
    assert hub.page(0, 10, 10**6) is None


def test_a_jump_in_the_middle_of_a_dispatch(hub: Hub) -> None:
    members = [live(hub) for _ in range(WRITES_PER_TURN + 1)]
    append(hub)
    steps = hub.dispatch()
    next(steps)
    hub.begin("e", 50)
    for _ in steps:
        pass
    assert hub.finished == 50
    assert [one.position.number for one in members] == [1] * WRITES_PER_TURN + [0]


def test_a_new_epoch_in_the_middle_of_a_dispatch(hub: Hub) -> None:
    one, other = live(hub, "a"), live(hub, "b")
    append(hub, "a", "b")
    steps = hub.dispatch()
    next(steps)
    hub.begin("f", 0)
    again = live(hub, "b")
    list(steps)
    assert hub.finished == 0
    assert again.received == b""
    assert [seen(each) for each in (one, other)] == [[1], []]


def test_a_tail_that_dropped_what_was_not_dispatched_leaves_it_to_the_streams() -> None:
    hub = Hub(Tail(2, 10**9), Seconds())
    hub.begin("e", 0)
    one = live(hub)
    for _ in range(5):
        append(hub)
    dispatch(hub)
    assert (one.wakes, one.position.number, hub.finished) == (1, 0, 5)


def test_events_older_than_the_history_are_forgotten(hub: Hub) -> None:
    append(hub)
    append(hub, time=TIME + 10)
    hub.expire(TIME + 10)
    assert hub.page(0, 9, 10**6) is None
    page = hub.page(1, 9, 10**6)
    assert page is not None
    assert numbers(page.events) == [2]


def test_holes_are_told_by_the_pages_of_the_tail(hub: Hub) -> None:
    hub.append([event(1), event(3)], 3, {"b": 2})
    page = hub.page(0, 9, 10**6)
    assert page is not None
    assert page.floors == {"b": 2}


# Ranges and turns


def test_the_dispatcher_may_yield_between_writes(hub: Hub) -> None:
    for _ in range(2 * WRITES_PER_TURN + 1):
        live(hub)
    append(hub)
    assert len(list(hub.dispatch())) == 3


def test_a_long_feed_is_written_in_ranges(hub: Hub) -> None:
    one = live(hub)
    count = 700
    hub.append([event(number) for number in range(1, count + 1)], count)
    steps = hub.dispatch()
    next(steps)
    assert 0 < len(one.received) <= RANGE_BYTES
    assert len(seen(one)) < count
    list(steps)
    assert seen(one) == list(range(1, count + 1))


def test_a_range_without_a_match_moves_what_a_heartbeat_may_say(hub: Hub) -> None:
    one = live(hub, "other")
    append(hub)
    assert hub.examined(one) == 0
    dispatch(hub)
    assert hub.examined(one) == 1
    hub.unpark(one)
    assert one.position.number == 1
