"""Joins and leaves of clients as a source: ``hermes:connections``, at most one frame of each a second, while somebody watches."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from flask import Blueprint

from hermes.core.clock import iso_time, milliseconds
from hermes.errors import HermesError
from hermes.sources.base import SourceContext, State, Subscriber

CHANNEL = "hermes:connections"
CONNECTED, DISCONNECTED = "client_connected", "client_disconnected"

INTERVAL = 1.0
"""Seconds between two frames."""

MOST_CLIENTS = 100
MOST_BYTES = 32_768
"""Clients that one frame names, and the bytes that this may take; the others are counted."""

WATCHED = b"1"


class _Batch:
    """The clients of one frame, each encoded once."""

    def __init__(self) -> None:
        self.count = 0
        self.clients: list[orjson.Fragment] = []
        self._size = 0

    def add(self, client: Mapping[str, Any]) -> None:
        self.count += 1
        if len(self.clients) == MOST_CLIENTS:
            return
        encoded = orjson.dumps(client)
        if self._size + len(encoded) <= MOST_BYTES:
            self._size += len(encoded)
            self.clients.append(orjson.Fragment(encoded))


class ConnectionsSource:
    """Observes the streams of its process; each process tells of its own.

    It is a part of the process, too, which reports whether anybody watches here: what happens anywhere is told while somebody
    watches anywhere.
    """

    name = "connections_watch"
    channels: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers = 0
        self._watched_elsewhere = False
        self._batches = {CONNECTED: _Batch(), DISCONNECTED: _Batch()}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)

    def setup(self, context: SourceContext) -> Blueprint | None:
        """See :class:`~hermes.sources.base.Source`."""
        self._context = context
        context.observe(self)
        context.company.report(self)
        return None

    def start(self) -> None:
        """See :class:`~hermes.sources.base.Source`."""
        self._thread.start()

    def stop(self) -> None:
        """See :class:`~hermes.sources.base.Source`."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def state(self, _channel: str) -> Iterable[State]:
        """Nothing is retained: ``GET /api/v1/connections`` says who is there."""
        return ()

    # The streams of this process

    def opened(self, subscriber: Subscriber) -> None:
        """See :class:`~hermes.sources.base.Observer`."""
        with self._lock:
            self._watchers += subscriber.subscription.covers(CHANNEL)
            if self._is_watched:
                self._batches[CONNECTED].add(self._client(subscriber))

    def closed(self, subscriber: Subscriber) -> None:
        """See :class:`~hermes.sources.base.Observer`."""
        with self._lock:
            self._watchers -= subscriber.subscription.covers(CHANNEL)
            if self._is_watched:
                client = {**self._client(subscriber), "reason": subscriber.close_reason or "gone"}
                self._batches[DISCONNECTED].add(client)

    def _client(self, subscriber: Subscriber) -> dict[str, Any]:
        bearer = subscriber.bearer
        return {
            "connection_id": subscriber.connection_id,
            "user_id": bearer.user_id,
            "principal": bearer.principal_id,
            "address": bearer.address,
            "node": self._context.company.node,
        }

    @property
    def _is_watched(self) -> bool:
        return self._watchers > 0 or self._watched_elsewhere

    def report(self) -> bytes:
        """See :class:`~hermes.fleet.base.Part`."""
        return WATCHED if self._watchers else b""

    def hear(self, reports: Mapping[str, bytes]) -> None:
        """See :class:`~hermes.fleet.base.Part`."""
        self._watched_elsewhere = any(report == WATCHED for report in reports.values())

    # Telling

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            try:
                self.step()
            except HermesError as error:
                self._context.log.debug("connections not told", error=str(error))
            except Exception:
                self._context.log.exception("connections failed")

    def step(self) -> None:
        """Publish what has come together. What cannot be stored is not told again: it is about one moment."""
        with self._lock:
            batches, self._batches = self._batches, {CONNECTED: _Batch(), DISCONNECTED: _Batch()}
        timestamp = iso_time(milliseconds(self._context.clock.now()))
        events = [
            {
                "channel": CHANNEL,
                "type": type,
                "data": {"timestamp": timestamp, "count": batch.count, "clients": batch.clients},
            }
            for type, batch in batches.items()
            if batch.count
        ]
        if events:
            self._context.publisher.publish_batch(events)
