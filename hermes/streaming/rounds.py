"""The rounds: streams that nothing runs for are visited when something of theirs may be due, by one greenlet for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

STEP = 0.1
"""Seconds between two rounds: nothing is earlier than its time, and nothing later by more than this."""

AFTER_FAILURE = 30.0
"""Seconds to the next visit after one that failed."""

TURN = 0.005
"""Seconds of visits between two yields to everything else."""


class Visited(Protocol):
    """Who can be visited: ``next_round`` is this module's own note of when."""

    next_round: int | None

    def visit(self) -> None:
        """Do what is due. Nothing here may wait. Whoever wants another visit puts itself back."""


class Rounds:
    """Visits, each at most once for the time that it was put down for; a round holds only those that are due in it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._by_round: dict[int, dict[Visited, None]] = {}
        self._done = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def close(self) -> None:
        """Visit nobody any more."""
        self._closed = True

    def put(self, visited: Visited, within: float) -> None:
        """Visit after ``within`` seconds, unless an earlier visit is put down already."""
        due = max(int((self._monotonic() + within) / STEP), self._done) + 1
        if visited.next_round is not None:
            if visited.next_round <= due:
                return
            self.take_out(visited)
        visited.next_round = due
        self._by_round.setdefault(due, {})[visited] = None

    def take_out(self, visited: Visited) -> None:
        """No visit any more. Idempotent."""
        if visited.next_round is None:
            return
        others = self._by_round.get(visited.next_round)
        visited.next_round = None
        if others is not None:
            others.pop(visited, None)

    def go(self) -> None:
        """Visit all whose time has come."""
        now = int(self._monotonic() / STEP)
        while self._done < now:
            self._done += 1
            self._visit_all(self._by_round.get(self._done, {}))
            self._by_round.pop(self._done, None)

    def _visit_all(self, due: dict[Visited, None]) -> None:
        turn_ends = self._monotonic() + TURN
        while due:
            visited, _ = due.popitem()
            visited.next_round = None
            try:
                visited.visit()
            except Exception:
                log.exception("the visit of a stream failed")
                self.put(visited, AFTER_FAILURE)
            if self._monotonic() >= turn_ends:
                time.sleep(0)
                turn_ends = self._monotonic() + TURN

    def start(self) -> None:
        """Begin, with the first stream. Idempotent."""
        if self._thread is not None:
            return
        self._done = int(self._monotonic() / STEP)
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            time.sleep(STEP)
            self.go()
