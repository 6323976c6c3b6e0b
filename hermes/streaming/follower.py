"""Keeps this process's hub at the store's tip: takes the feed, notices what it missed, and heals from the log.

The feed is taken only where it continues the log by one. Anything else - a gap, a broken link, a tip that stays ahead -
is read from the store. What cannot be healed completely moves the hub to the tip and leaves each stream to recover by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from hermes.brokers.base import Broker
from hermes.core.clock import Clock, milliseconds
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.recovery import Tip
from hermes.errors import Unavailable

log = structlog.get_logger(__name__)

PAGE_EVENTS = 1000
PAGE_BYTES = 1024 * 1024
TIP_INTERVAL = 1.0
"""Seconds between looks at the store's tip."""
STALE_AFTER = 2.5
"""Seconds without an answer of the store after which this process is not ready."""
RETRY_PAUSE = 0.25
REACH_TIMEOUT = 5.0
"""Seconds that a stream waits for this process to follow the epoch that the store already has."""


def _nothing_heard(_events: Sequence[Event]) -> None:
    return None


def _nothing_missed() -> None:
    return None


class Follower:
    """The reader of one broker's feed, and the only writer of the hub's tail.

    ``heard`` is told what continues the log here before any stream gets it, ``missed`` that something was not heard. Neither may
    block.
    """

    def __init__(
        self,
        broker: Broker,
        hub: Hub,
        clock: Clock,
        *,
        history_age: float,
        tail_size: int,
        heard: Callable[[Sequence[Event]], None] = _nothing_heard,
        missed: Callable[[], None] = _nothing_missed,
    ) -> None:
        self._broker = broker
        self._hub = hub
        self._clock = clock
        self._streams: Callable[[], int] = _none
        self._history_age = history_age
        self._tail_size = tail_size
        self._heard_events = heard
        self._missed_events = missed
        self.new = threading.Event()
        """Set when there is something to dispatch."""
        self.fleet_streams = 0
        self.heals = 0
        self.resets = 0
        self._heal_wanted = threading.Event()
        self._moved = threading.Condition()
        self._heard = 0
        self._former_tip = Tip("", 0)
        self._answered_at = float("-inf")
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    # Life

    def start(self, streams: Callable[[], int]) -> None:
        """Fill the tail from the store, so that reconnects need none of it, and follow from there.

        ``streams`` counts this process's open streams, for the fleet to know.
        """
        self._streams = streams
        tip = self._broker.tip()
        self._hub.begin(tip.epoch, max(0, tip.number - self._tail_size))
        self._broker.feed(self)
        while self._hub.last < tip.number and self._fill():
            pass
        self._answered_at = self._clock.monotonic()
        for work in (self._heal_loop, self._tip_loop):
            thread = threading.Thread(target=work, name=work.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _fill(self) -> bool:
        page = self._broker.read(self._hub.last, PAGE_EVENTS, PAGE_BYTES)
        with self._hub.lock:
            if page.epoch != self._hub.epoch:
                self._heal_wanted.set()
                return False
            if page.floor > self._hub.last:
                self._hub.begin(page.epoch, page.floor)
            elif page.after == self._hub.last:
                self._hub.append(page.events, page.last, page.floors)
        return True

    def close(self) -> None:
        """Stop following."""
        self._closed.set()
        self._heal_wanted.set()
        for thread in self._threads:
            thread.join(timeout=2)

    @property
    def answering(self) -> bool:
        """Whether the store answered lately and the feed keeps up."""
        return self._clock.monotonic() - self._answered_at < STALE_AFTER

    # The feed

    def accept(self, epoch: str, first: int, events: Sequence[Event]) -> None:
        """Take events that continue the log; see :class:`~hermes.brokers.base.Feed`."""
        last = first + len(events) - 1
        with self._hub.lock:
            here = self._hub.last
            if epoch == self._hub.epoch and first <= here + 1:
                if last <= here:
                    return
                self._append(events[here + 1 - first :], last)
                self.new.set()
                return
        self.announce(epoch, last)

    def _append(self, events: Sequence[Event], last: int) -> None:
        self._heard_events(events)
        self._hub.append(events, last)

    def announce(self, epoch: str, number: int) -> None:
        """Read the log: it has reached ``number``, or the link was broken."""
        if epoch == self._hub.epoch:
            self._heard = max(self._heard, number)
        self._heal_wanted.set()

    # Healing

    def _heal_loop(self) -> None:
        while not self._closed.is_set():
            self._heal_wanted.wait()
            if self._closed.is_set():
                return
            self._heal_wanted.clear()
            try:
                self._heal()
            except Unavailable:
                self._closed.wait(RETRY_PAUSE)
                self._heal_wanted.set()
            except Exception:
                log.exception("heal failed")
                self._closed.wait(1)
                self._heal_wanted.set()

    def _heal(self) -> None:
        self.heals += 1
        while not self._closed.is_set():
            after, epoch = self._hub.last, self._hub.epoch
            page = self._broker.read(after, PAGE_EVENTS, PAGE_BYTES)
            with self._hub.lock:
                if self._hub.last != after or self._hub.epoch != epoch:
                    continue
                if page.epoch != epoch:
                    self._begin(page.epoch, 0)
                    continue
                if page.floor > after or page.floors:
                    self._begin(epoch, page.tip)
                else:
                    self._append(page.events, page.last)
            self._tell_moved()
            if self._hub.last >= max(page.tip, self._heard):
                return

    def _begin(self, epoch: str, number: int) -> None:
        log.warning("the log does not continue here", epoch=epoch, number=number, former=self._hub.last)
        self.resets += 1
        self._heard = 0
        self._missed_events()
        self._hub.begin(epoch, number)
        self._tell_moved()

    def _tell_moved(self) -> None:
        self.new.set()
        with self._moved:
            self._moved.notify_all()

    def reach(self, epoch: str, timeout: float = REACH_TIMEOUT) -> bool:
        """Wait until this process follows ``epoch``; ``False`` after ``timeout`` seconds."""
        if self._hub.epoch == epoch:
            return True
        self._heal_wanted.set()
        with self._moved:
            return bool(self._moved.wait_for(lambda: self._hub.epoch == epoch, timeout))

    # The tip

    def _tip_loop(self) -> None:
        while not self._closed.wait(TIP_INTERVAL):
            try:
                self._compare(self._broker.tip(self._streams()))
            except Unavailable as error:
                log.debug("no tip", error=str(error))
            except Exception:
                log.exception("tip failed")

    def _compare(self, tip: Tip) -> None:
        """A tip that was ahead of this process a second ago and still is means that the feed lost something."""
        self._answered_at = self._clock.monotonic()
        self.fleet_streams = tip.streams
        behind = self._former_tip.epoch == self._hub.epoch and self._hub.last < self._former_tip.number
        if behind or tip.epoch != self._hub.epoch:
            self._heal_wanted.set()
        self._former_tip = tip
        self._hub.expire(milliseconds(self._clock.now() - self._history_age))


def _none() -> int:
    return 0
