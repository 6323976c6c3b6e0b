"""Starts the sources, and gives their channels back their retained state at start and after each new epoch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

import structlog

from hermes.core.hub import Hub
from hermes.core.presence import REMOVED
from hermes.core.publisher import MAX_BATCH, Publisher
from hermes.core.retained import Snapshot
from hermes.errors import HermesError
from hermes.sources.base import Source

log = structlog.get_logger(__name__)

LOOK_INTERVAL = 0.5
"""Seconds between looks for a new epoch."""


class SourceRunner:
    """Runs the sources of one process; one process of the fleet, by lease, speaks for each."""

    def __init__(
        self,
        sources: Sequence[Source],
        hub: Hub,
        publisher: Publisher,
        retained: Callable[[Collection[str]], Snapshot],
        lease: Callable[[str], bool],
    ) -> None:
        self._sources = sources
        self._hub = hub
        self._publisher = publisher
        self._retained = retained
        self._lease = lease
        self._stated: dict[str, str] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sources", daemon=True)

    def start(self) -> None:
        """Start every source, and watch for new epochs."""
        for source in self._sources:
            source.start()
        self._thread.start()

    def close(self) -> None:
        """Stop every source, the last one first."""
        self._closed.set()
        for source in reversed(self._sources):
            source.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._closed.is_set():
            for source in self._sources:
                try:
                    self._state_once(source)
                except HermesError as error:
                    log.warning("state not published", source=source.name, error=str(error))
                except Exception:
                    log.exception("state failed", source=source.name)
            self._closed.wait(LOOK_INTERVAL)

    def _state_once(self, source: Source) -> None:
        """Publish the state of ``source`` if this process has not yet done so in this epoch, or since it got the lease."""
        if not source.channels:
            return
        if not self._lease(source.name):
            self._stated.pop(source.name, None)
            return
        epoch = self._hub.epoch
        if self._stated.get(source.name) == epoch:
            return
        for channel in source.channels:
            self._replace(source, channel)
        self._stated[source.name] = epoch

    def _replace(self, source: Source, channel: str) -> None:
        states = list(source.state(channel))
        keys = {state.key for state in states}
        batch = [{"channel": channel, "type": state.type, "key": state.key, "data": state.data} for state in states]
        batch += [
            {"channel": channel, "type": REMOVED, "key": entry.event.key, "data": None}
            for entry in self._retained([channel]).entries
            if entry.event.key not in keys
        ]
        for begin in range(0, len(batch), MAX_BATCH):
            self._publisher.publish_batch(batch[begin : begin + MAX_BATCH])
