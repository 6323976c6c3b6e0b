"""Presence as a source: each process keeps the roll of its own streams, and the one with the lease tells for all of them.

What a process reports every second is only the version of its roll: the teller asks for what changed. So ten thousand users who
stay cost nothing, and one who comes costs a line.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping

from flask import Blueprint

from hermes.core.presence import PresenceChannels, may_be_told
from hermes.core.roll import Changes, Known, Roll
from hermes.errors import HermesError
from hermes.loop import state_lock
from hermes.sources.base import SourceContext, State, Subscriber
from hermes.sources.presence_teller import Report, Teller

INTERVAL = 1.0
"""Seconds between two comparisons."""


class PresenceSource:
    """Who is on the channels of ``HERMES_PRESENCE_CHANNELS``: ``presence_join`` and ``presence_leave`` on ``presence:<channel>``.

    It is also the part of this process that reports to the fleet, and the observer of its streams.
    """

    name = "presence"
    channels: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._roll = Roll(secrets.token_hex(8))
        self._lock = state_lock()
        self._reports: Mapping[str, Report] = {}
        self._teller: Teller | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def setup(self, context: SourceContext) -> Blueprint | None:
        """See :class:`~hermes.sources.base.Source`."""
        self._context = context
        self._channels = PresenceChannels(context.settings.presence_channels)
        if self._channels:
            context.observe(self)
            context.company.report(self)
            context.company.on(self.name, self._answer)
        return None

    def start(self) -> None:
        """See :class:`~hermes.sources.base.Source`."""
        if self._channels:
            self._thread.start()

    def stop(self) -> None:
        """See :class:`~hermes.sources.base.Source`."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def state(self, _channel: str) -> Iterable[State]:
        """Nothing: only differences from what the store retains are told, after a new epoch too."""
        return ()

    # The roll of this process

    def opened(self, subscriber: Subscriber) -> None:
        """See :class:`~hermes.sources.base.Observer`."""
        place = self._place(subscriber)
        if place is not None:
            with self._lock:
                self._roll.come(*place)

    def closed(self, subscriber: Subscriber) -> None:
        """See :class:`~hermes.sources.base.Observer`."""
        place = self._place(subscriber)
        if place is not None:
            with self._lock:
                self._roll.go(*place)

    def _place(self, subscriber: Subscriber) -> tuple[str, list[str]] | None:
        """Whose the stream is and where that user is; ``None`` where the stream is nobody or nowhere."""
        user, subscription = subscriber.bearer.user_id, subscriber.subscription
        if user is None or not may_be_told(user):
            return None
        channels = [name for name in subscription.exact if name in self._channels and subscription.covers(name)]
        return (user, channels) if channels else None

    def report(self) -> bytes:
        """See :class:`~hermes.fleet.base.Part`."""
        full = self._teller.full if self._teller is not None else {}
        return Report(self._roll.life, self._roll.version, full).encode()

    def hear(self, reports: Mapping[str, bytes]) -> None:
        """See :class:`~hermes.fleet.base.Part`."""
        self._reports = {node: Report.decode(report) for node, report in reports.items()}

    def _answer(self, question: bytes) -> bytes:
        return self._since(Known.decode(question)).encode()

    def _since(self, known: Known) -> Changes:
        with self._lock:
            return self._roll.since(known)

    # What others want to know

    def is_on(self, channel: str) -> bool:
        """Whether ``channel`` has presence."""
        return channel in self._channels

    def count(self, channel: str, told: int) -> int:
        """How many users are on ``channel``, of whom ``told`` are told: beyond a bound they are only counted."""
        counted = [report.full.get(channel, 0) for report in self._reports.values()]
        own = self._teller.full.get(channel, 0) if self._teller is not None else 0
        return max(told, own, *counted)

    # Telling

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            try:
                self.step()
            except HermesError as error:
                self._context.log.debug("presence not told", error=str(error))
            except Exception:
                self._context.log.exception("presence failed")

    def step(self) -> None:
        """One comparison, where this process holds the lease. Raises :class:`~hermes.errors.Unavailable`."""
        if not self._context.lease(self.name):
            self._teller = None
            return
        if self._teller is None:
            self._teller = Teller(self._context, self.name, self._since)
        self._teller.follow(self._reports)
        moves = self._teller.due()
        if not moves:
            return
        if self._context.lease(self.name):  # asking the others may have taken longer than it lasts
            self._teller.tell(moves)
        else:
            self._teller = None
