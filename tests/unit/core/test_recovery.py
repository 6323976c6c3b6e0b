"""Where a cursor leads, and how a position moves: the promise, piece by piece."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.cursor import Cursor
from hermes.core.log import Page
from hermes.core.recovery import (
    AskStore,
    Earliest,
    Fresh,
    Position,
    Reset,
    ResetReason,
    Resume,
    Start,
    Tip,
    decide,
)
from hermes.core.subscription import Subscription
from tests.unit.events import TIME, event, numbers
from tests.unit.strategies import odd_text


@pytest.mark.parametrize(
    ("text", "store", "start"),
    [
        (None, None, Fresh()),
        ("", None, Fresh()),
        ("  ", None, Fresh()),
        ("earliest", None, Earliest()),
        ("garbage", None, Reset(ResetReason.UNKNOWN_CURSOR)),
        ("Earliest", None, Reset(ResetReason.UNKNOWN_CURSOR)),
        ("e-0", None, Resume(Cursor("e", 0))),
        ("e-9", None, Resume(Cursor("e", 9))),
        ("e-9~run", None, Resume(Cursor("e", 9))),
        ("e-10", None, AskStore()),
        ("e-10", Tip("e", 10), Resume(Cursor("e", 10))),
        ("e-10", Tip("e", 9), Reset(ResetReason.UNKNOWN_CURSOR)),
        ("e-10", Tip("f", 99), Reset(ResetReason.EPOCH_CHANGED)),
        ("d-1", None, AskStore()),
        ("d-1", Tip("e", 9), Reset(ResetReason.EPOCH_CHANGED)),
        ("f-3", Tip("f", 3), Resume(Cursor("f", 3))),
        ("f-4", Tip("f", 3), Reset(ResetReason.UNKNOWN_CURSOR)),
    ],
)
def test_where_a_cursor_leads_a_process_at_number_9_of_e(text: str | None, store: Tip | None, start: Start) -> None:
    assert decide(text, "e", 9, store) == start


@given(st.one_of(odd_text, st.from_regex(r"[ef]-[0-9]{1,17}(~x)?", fullmatch=True)), st.integers(0, 20))
def test_every_text_leads_somewhere(text: str, last: int) -> None:
    start = decide(text, "e", last)
    if isinstance(start, AskStore):
        start = decide(text, "e", last, Tip("e", 20))
    assert not isinstance(start, AskStore)


def page(*events: Any, after: int = 0, last: int = 9, floor: int = 0, **floors: int) -> Page:
    return Page("e", after, events, last, max(last, 9), floor, floors)


def lost(number: int, page: Page, *items: str, grants: tuple[str, ...] = ("*",)) -> tuple[str, ...]:
    return Position("e", number).lost(page, Subscription(items, grants=grants))


@pytest.mark.parametrize(("number", "gone"), [(0, True), (4, True), (5, False), (6, False)])
def test_a_cursor_is_good_at_or_above_the_floor_of_the_log(number: int, gone: bool) -> None:
    assert lost(number, page(floor=5), "a", "b*") == (("a", "b*") if gone else ())


@pytest.mark.parametrize(("number", "gone"), [(4, True), (5, False)])
def test_a_cursor_is_good_at_or_above_the_floor_of_a_channel(number: int, gone: bool) -> None:
    assert lost(number, page(a=5), "b", "a") == (("a",) if gone else ())


def test_a_pattern_takes_the_floors_of_all_that_it_matches() -> None:
    assert lost(1, page(ab=5, c=5), "x", "c", "a*", "*b") == ("c", "a*", "*b")


def test_a_channel_that_is_not_granted_gives_nothing_away() -> None:
    assert lost(1, page(a=5, b=5), "a", "*", grants=("b",)) == ("*",)
    assert lost(1, page(a=5), "*", grants=("b",)) == ()


def test_a_page_moves_the_position_to_the_last_number_examined() -> None:
    position = Position("e", 3)
    taken = position.take(page(event(4, "b"), event(5, "a"), after=3, last=7), Subscription(["a"]), TIME)
    assert numbers(taken.events) == [5]
    assert position.cursor == Cursor("e", 7)


def test_with_a_limit_the_position_stops_at_the_last_event_taken() -> None:
    position = Position("e", 0)
    wish = Subscription(["a"])
    first = position.take(page(event(1, "b"), event(2), event(4), event(5)), wish, TIME, 2)
    assert (numbers(first.events), position.number) == ([2, 4], 4)
    second = position.take(page(event(5), after=4), wish, TIME, 2)
    assert (numbers(second.events), position.number) == ([5], 9)


def test_a_loss_moves_nothing() -> None:
    position = Position("e", 3)
    taken = position.take(page(event(8, "a"), floor=6), Subscription(["a"]), TIME)
    assert (taken.lost, taken.events, position.number) == (("a",), [], 3)


def test_a_position_never_goes_back() -> None:
    position = Position("e", 5)
    position.advance(3)
    assert position.number == 5


def test_expired_events_are_passed_over_without_a_reset() -> None:
    position = Position("e", 0)
    taken = position.take(page(event(1, ttl=1.0), event(2, ttl=9.0)), Subscription(["a"]), TIME + 1001)
    assert numbers(taken.events) == [2]
    assert taken.lost == ()


def test_a_snapshot_stands_for_the_reset_items_only() -> None:
    """Fine print 4."""
    position, both = Position("e", 2), Subscription(["a", "b"])
    position.skip_to(("a",), 5, both)
    events = [event(3, "a"), event(4, "b"), event(5, "a", "b"), event(6, "a", "b")]
    taken = position.take(page(*events, after=2, last=6), both, TIME)
    assert [(one.number, channel) for one, channel in taken.events] == [(4, "b"), (5, "b"), (6, "a")]
    assert position.owed_after == {}


def test_a_snapshot_for_everything_moves_the_position() -> None:
    position = Position("e", 2)
    position.skip_to(("a", "b"), 5, Subscription(["a", "b"]))
    assert (position.number, position.owed_after) == (5, {})


def test_a_snapshot_for_the_rest_moves_it_too() -> None:
    position, both = Position("e", 2), Subscription(["a", "b"])
    position.skip_to(("a",), 5, both)
    position.skip_to(("b",), 7, both)
    assert (position.number, position.owed_after) == (5, {"b": 7})


def test_an_older_snapshot_takes_nothing_back() -> None:
    position, both = Position("e", 2), Subscription(["a", "b"])
    position.skip_to(("a",), 7, both)
    position.skip_to(("a",), 5, both)
    assert position.owed_after == {"a": 7}


def test_what_was_reset_is_not_reset_again() -> None:
    position, both = Position("e", 2), Subscription(["a", "b"])
    position.skip_to(("a",), 7, both)
    assert position.lost(page(a=7), both) == ()
    assert position.lost(page(a=8), both) == ("a",)
    assert position.lost(page(floor=6), both) == ("b",)


def test_a_stream_of_nothing_loses_nothing() -> None:
    position, nothing = Position("e", 2), Subscription([])
    assert position.take(page(event(8), floor=6, a=7), nothing, TIME).lost == ()
    position.skip_to((), 12, nothing)
    assert position.number == 12


def test_what_was_gone_before_the_earliest_is_not_missed() -> None:
    position = Position("e", 0)
    position.accepted = 5
    assert position.lost(page(floor=5, a=5), Subscription(["a"])) == ()
    assert position.lost(page(floor=6), Subscription(["a"])) == ("a",)
