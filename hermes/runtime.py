"""What one process has - broker, hub, streams, sources, keys - and the order in which it starts and ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from os import getpid

import structlog
from flask import Blueprint

from hermes.access.guard import Guard
from hermes.access.keys import ApiKeys
from hermes.access.signin import SignIn
from hermes.brokers.base import Bounds, Broker
from hermes.core.clock import Clock, SystemClock
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.log import Tail
from hermes.core.publisher import Once, Publisher
from hermes.loop import state_lock
from hermes.settings import Settings
from hermes.sources.base import Source, SourceContext
from hermes.sources.runner import SourceRunner
from hermes.sources.system import SystemSource
from hermes.streaming.departures import Departures
from hermes.streaming.direct import DirectLane
from hermes.streaming.dispatcher import Dispatcher
from hermes.streaming.files import streams_that_fit
from hermes.streaming.follower import Follower
from hermes.streaming.registry import Registry
from hermes.streaming.rounds import Rounds
from hermes.streaming.sockets import SocketRules
from hermes.streaming.store import Store

log = structlog.get_logger(__name__)

LOCK_WAIT = 60.0
"""Seconds that a new process waits for the old one to let go of the embedded store (a reload)."""


class Runtime:
    """One process. Nothing is opened before :meth:`start`, because servers fork after they have loaded the program."""

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, sources: Sequence[Source] | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.node = f"{socket.gethostname()}:{getpid()}"
        self.hub = Hub(Tail(settings.tail_size, settings.tail_bytes), self.clock.monotonic, state_lock())
        self.registry = Registry(self.hub, min(settings.max_connections, streams_that_fit()))
        rules = SocketRules(settings.send_buffer, settings.send_timeout)
        self.direct = DirectLane(self.hub, rules, Rounds(self.clock.monotonic), Departures())
        self.guard = Guard(ApiKeys.of(settings), SignIn(settings.data_dir, self.clock), settings.public_channels)
        self.sources: list[Source] = list(sources) if sources is not None else [SystemSource()]
        self._internal = Publisher(_LateStore(self), self.clock, internal=True)
        self.blueprints = [blueprint for source in self.sources if (blueprint := self._set_up(source)) is not None]
        self.started = False
        self._starting = threading.Lock()
        self._lease: Callable[[str], bool] = _refuse

    def lease(self, name: str) -> bool:
        """Whether this process holds the lease ``name`` of the fleet."""
        return self._lease(name)

    def start(self, keep_alive: Callable[[], None] | None = None) -> None:
        """Open the store, fill the tail, then follow, dispatch and run the sources. Idempotent.

        Raises :class:`~hermes.errors.StoreError` or ``Unavailable`` where the store cannot be used. ``keep_alive`` is called
        while this waits for another process to end.
        """
        with self._starting:
            if self.started:
                return
            self.broker, self._lease = open_broker(self.settings, self.clock, self.node, keep_alive)
            self.publisher = Publisher(self.broker, self.clock)
            self.follower = Follower(
                self.broker,
                self.hub,
                self.clock,
                history_age=self.settings.history_ttl,
                tail_size=self.settings.tail_size,
            )
            self.store = Store(self.broker, self.hub, self.follower)
            self.follower.start(lambda: len(self.registry))
            self.dispatcher = Dispatcher(self.hub, self.follower.new)
            self.dispatcher.start()
            self.runner = SourceRunner(self.sources, self.hub, self._internal, self.broker.retained, self.lease)
            self.runner.start()
            self.started = True

    def _set_up(self, source: Source) -> Blueprint | None:
        return source.setup(
            SourceContext(
                publisher=self._internal,
                settings=self.settings,
                clock=self.clock,
                lease=self.lease,
                streams=lambda: self.follower.fleet_streams,
                log=structlog.get_logger(f"hermes.sources.{source.name}"),
            )
        )

    @property
    def ready(self) -> bool:
        """Whether the store answers, the feed keeps up and this process is not about to stop."""
        return self.started and not self.registry.draining and self.follower.answering

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
        self.follower.close()
        self.dispatcher.close()
        self.direct.close()
        self.broker.close()


class _LateStore:
    """The broker of a runtime that is not open yet when its sources are set up."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        return self._runtime.broker.publish(events, once, each)


def open_broker(
    settings: Settings, clock: Clock, node: str, keep_alive: Callable[[], None] | None
) -> tuple[Broker, Callable[[str], bool]]:
    """The broker that the settings ask for, opened, and how this process gets leases there."""
    bounds = Bounds(settings.log_size, settings.log_bytes, settings.history_size, settings.history_ttl)
    if settings.store_url is not None:
        from hermes.brokers.redis import RedisBroker

        broker = RedisBroker(settings.store_url, prefix=settings.redis_prefix, clock=clock, bounds=bounds, node=node)
        return broker, broker.hold
    from hermes.brokers.embedded import EmbeddedBroker

    embedded = EmbeddedBroker(settings.data_dir, clock=clock, bounds=bounds)
    embedded.open(LOCK_WAIT, keep_alive)
    return embedded, _grant


def _grant(_name: str) -> bool:
    """The embedded store has one owner: it holds every lease."""
    return True


def _refuse(_name: str) -> bool:
    return False
