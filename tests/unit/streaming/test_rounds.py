"""When parked streams are visited."""

import pytest

from hermes.streaming import rounds as module
from hermes.streaming.rounds import STEP, Rounds
from hermes.testing import FakeClock


class Visitor:
    def __init__(self, rounds: Rounds, *, again: float | None = None) -> None:
        self.rounds = rounds
        self.again = again
        self.next_round: int | None = None
        self.visits = 0

    def visit(self) -> None:
        self.visits += 1
        if self.again is not None:
            self.rounds.put(self, self.again)


@pytest.fixture
def rounds(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Rounds:
    """Rounds that go when they are told to."""
    monkeypatch.setattr(Rounds, "_run", lambda _self: None)
    made = Rounds(clock.monotonic)
    made.start()
    return made


def test_a_visit_is_never_early_and_hardly_late(rounds: Rounds, clock: FakeClock) -> None:
    visitor = Visitor(rounds)
    rounds.put(visitor, 5.0)
    clock.advance(5.0 - STEP / 10)
    rounds.go()
    assert visitor.visits == 0
    clock.advance(STEP * 1.2)
    rounds.go()
    assert visitor.visits == 1


def test_each_visit_is_asked_for(rounds: Rounds, clock: FakeClock) -> None:
    once, always = Visitor(rounds), Visitor(rounds, again=1.0)
    rounds.put(once, 1.0)
    rounds.put(always, 1.0)
    for _ in range(50):
        clock.advance(STEP)
        rounds.go()
    assert once.visits == 1
    assert always.visits in (3, 4)


def test_the_earlier_of_two_times_counts(rounds: Rounds, clock: FakeClock) -> None:
    visitor = Visitor(rounds)
    rounds.put(visitor, 10.0)
    rounds.put(visitor, 1.0)
    rounds.put(visitor, 20.0)
    clock.advance(1.0 + STEP)
    rounds.go()
    assert visitor.visits == 1
    clock.advance(30.0)
    rounds.go()
    assert visitor.visits == 1


def test_who_was_taken_out_is_not_visited(rounds: Rounds, clock: FakeClock) -> None:
    visitor = Visitor(rounds)
    rounds.take_out(visitor)
    rounds.put(visitor, 1.0)
    rounds.take_out(visitor)
    rounds.take_out(visitor)
    clock.advance(5.0)
    rounds.go()
    assert visitor.visits == 0
    rounds.put(visitor, 1.0)
    clock.advance(5.0)
    rounds.go()
    assert visitor.visits == 1


def test_a_time_that_has_passed_is_due_in_the_next_round_and_not_for_ever_in_this_one(
    rounds: Rounds, clock: FakeClock
) -> None:
    visitor = Visitor(rounds, again=-1.0)
    rounds.put(visitor, 0.0)
    clock.advance(STEP * 2)
    rounds.go()
    assert 1 <= visitor.visits <= 2
    before = visitor.visits
    clock.advance(STEP)
    rounds.go()
    assert visitor.visits == before + 1


def test_rounds_that_were_missed_are_made_up_for(rounds: Rounds, clock: FakeClock) -> None:
    visitors = [Visitor(rounds) for _ in range(20)]
    for index, visitor in enumerate(visitors):
        rounds.put(visitor, index / 2)
    clock.advance(60.0)
    rounds.go()
    assert [visitor.visits for visitor in visitors] == [1] * 20


def test_one_that_fails_does_not_keep_the_others_from_their_visits(rounds: Rounds, clock: FakeClock) -> None:
    class Failing(Visitor):
        def visit(self) -> None:
            super().visit()
            raise RuntimeError("no")

    visitors = [Visitor(rounds), Failing(rounds), Visitor(rounds)]
    for visitor in visitors:
        rounds.put(visitor, 1.0)
    clock.advance(2.0)
    rounds.go()
    assert [visitor.visits for visitor in visitors] == [1, 1, 1]
    clock.advance(module.AFTER_FAILURE + 1)
    rounds.go()
    assert [visitor.visits for visitor in visitors] == [1, 2, 1], "and is visited again"


def test_who_is_taken_out_by_an_earlier_visit_of_the_same_round_is_not_visited(
    rounds: Rounds, clock: FakeClock
) -> None:
    visitors: list[Visitor] = []

    class Ending(Visitor):
        def visit(self) -> None:
            super().visit()
            for other in visitors:
                rounds.take_out(other)

    visitors += [Ending(rounds), Ending(rounds)]
    for visitor in visitors:
        rounds.put(visitor, 1.0)
    clock.advance(2.0)
    rounds.go()
    assert sum(visitor.visits for visitor in visitors) == 1


def test_it_goes_by_itself_until_it_is_closed() -> None:
    from hermes.core.clock import SystemClock
    from tests.support.wait import wait_until

    rounds = Rounds(SystemClock().monotonic)
    rounds.start()
    visitor = Visitor(rounds)
    rounds.put(visitor, module.STEP)
    wait_until(lambda: visitor.visits == 1)
    rounds.close()
    assert rounds._thread is not None
    rounds._thread.join(5)
    assert not rounds._thread.is_alive()
