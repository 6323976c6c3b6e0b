"""Keeping up: at once when told, every few seconds besides, and soon again after a failure."""

import time
from collections.abc import Callable, Iterator

import pytest

from hermes.access import keeper
from hermes.access.keeper import Keeper
from tests.support.wait import wait_until

FOR_EVER = 3600.0
Start = Callable[[Callable[[], bool], float], Keeper]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Keeper] = []

    def begin(keep_up: Callable[[], bool], interval: float) -> Keeper:
        started.append(Keeper("test", keep_up, interval))
        started[-1].start()
        return started[-1]

    yield begin
    for one in started:
        one.close()


def counted(rounds: list[float], *, good: bool = True) -> Callable[[], bool]:
    def keep_up() -> bool:
        rounds.append(time.monotonic())
        return good

    return keep_up


def test_when_it_is_told(start: Start) -> None:
    rounds: list[float] = []
    one = start(counted(rounds), FOR_EVER)
    for number in range(1, 4):
        one.wake()
        wait_until(lambda number=number: len(rounds) == number)  # type: ignore[misc]


def test_by_itself(start: Start) -> None:
    rounds: list[float] = []
    start(counted(rounds), 0.05)
    wait_until(lambda: len(rounds) >= 3)
    assert rounds[2] - rounds[0] >= 0.09


def test_soon_again_after_a_failure(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "RETRY_PAUSE", 0.05)
    rounds: list[float] = []
    start(counted(rounds, good=False), FOR_EVER).wake()
    wait_until(lambda: len(rounds) >= 3)


def test_it_ends_and_begins_again(start: Start) -> None:
    rounds: list[float] = []
    one = start(counted(rounds), FOR_EVER)
    one.close()
    one.close()
    one.wake()
    assert rounds == []
    one.start()
    wait_until(lambda: len(rounds) == 1)
