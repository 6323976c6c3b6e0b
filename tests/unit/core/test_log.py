"""Pages, and the tail against a plain list."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hermes.core.event import Event
from hermes.core.log import Page, Tail
from tests.unit.effort import model
from tests.unit.events import TIME, event, numbers

MAX_EVENTS = 6
MAX_BYTES = 6000


class TailModel(RuleBasedStateMachine):
    """All that ever entered, and the number up to which it was dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = Tail(MAX_EVENTS, MAX_BYTES)
        self.ever: list[Event] = []
        self.floor = self.last = 0
        self.holes: dict[str, int] = {}
        self.time = TIME

    @property
    def kept(self) -> list[Event]:
        return [one for one in self.ever if one.number > self.floor]

    def drop(self, one: Event) -> None:
        self.floor = one.number
        self.holes = {channel: number for channel, number in self.holes.items() if number > self.floor}

    @rule(sizes=st.lists(st.sampled_from([1, 300, 7000]), max_size=4), gap=st.integers(0, 2), passed=st.integers(-1, 2))
    def extend(self, sizes: list[int], gap: int, passed: int) -> None:
        self.time += passed
        events = [event(self.last + n, data="x" * size, time=self.time) for n, size in enumerate(sizes, 1)]
        self.last += len(events) + gap
        self.tail.extend(events, self.last)
        self.ever += events
        while len(self.kept) > MAX_EVENTS or sum(one.size for one in self.kept) > MAX_BYTES:
            self.drop(self.kept[0])

    @rule(age=st.integers(0, 4))
    def expire(self, age: int) -> None:
        before = self.time - age
        self.tail.expire(before)
        while self.kept and self.kept[0].time < before:
            self.drop(self.kept[0])

    @precondition(lambda self: self.last)
    @rule(channel=st.sampled_from("ab"), data=st.data())
    def lose(self, channel: str, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.last))
        self.tail.note_floors({channel: number})
        if number > max(self.floor, self.holes.get(channel, 0)):
            self.holes[channel] = number

    @rule(number=st.integers(0, 5))
    def reset(self, number: int) -> None:
        self.tail.reset("e", number)
        self.ever, self.holes, self.floor, self.last = [], {}, number, number

    @rule(data=st.data(), max_events=st.integers(1, 8), max_bytes=st.sampled_from([1, 1500, 100_000]))
    def page(self, data: st.DataObject, max_events: int, max_bytes: int) -> None:
        after = data.draw(st.integers(0, self.last))
        page = self.tail.page(after, max_events, max_bytes)
        if after < self.floor:
            assert page is None
            return
        assert page is not None
        rest = [one for one in self.kept if one.number > after]
        assert page.events == rest[: len(page.events)]
        assert page.last == (self.last if len(page.events) == len(rest) else page.events[-1].number)
        assert (page.after, page.tip, page.floor) == (after, self.last, self.floor)
        assert page.floors == {channel: number for channel, number in self.holes.items() if number > after}
        self._is_as_full_as_may_be(page, rest, max_events, max_bytes)

    def _is_as_full_as_may_be(self, page: Page, rest: list[Event], max_events: int, max_bytes: int) -> None:
        sizes = [one.size for one in page.events]
        assert len(sizes) <= max_events
        assert len(sizes) <= 1 or sum(sizes) <= max_bytes
        if len(sizes) < min(max_events, len(rest)):
            assert sizes
            assert sum(sizes) + rest[len(sizes)].size > max_bytes

    @invariant()
    def bounds_hold(self) -> None:
        assert (self.tail.last, self.tail.floor, len(self.tail)) == (self.last, self.floor, len(self.kept))
        assert len(self.tail) <= MAX_EVENTS
        assert self.tail.floors == self.holes


TestTail = model(TailModel, examples=100, full=2000)


def page(*events: Event, **more: Any) -> Page:
    fields = {"epoch": "e", "after": 0, "last": 9, "tip": 9, **more}
    return Page(events=events, **fields)


@pytest.mark.parametrize(
    ("number", "left", "last"), [(3, [1, 3], 3), (2, [1], 2), (9, [1, 3, 5], 9), (12, [1, 3, 5], 9), (0, [], 0)]
)
def test_a_page_can_be_cut(number: int, left: list[int], last: int) -> None:
    short = page(event(1), event(3), event(5), floor=1, floors={"a": 2}).up_to(number)
    assert numbers(short.events) == left
    assert short.last == last
    assert (short.tip, short.floor, short.floors) == (9, 1, {"a": 2})


def test_a_page_is_never_cut_below_its_start() -> None:
    assert page(event(6), after=5).up_to(3).last == 5


def test_an_event_over_all_bounds_is_dropped_and_told() -> None:
    tail = Tail(10, 1000)
    tail.extend([event(1, data="x" * 2000)], 1)
    assert (len(tail), tail.floor, tail.last) == (0, 1, 1)
    assert tail.page(0, 1, 1) is None
    assert tail.page(1, 1, 1) is not None


def test_what_is_dropped_is_freed() -> None:
    tail = Tail(10, 10**9)
    for number in range(1, 1001):
        tail.extend([event(number)], number)
    assert len(tail._events) < 20
