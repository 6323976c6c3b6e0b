"""Counting: what a bucket lets through in any window, what a fleet does together, and that nothing is kept for ever."""

import random
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.rate import SLACK, Counts, Rates, Use, combined, key_of, summed

KEY = key_of("somebody")


def admitted(rates: Rates, now: float, times: int) -> int:
    """How many of so many single takes at one moment are let through."""
    return sum(not rates.take(KEY, 1, now) for _ in range(times))


# One process

steps = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), min_size=1, max_size=40)


@given(st.integers(1, 20), st.integers(1, 30), steps)
def test_no_window_holds_more_than_the_burst_and_its_time_of_the_rate(
    rate: int, burst: int, calls: Sequence[tuple[float, int]]
) -> None:
    rates = Rates(rate, burst)
    times = list(accumulate(pause for pause, _ in calls))
    taken = [
        (now, amount)
        for now, (_, amount) in zip(times, calls, strict=True)
        if amount <= burst and not rates.take(KEY, amount, now)
    ]
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            within = sum(amount for _, amount in taken[first : last + 1])
            assert within <= burst + rate * (taken[last][0] - taken[first][0]) + 1e-6


@given(st.integers(1, 20), st.integers(1, 30), steps)
def test_after_idling_the_whole_burst_is_there(rate: int, burst: int, calls: Sequence[tuple[float, int]]) -> None:
    rates, now = Rates(rate, burst), 0.0
    for pause, amount in calls:
        now += pause
        rates.take(KEY, amount, now)
        rates.tidy(now)
    now += (burst + 30) / rate + 1e-6
    assert rates.take(KEY, burst, now) == 0


@given(st.integers(1, 20), st.integers(1, 30), steps)
def test_what_was_refused_passes_after_the_wait_that_was_named(
    rate: int, burst: int, calls: Sequence[tuple[float, int]]
) -> None:
    rates, now = Rates(rate, burst), 0.0
    for pause, amount in calls:
        now += pause
        wait = rates.take(KEY, amount, now)
        if wait:
            assert rates.take(KEY, amount, now + 0.99 * wait) > 0
            now += wait + 1e-6
            assert rates.take(KEY, amount, now) == 0


def test_more_than_the_burst_needs_a_full_bucket_and_is_paid_back() -> None:
    rates = Rates(10, 10)
    assert rates.take(KEY, 25, 0) == 0
    assert rates.take(KEY, 1, 1) == pytest.approx(0.6)
    assert rates.take(KEY, 11, 2) > 0


def test_the_clock_of_a_bucket_never_goes_back() -> None:
    rates = Rates(10, 10)
    assert admitted(rates, 5, 20) == 10
    assert admitted(rates, 4, 20) == 0
    assert admitted(rates, 5.5, 20) == 5


def test_keys_have_buckets_of_their_own() -> None:
    rates = Rates(1, 2)
    assert [rates.take(key_of(name), 2, 0) for name in ("a", "b")] == [0, 0]
    assert rates.take(key_of("a"), 1, 0) > 0


# Memory


def test_what_is_full_again_is_forgotten() -> None:
    rates = Rates(10, 20)
    for second in range(10):
        rates.take(key_of(f"{second}"), 5, second)
        rates.tidy(second)
    assert len(rates) <= 6
    for second in (12, 15):
        rates.tidy(second)
    assert len(rates) == 0


def test_what_is_not_full_is_not_forgotten() -> None:
    rates = Rates(1, 100)
    assert rates.take(KEY, 100, 0) == 0
    for second in range(99):
        rates.tidy(second)
    assert rates.take(KEY, 100, 99) > 0
    assert rates.take(KEY, 99, 99) == 0


@given(st.randoms(use_true_random=False))
def test_no_number_of_keys_takes_more_than_its_memory(chance: random.Random) -> None:
    rates = Rates(10, 10, most=100)
    heavy = key_of("heavy")
    let_through = 0
    for call in range(5000):
        now = call / 5000
        rates.take(chance.randrange(1 << 40), 1, now)
        if call % 20 == 0:
            let_through += not rates.take(heavy, 1, now)
        assert len(rates) <= 100
    assert let_through <= 20, "whoever is heard of again and again is remembered"
    assert len(rates.report(1, 1000)) <= 100


