"""The one greenlet that writes what is new to the live streams, and yields to everything else every few milliseconds."""

from __future__ import annotations

import threading
import time

import structlog

from hermes.core.hub import Hub

log = structlog.get_logger(__name__)

TURN = 0.005
"""Seconds of dispatch between two yields: 20,000 sockets would otherwise hold the event loop for 0.1 s (measured)."""


class Dispatcher:
    """Waits for ``new`` and runs the hub's dispatch."""

    def __init__(self, hub: Hub, new: threading.Event) -> None:
        self._hub = hub
        self._new = new
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin to dispatch."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the present turn."""
        self._closed = True
        self._new.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._closed:
            self._new.wait()
            self._new.clear()
            try:
                self._dispatch()
            except Exception:
                # Each stream then reads for itself, and only the one that cannot be served ends.
                log.exception("dispatch failed")
                self._hub.leave_to_streams()

    def _dispatch(self) -> None:
        turn_ends = time.monotonic() + TURN
        for _ in self._hub.dispatch():
            if time.monotonic() >= turn_ends:
                time.sleep(0)
                turn_ends = time.monotonic() + TURN
