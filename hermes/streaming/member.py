"""A stream's end of the hub. This one is never live: the hub wakes it, and it reads by itself (portable lane, long polls)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hermes.core.hub import Group, Hub
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription


def nothing_taken(_data: bytes | memoryview) -> int:
    """Take nothing: the hub then leaves a stream behind."""
    return 0


class Waiter:
    """Parks at the hub until something for its subscription arrives."""

    __slots__ = (
        "__weakref__",
        "_awake",
        "chunked",
        "group",
        "ids",
        "position",
        "subscription",
        "touched",
        "woken",
        "write",
    )

    def __init__(self, subscription: Subscription, position: Position, ids: tuple[str, ...], now: float) -> None:
        self.subscription = subscription
        self.position = position
        self.ids = ids
        self.chunked = False
        self.touched = now
        self.group: Group | None = None
        self.woken = False
        """Something happened since it last stopped waiting."""
        self._awake: threading.Event | None = None
        self.write: Callable[[bytes | memoryview], int] = nothing_taken

    def owe(self, _rest: memoryview) -> None:
        """Never asked: nothing is ever taken in part."""
        raise AssertionError("a stream that takes nothing owes nothing")

    def wake(self) -> None:
        """Let :meth:`wait` return."""
        self.woken = True
        if self._awake is not None:
            self._awake.set()

    def wait(self, hub: Hub, timeout: float, *, live: bool) -> None:
        """Wait, parked at ``hub``, until woken or for ``timeout`` seconds; returns at once where there is more to read."""
        if not self.woken:
            if not hub.park(self, live=live):
                return
            self._sleep(timeout)
            hub.unpark(self)
        self.woken = False

    def pause(self, timeout: float) -> None:
        """Wait for ``timeout`` seconds, or less if woken, without parking: the store is away."""
        self._sleep(timeout)
        self.woken = False

    def _sleep(self, timeout: float) -> None:
        # Made when it is first needed: a stream of the direct lane hardly ever does.
        awake = self._awake = self._awake or threading.Event()
        if not self.woken:
            awake.wait(timeout)
        awake.clear()
