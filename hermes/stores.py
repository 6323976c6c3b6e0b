"""Opens what the settings ask for: the broker of the events, and the fleet that goes with it."""

from __future__ import annotations

from collections.abc import Callable

from hermes.brokers.base import Bounds, Broker
from hermes.core.clock import Clock
from hermes.db.database import Database
from hermes.db.folder import check_folder
from hermes.fleet.alone import Alone
from hermes.fleet.base import Fleet
from hermes.settings import Settings

LOCK_WAIT = 60.0
"""Seconds that a new process waits for the old one to let go of the embedded store (a reload)."""


def open_stores(
    settings: Settings, database: Database, clock: Clock, node: str, keep_alive: Callable[[], None] | None
) -> tuple[Broker, Fleet]:
    """The broker and the fleet of the process ``node``; ``keep_alive`` is called while this waits for another to end.

    Raises :class:`~hermes.errors.StoreError` or ``Unavailable``; then nothing is left open but ``database``.
    """
    bounds = Bounds(settings.log_size, settings.log_bytes, settings.history_size, settings.history_ttl)
    if settings.store_url is not None:
        return _on_redis(settings, settings.store_url, bounds, database, clock, node)
    from hermes.brokers.embedded import EmbeddedBroker

    embedded = EmbeddedBroker(settings.data_dir, clock=clock, bounds=bounds)
    embedded.open(LOCK_WAIT, keep_alive)
    return embedded, Alone(node)


def _on_redis(
    settings: Settings, url: str, bounds: Bounds, database: Database, clock: Clock, node: str
) -> tuple[Broker, Fleet]:
    from hermes.brokers.redis import RedisBroker
    from hermes.fleet.redis import RedisFleet

    broker = RedisBroker(url, prefix=settings.redis_prefix, clock=clock, bounds=bounds, node=node)
    try:
        check_folder(database, lambda id: broker.claim("folder", id))
    except BaseException:
        broker.close()
        raise
    return broker, RedisFleet(broker, node, clock)
