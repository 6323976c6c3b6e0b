"""What one process has - broker, hub, streams, sources, keys - and the order in which it starts and ends."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from os import getpid

import structlog
from flask import Blueprint

from hermes.access.access import Access
from hermes.access.guard import Guard
from hermes.access.keys import KeyRing
from hermes.access.limits import Limits
from hermes.access.limits_overview import LimitsOverview
from hermes.access.tokens import Tokens
from hermes.control import Control
from hermes.core.clock import Clock, SystemClock, milliseconds
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.log import Tail
from hermes.core.publisher import Once, Publisher
from hermes.db.database import Database
from hermes.fleet.beat import Beat
from hermes.fleet.company import Company
from hermes.loop import state_lock
from hermes.observe.audit import Audit
from hermes.settings import Settings
from hermes.sources.base import Source, SourceContext
from hermes.sources.connections import ConnectionsSource
from hermes.sources.presence import PresenceSource
from hermes.sources.runner import SourceRunner
from hermes.sources.system import SystemSource
from hermes.stores import open_stores
from hermes.streaming.channels import Channels
from hermes.streaming.connections import Connections
from hermes.streaming.departures import Departures
from hermes.streaming.direct import DirectLane
from hermes.streaming.directory import Directory
from hermes.streaming.dispatcher import Dispatcher
from hermes.streaming.files import streams_that_fit
from hermes.streaming.follower import Follower
from hermes.streaming.listener import Listener
from hermes.streaming.registry import Registry
from hermes.streaming.rounds import Rounds
from hermes.streaming.sockets import SocketRules
from hermes.streaming.store import Store

log = structlog.get_logger(__name__)


class Runtime:
    """One process. Nothing is opened before :meth:`start`, because servers fork after they have loaded the program."""

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, sources: Sequence[Source] | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.node = f"{socket.gethostname()}:{getpid()}-{secrets.token_hex(2)}"
        self.hub = Hub(Tail(settings.tail_size, settings.tail_bytes), self.clock.monotonic, state_lock())
        self.registry = Registry(self.hub, min(settings.max_connections, streams_that_fit()))
        rules = SocketRules(settings.send_buffer, settings.send_timeout)
        self.direct = DirectLane(self.hub, rules, Rounds(self.clock.monotonic), Departures())
        self._internal = Publisher(_LateStore(self), self.clock, internal=True)
        self.control = Control(self._internal)
        url = settings.database_url.get_secret_value() if settings.database_url else None
        self.database = Database(url, settings.data_dir, pool=settings.database_pool)
        self.access = Access(settings, self.database, self.control, self.clock)
        self.audit = Audit(self.database, self.clock, settings.audit_rows)
        self.company = Company(self.node, lambda: self.fleet)
        self.connections = Connections(self.registry, lambda: milliseconds(self.clock.now()), self.access.counts)
        self.presence = PresenceSource()
        own = [SystemSource()] if sources is None else sources
        self.sources: list[Source] = [*own, self.presence, ConnectionsSource()]
        self.blueprints = [blueprint for source in self.sources if (blueprint := self._set_up(source)) is not None]
        self._listen()
        self.started = False
        self._has_fleet = False
        self._starting = threading.Lock()

    def _listen(self) -> None:
        """Let this process's parts hear commands and reports, and answer questions."""
        self.control.on("kick", self.connections.kick)
        self.control.on("revoke", self.access.revoked)
        self.control.on("revoke", self.connections.revoke)
        self.connections.listen(self.company)
        self.company.report(self.connections)
        self.company.report(self.access.limits)

    def lease(self, name: str) -> bool:
        """Whether this process holds the lease ``name`` of the fleet."""
        return self._has_fleet and self.fleet.hold(name)

    def start(self, keep_alive: Callable[[], None] | None = None) -> None:
        """Open the store, fill the tail, then follow, dispatch and run the sources. Idempotent.

        Raises :class:`~hermes.errors.StoreError` or ``Unavailable`` where the store cannot be used. ``keep_alive`` is called
        while this waits for another process to end.
        """
        with self._starting:
            if self.started:
                return
            self.database.open()
            self.broker, self.fleet = open_stores(self.settings, self.database, self.clock, self.node, keep_alive)
            try:
                self._start()
            except BaseException:
                self.fleet.close()
                self.broker.close()
                raise
            self.started = True

    def _start(self) -> None:
        self._has_fleet = True
        self.publisher = Publisher(self.broker, self.clock)
        self.follower = Follower(
            self.broker,
            self.hub,
            self.clock,
            history_age=self.settings.history_ttl,
            tail_size=self.settings.tail_size,
            heard=self.control.hear,
            missed=self.control.missed,
        )
        self.store = Store(self.broker, self.hub, self.follower)
        self.follower.start(lambda: len(self.registry))
        self.access.load()  # behind the tail: what changes from now on is heard
        self.fleet.listen(self.company.answer)
        self.directory = Directory(self.fleet, self.company, self.connections)
        self.channels = Channels(self.hub, self.registry, self.company, self.directory, self.clock)
        self.channels.listen(self.company)
        self.limits_overview = LimitsOverview(self.settings, self.limits, self.company, self.directory)
        self.limits_overview.listen()
        self.beat = Beat(
            self.fleet, self.company.parts, self.connections.take_changes, self.connections.all_records, self.clock
        )
        self.beat.start()
        self.access.start()
        self.audit.start(self.lease)
        self.dispatcher = Dispatcher(self.hub, self.follower.new)
        self.dispatcher.start()
        self.runner = SourceRunner(self.sources, self.hub, self._internal, self.broker.retained, self.lease)
        self.runner.start()

    def _set_up(self, source: Source) -> Blueprint | None:
        return source.setup(
            SourceContext(
                publisher=self._internal,
                settings=self.settings,
                clock=self.clock,
                lease=self.lease,
                streams=lambda: self.follower.fleet_streams,
                log=structlog.get_logger(f"hermes.sources.{source.name}"),
                retained=lambda items: self.broker.retained(items),  # noqa: PLW0108 - there is no broker yet
                observe=self.registry.observe,
                company=self.company,
            )
        )

    @property
    def ready(self) -> bool:
        """Whether the store answers, the feed keeps up and this process is not about to stop."""
        return self.started and not self.registry.draining and self.follower.answering

    def ended(self, listener: Listener) -> None:
        """A stream has ended, whoever ended it. Idempotent."""
        self.registry.remove(listener)
        listener.place.close()

    @property
    def guard(self) -> Guard:
        """Looks at the credentials of each request."""
        return self.access.guard

    @property
    def keys(self) -> KeyRing:
        """The API keys that count."""
        return self.access.keys

    @property
    def tokens(self) -> Tokens:
        """The tokens that count."""
        return self.access.tokens

    @property
    def limits(self) -> Limits:
        """What one caller may have."""
        return self.access.limits

    def drain(self) -> None:
        """End all streams over some seconds; see :meth:`Registry.drain`."""
        spread = min(self.settings.drain_spread, self.settings.graceful_timeout / 2, len(self.registry) / 50)
        self.registry.drain(spread, self.settings.retry)

    def close(self) -> None:
        """Stop everything, in the reverse order of the start; the store is let go last. Idempotent."""
        self.registry.draining = True
        with self._starting:
            if not self.started:
                return
            self.started = False
        self.runner.close()
        self.dispatcher.close()
        self.direct.close()
        self.beat.close()
        self.audit.close()
        self.access.close()
        self.follower.close()
        self.fleet.close()
        self.broker.close()
        self.database.close()


class _LateStore:
    """The broker of a runtime that is not open yet when its sources are set up."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        return self._runtime.broker.publish(events, once, each)