def test_a_report_names_those_who_use_most() -> None:
    rates = Rates(100, 100)
    for number in range(1, 50):
        rates.take(number, number, 0)
    rates.report(0, 1)
    for number in range(1, 50):
        rates.take(number, number, 0.5)
    assert sorted(rates.report(1, 3)) == [(47, 94), (48, 96), (49, 98)]
    assert rates.report(2, 3) == []


def test_a_report_says_where_there_was_not_enough() -> None:
    rates = Rates(10, 10)
    assert admitted(rates, 0, 12) == 10
    assert rates.report(1, 9) == [(KEY, 21)]
    rates.take(KEY, 10, 1)
    assert rates.take(KEY, 1, 1) > 0
    rates.report(2, 9)
    assert rates.take(KEY, 11, 2) == 0, "as much as there is, and a debt"
    assert rates.take(KEY, 1, 2) > 0
    assert rates.report(3, 9) == [(KEY, 23)]
    assert rates.take(KEY, 10, 3) > 0
    assert rates.report(4, 9) == [(KEY, 1)], "nothing was had"


def test_a_report_after_longer_than_a_second_is_of_a_second() -> None:
    rates = Rates(100, 100)
    rates.report(0, 10)
    rates.take(KEY, 30, 1)
    assert rates.report(4, 10) == [(KEY, 2 * 8)]
    rates.take(KEY, 30, 4)
    assert rates.report(4.1, 10) == [(KEY, 2 * 30)]


# A fleet


class Fleet:
    """Processes that exchange once a second, as they do."""

    def __init__(self, rate: float, burst: float, count: int) -> None:
        self.processes = [Rates(rate, burst) for _ in range(count)]
        self.second = 0

    def pass_second(self, demands: Sequence[int]) -> list[int]:
        """So many single takes on each process, spread over one second; what was let through."""
        let_through = [0] * len(demands)
        for index, (rates, demand) in enumerate(zip(self.processes, demands, strict=True)):
            for step in range(demand):
                let_through[index] += not rates.take(KEY, 1, self.second + step / demand)
        self.second += 1
        reports = [rates.report(self.second, 10) for rates in self.processes]
        for index, rates in enumerate(self.processes):
            rates.tidy(self.second)
            others = [(True, report) for other, report in enumerate(reports) if other != index]
            rates.hear(combined(others), self.second)
        return let_through


@given(
    st.integers(2, 5).flatmap(
        lambda count: st.lists(
            st.lists(st.sampled_from([0, 0, 5, 30, 60]), min_size=count, max_size=count), min_size=1, max_size=25
        )
    ),
    st.sampled_from([20, 40]),
)
def test_a_fleet_goes_beyond_by_a_second_for_each_process(demands: list[list[int]], burst: int) -> None:
    rate, count = 20, len(demands[0])
    fleet = Fleet(rate, burst, count)
    total = sum(sum(fleet.pass_second(demand)) for demand in demands)
    assert total <= burst + SLACK * rate * len(demands) + count * (burst + rate)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_processes_that_are_all_busy_share_the_rate(count: int) -> None:
    fleet = Fleet(42, 42, count)
    seconds = 10 * count
    total = sum(sum(fleet.pass_second([60] * count)) for _ in range(seconds))
    assert total <= 42 * (seconds + 1) + 42 * count
    for _ in range(5):
        shares = fleet.pass_second([60] * count)
        assert 0.9 * 42 <= sum(shares) <= 1.05 * 42
        assert max(shares) - min(shares) <= 1


def test_quiet_processes_leave_the_whole_rate_to_a_busy_one() -> None:
    fleet = Fleet(50, 50, 4)
    shares = [fleet.pass_second([80, 0, 0, 0])[0] for _ in range(5)]
    assert shares == [80, 69, 50, 50, 50]
    for _ in range(4):
        shares = fleet.pass_second([80, 5, 0, 0])
    assert shares[1] == 5
    assert 43 <= shares[0] <= 46
    for _ in range(3):
        shares = fleet.pass_second([80, 0, 0, 0])
    assert shares[0] >= 49


def test_a_debt_has_a_bound() -> None:
    rates = Rates(10, 10)
    rates.take(KEY, 1, 0)
    for second in range(1, 10):
        rates.hear({KEY: Use(1000, 1000, 50, 50)}, second)
    assert rates.take(KEY, 1, 9) == pytest.approx(10 + 1.1, abs=0.2)


