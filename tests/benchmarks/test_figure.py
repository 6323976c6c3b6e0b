"""Bounds, medians and ratios of figures."""

import pytest

from tests.benchmarks.figure import Bound, Figure, middle, ratio

CPU = Figure("cpu", "CPU", "µs", must=Bound(1, "nchan"), aim=Bound(1.1, "floor"))
RATE = Figure("rate", "Rate", "/s", "high", must=Bound(1500), aim=Bound(4000), only=("hermes",))


@pytest.mark.parametrize(
    ("figure", "bound", "words"),
    [
        (CPU, Bound(1.2, "nchan"), "<= 1.2 x nchan"),
        (CPU, Bound(18), "<= 18 µs"),
        (RATE, Bound(1500), ">= 1,500 /s"),
        (RATE, Bound(100_000), ">= 100,000 /s"),
        (Figure("ratio", "A ratio", ""), Bound(1.3), "<= 1.3"),
    ],
)
def test_words(figure: Figure, bound: Bound, words: str) -> None:
    assert bound.words(figure) == words


def test_a_median_of_what_was_measured() -> None:
    assert middle([3, None, 1]) == 2
    assert middle([None]) is None
    assert middle([]) is None


def test_a_ratio_is_taken_within_each_round() -> None:
    samples = {"hermes": [10, 2, 33], "nchan": [10, 4, 30]}
    assert ratio(samples, "hermes", "nchan") == 1  # of 1, 0.5, 1.1; the medians' own would be 10 / 10
    samples = {"hermes": [1, 20, 300], "nchan": [2, 20, 200]}
    assert ratio(samples, "hermes", "nchan") == 1


def test_a_round_that_one_of_them_lacks_is_left_out() -> None:
    samples = {"hermes": [None, 5, 7, 8], "nchan": [1, 10, None, 0]}
    assert ratio(samples, "hermes", "nchan") == 0.5
    assert ratio(samples, "hermes", "floor") is None
    assert ratio({"hermes": [None], "nchan": [1]}, "hermes", "nchan") is None


@pytest.mark.parametrize(
    ("figure", "own", "held"),
    [
        (CPU, [10.0, 10.0], True),  # the bound itself is kept
        (CPU, [10.1, 10.1], False),
        (CPU, [None, None], None),
        (RATE, [1500.0], True),
        (RATE, [1499.0], False),
        (RATE, [], None),
    ],
)
def test_whether_a_bound_holds(figure: Figure, own: list[float | None], held: bool | None) -> None:
    assert figure.must is not None
    assert figure.holds({"hermes": own, "nchan": [10.0, 10.0]}, "hermes", figure.must) is held


def test_verdicts_are_of_the_servers_that_count_and_were_measured() -> None:
    samples: dict[str, list[float | None]] = {"hermes": [5], "nchan": [10], "sse-starlette": [20], "floor": [5]}
    found = [(verdict.kind, verdict.server, verdict.value, verdict.holds) for verdict in CPU.verdicts(samples)]
    assert found == [("must", "hermes", 0.5, True), ("aim", "hermes", 1.0, True)]
    without = [verdict.holds for verdict in CPU.verdicts({"hermes": [5], "hermes-redis": [None]})]
    assert without == [None] * 4
    assert Figure("bare", "Told alone", "").verdicts(samples) == []
