"""Waiting for a condition with a deadline: the one place in the tests that pauses between two looks."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.02  # seconds between two looks


class WaitTimeout(AssertionError):
    """The condition did not hold in time."""


def wait_until(condition: Callable[[], T], timeout: float = 10.0, message: str | Callable[[], str] = "") -> T:
    """Returns the first true value of `condition`, looked at again and again for `timeout` seconds.

    `message` says what was waited for; a callable is asked only when it failed, so that it can show the state by then.
    Raises `WaitTimeout`.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            what = message() if callable(message) else message
            raise WaitTimeout(f"not within {timeout:g} s: {what or condition}")
        time.sleep(PAUSE)
