"""The beat of a process: once a second its parts report, the fleet is told, and what the others told is handed to the parts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import structlog

from hermes.core.clock import Clock
from hermes.errors import Unavailable
from hermes.fleet.base import SILENCE, Changes, Fleet, Part

INTERVAL = 1.0
"""Seconds between two exchanges, more or less by a tenth: the processes of a fleet shall not ask all at once."""

MOST_TOLD = 5000
"""Changes of records that are told in one exchange; the others wait for the next."""

MOST_KEPT = 20_000
"""Changes that are kept while nobody takes them. Beyond that all there is will be told, and nothing is kept until then."""

log = structlog.get_logger(__name__)


class Beat:
    """Tells the fleet what is true of this process, and its parts what is true of the others.

    ``records`` gives what has changed since it was last called, ``records_all`` all there is. What could not be told is told
    again; after the store lost it, all of it is. While the store is away the parts go on with what they heard last, for as
    long as the fleet itself would believe it.
    """

    def __init__(
        self,
        fleet: Fleet,
        parts: Sequence[Part],
        records: Callable[[], Changes],
        records_all: Callable[[], Mapping[str, bytes]],
        clock: Clock,
    ) -> None:
        self._fleet = fleet
        self._parts = tuple(parts)
        self._records = records
        self._records_all = records_all
        self._clock = clock
        self._waiting: dict[str, bytes | None] = {}
        self._most_waiting = MOST_KEPT
        self._anew = False
        self._heard_at: float | None = None
        self._failing = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-beat", daemon=True)
        self.nodes: tuple[str, ...] = ()
        """The other processes, as far as they are heard of."""

    def start(self) -> None:
        """Beat once, so that this process knows of the others before it accepts, and go on."""
        self.beat()
        self._thread.start()

    def close(self) -> None:
        """Stop; what this process told is the fleet's to forget."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL * random.uniform(0.9, 1.1)):
            self.beat()

    def beat(self) -> None:
        """Tell and hear once. Raises nothing."""
        try:
            self._exchange()
        except Exception as error:
            self._fail(error)
        else:
            self._failing = False

    def _exchange(self) -> None:
        self._collect()
        reports = self._reports()
        if self._anew:
            # Raises while the store is away, before everything is put together for it.
            self._fleet.exchange(reports, {})
            self._waiting = dict(self._records_all())
            self._most_waiting = MOST_KEPT + len(self._waiting)
        now_told = dict(islice(self._waiting.items(), MOST_TOLD))
        heard = self._fleet.exchange(reports, now_told, anew=self._anew)
        for id in now_told:
            del self._waiting[id]
        self._anew = heard.forgotten
        self._heard_at = self._clock.monotonic()
        self.nodes = tuple(sorted(heard.reports))
        for part in self._parts:
            _hand_over(part, {node: its[part.name] for node, its in heard.reports.items() if part.name in its})

    def _collect(self) -> None:
        """Take what has changed, to be told; nothing of it where all there is will be told."""
        self._waiting |= self._records()
        if self._anew or len(self._waiting) > self._most_waiting:
            self._anew = True
            self._waiting.clear()

    def _reports(self) -> dict[str, bytes]:
        reports = {}
        for part in self._parts:
            try:
                reports[part.name] = part.report()
            except Exception:
                log.exception("a part of the process has no report", part=part.name)
        return reports

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):
            log.error("the exchange with the fleet failed", exc_info=error)
        elif not self._failing:
            log.warning("the fleet is not heard", error=str(error))
        self._failing = True
        if self._heard_at is not None and self._clock.monotonic() - self._heard_at > SILENCE:
            self._heard_at = None
            self.nodes = ()
            for part in self._parts:
                _hand_over(part, {})


def _hand_over(part: Part, reports: Mapping[str, bytes]) -> None:
    try:
        part.hear(reports)
    except Exception:
        log.exception("a part of the process cannot read the reports", part=part.name)
