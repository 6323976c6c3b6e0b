"""Reads of the store on behalf of streams: what many ask for in the same moment is asked once."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from hermes.brokers.base import Broker
from hermes.core.hub import Hub
from hermes.core.log import Page
from hermes.core.recovery import Tip
from hermes.core.retained import Sharing, Snapshot
from hermes.errors import Unavailable
from hermes.streaming.follower import Follower

FLIGHT_TIMEOUT = 5.0
"""Seconds that a stream waits for a snapshot that another one asked for."""

MAX_ITEMS = 1000
"""Names and patterns that one snapshot serves."""


class _Flight:
    """One snapshot that several streams wait for."""

    def __init__(self) -> None:
        self.items: set[str] = set()
        self.done = threading.Event()
        self.snapshot: Snapshot | None = None
        self.error: Exception | None = None


class Store:
    """Pages, tips and snapshots for the streams of one process."""

    def __init__(self, broker: Broker, hub: Hub, follower: Follower) -> None:
        self._broker = broker
        self._hub = hub
        self._follower = follower
        self._lock = threading.Lock()
        self._next: _Flight | None = None
        self._turn = threading.Lock()
        self._sharing = Sharing()

    def tip(self) -> Tip:
        """The store's tip, read once for all that ask; this process follows its epoch when the answer is given."""
        snapshot = self.snapshot(())
        return Tip(snapshot.epoch, snapshot.tip)

    def page(self, after: int, max_events: int, max_bytes: int) -> Page:
        """What follows ``after``: from the tail if it reaches back that far, else from the store.

        A page of an epoch that this process had not begun is answered once it has.
        """
        epoch = self._hub.epoch
        page = self._hub.page(after, max_events, max_bytes)
        if page is None:
            page = self._broker.read(after, max_events, max_bytes)
            if page.epoch != epoch and self._hub.epoch == epoch:
                self._follow(page.epoch)
        return page

    def snapshot(self, items: Iterable[str]) -> Snapshot:
        """The retained state of ``items`` and the tip, read once for all that ask before the read begins.

        It may hold more than was asked for: the reader selects what it sees.
        """
        wanted = set(items)
        with self._lock:
            flight = self._next
            first = flight is None or len(flight.items | wanted) > MAX_ITEMS
            if flight is None or first:
                flight = self._next = _Flight()
            flight.items |= wanted
        if first:
            self._fly(flight)
        elif not flight.done.wait(FLIGHT_TIMEOUT):
            raise Unavailable("the store does not answer; try again")
        if flight.error is not None:
            raise flight.error
        if flight.snapshot is None:
            raise Unavailable("the store did not answer; try again")
        self._follow(flight.snapshot.epoch)
        return flight.snapshot

    def _follow(self, epoch: str) -> None:
        if not self._follower.reach(epoch):
            raise Unavailable("this process is catching up with the store; try again")

    def _fly(self, flight: _Flight) -> None:
        try:
            with self._turn:
                with self._lock:
                    if self._next is flight:
                        self._next = None
                flight.snapshot = self._sharing.shared(self._broker.retained(flight.items))
        except Exception as error:
            flight.error = error
        finally:
            with self._lock:
                if self._next is flight:
                    self._next = None
            flight.done.set()
