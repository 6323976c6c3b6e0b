"""Time as a value that is passed in, so that tests own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """What the parts of Hermes ask when they need the time."""

    def now(self) -> float:
        """Seconds since 1970 by the wall clock; may jump."""

    def monotonic(self) -> float:
        """Seconds from an unknown start; never goes back. Deadlines use this one."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """See :class:`Clock`."""
        return time.time()

    def monotonic(self) -> float:
        """See :class:`Clock`."""
        return time.monotonic()


def milliseconds(seconds: float) -> int:
    """Seconds since 1970 as whole milliseconds, the form that events carry."""
    return int(seconds * 1000)


def iso_time(ms: int) -> str:
    """Milliseconds since 1970 as UTC ISO 8601 with milliseconds and ``Z``."""
    seconds, rest = divmod(ms, 1000)
    return f"{_iso_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=64)
def _iso_second(seconds: int) -> str:
    """Written out once a second, not once for every heartbeat of every stream."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
