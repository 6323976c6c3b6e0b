"""A thread that keeps something up to date: at once when it is told of a change, and every few seconds besides."""

from __future__ import annotations

import threading
from collections.abc import Callable

RETRY_PAUSE = 1.0
"""Seconds until the next round after one that failed."""


class Keeper:
    """Calls ``keep_up`` again and again; it answers ``False`` where it failed, and must not raise."""

    def __init__(self, name: str, keep_up: Callable[[], bool], interval: float) -> None:
        self._name = name
        self._keep_up = keep_up
        self._interval = interval
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin: the first round is after ``interval`` seconds, or when :meth:`wake` is called."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Go on at once. Does not block."""
        self._wake.set()

    def close(self) -> None:
        """Stop. Idempotent."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None

    def _run(self) -> None:
        pause = self._interval
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            if self._closed:
                return
            pause = self._interval if self._keep_up() else RETRY_PAUSE
