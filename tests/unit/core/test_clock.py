"""Time as it is written."""

import time

import pytest

from hermes.core.clock import SystemClock, iso_time, milliseconds


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_202_284_123, "2026-11-20T19:18:04.123Z"),
        (1_795_202_284_999, "2026-11-20T19:18:04.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    ],
)
def test_iso_time(ms: int, text: str) -> None:
    assert iso_time(ms) == text


def test_milliseconds_are_whole() -> None:
    assert milliseconds(1.9999) == 1999


def test_the_clock_of_this_machine() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()