def test_a_debt_is_remembered_longer_than_anything_else() -> None:
    rates = Rates(10, 10)
    rates.take(KEY, 1, 0)
    rates.hear({KEY: Use(60, 60, 3, 3)}, 1)
    rates.hear({}, 1)
    for second in range(2, 5):
        rates.tidy(second)
    assert rates.take(KEY, 1, 4) > 0
    for second in range(5, 12):
        rates.tidy(second)
    assert rates.take(KEY, 10, 12) == 0


def test_who_goes_from_process_to_process_wins_nothing() -> None:
    fleet = Fleet(20, 20, 4)
    total = sum(
        sum(fleet.pass_second([60 if second % 4 == index else 0 for index in range(4)])) for second in range(80)
    )
    assert total <= 20 + 1.1 * 20 * 80 + 4 * 40


def test_a_burst_of_others_leaves_less_here() -> None:
    rates = Rates(10, 100)
    assert rates.take(KEY, 1, 0) == 0
    rates.hear({KEY: Use(80, 80, 1, 0)}, 1)
    assert rates.take(KEY, 32, 1) > 0
    assert rates.take(KEY, 31, 1) == 0


def test_the_same_report_heard_again_is_no_second_burst() -> None:
    rates = Rates(10, 100)
    assert rates.take(KEY, 1, 0) == 0
    rates.hear({KEY: Use(80, 0, 1, 0)}, 1)
    assert rates.take(KEY, 100, 1) == 0


def test_a_key_that_others_use_up_begins_empty() -> None:
    rates = Rates(10, 20)
    rates.hear({KEY: Use(10, 10, 1, 1), 2: Use(5, 5, 1, 0)}, 0)
    assert rates.take(KEY, 1, 0) > 0
    assert rates.take(2, 10, 0) == 0
    assert rates.take(2, 1, 0) == pytest.approx(0.2)


def test_reports_are_combined() -> None:
    use = combined([(True, [(1, 2 * 5)]), (False, [(1, 2 * 3 + 1), (2, 1)]), (True, [(1, 2 * 2 + 1)])])
    assert {key: (one.level, one.news, one.nodes, one.hungry) for key, one in use.items()} == {
        1: (10, 7, 3, 2),
        2: (0, 0, 1, 1),
    }
    assert combined([(False, [(1, 8)]), (True, [(1, 4)])])[1].news == 2


def test_others_that_fell_silent_are_forgotten() -> None:
    rates = Rates(10, 10)
    assert rates.take(KEY, 10, 0) == 0
    rates.hear({KEY: Use(10, 10, 1, 1)}, 0)
    assert rates.take(KEY, 1, 5) > 0
    rates.hear({}, 5)
    assert rates.take(KEY, 10, 6) == 0


# How many there are


def test_counts_come_back_to_nothing() -> None:
    counts = Counts(2)
    for key in (1, 1, 2):
        assert not counts.is_full(key)
        counts.add(key)
    assert counts.is_full(1)
    assert not counts.is_full(2)
    for key in (1, 2, 1):
        counts.remove(key)
    assert (len(counts), counts.total(1), counts.report(9)) == (0, 0, [])


def test_those_of_the_others_count_until_they_are_gone() -> None:
    counts = Counts(10)
    counts.add(1)
    counts.hear(summed([[(1, 5), (2, 1)], [(1, 4)]]))
    assert (counts.total(1), counts.total(2), counts.is_full(1)) == (10, 1, True)
    assert counts.report(9) == [(1, 1)], "only what is here"
    counts.hear({})
    assert counts.total(1) == 1


def test_a_report_names_the_largest_counts() -> None:
    counts = Counts(10)
    for key in range(10):
        for _ in range(key):
            counts.add(key)
    assert sorted(counts.report(2)) == [(8, 8), (9, 9)]


def test_one_less_of_nothing_is_nothing() -> None:
    counts = Counts(1)
    counts.remove(1)
    counts.add(1)
    assert counts.total(1) == 1


@given(st.text(), st.text())
def test_a_key_stands_for_one_text(one: str, other: str) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)
    assert 0 <= key_of(one) < 1 << 64


def test_a_key_is_the_same_in_every_process() -> None:
    assert key_of("user:1") == 1_304_368_944_307_141_588
