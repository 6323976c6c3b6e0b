"""The live source ``data:system``: what this machine is doing. Also the example of how a source is written."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

import psutil
from flask import Blueprint

from hermes.core.clock import iso_time, milliseconds
from hermes.errors import HermesError
from hermes.sources.base import SourceContext, State

CHANNEL = "data:system"
TYPE = "data_update"
KEY = "system"


class SystemSource:
    """CPU, memory, disk, network, load and open streams, every ``HERMES_SYSTEM_INTERVAL`` seconds."""

    name = "system"
    channels: tuple[str, ...] = (CHANNEL,)

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system", daemon=True)
        self._former: tuple[float, int, int] | None = None

    def setup(self, context: SourceContext) -> Blueprint | None:
        """See :class:`~hermes.sources.base.Source`."""
        self._context = context
        psutil.cpu_percent()  # the first call only begins the measurement
        return None

    def start(self) -> None:
        """See :class:`~hermes.sources.base.Source`."""
        if self._context.settings.system_interval > 0:
            self._thread.start()

    def stop(self) -> None:
        """See :class:`~hermes.sources.base.Source`."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def state(self, channel: str) -> Iterable[State]:
        """The newest sample is the whole state."""
        if channel == CHANNEL and self._context.settings.system_interval > 0:
            yield State(TYPE, KEY, self._payload())

    def _run(self) -> None:
        while not self._closed.wait(self._context.settings.system_interval):
            if not self._context.lease(self.name):
                continue
            try:
                self._context.publisher.publish(CHANNEL, self._payload(), type=TYPE, key=KEY)
            except HermesError as error:
                self._context.log.debug("sample not published", error=str(error))
            except Exception:
                self._context.log.exception("sample failed")

    def _payload(self) -> dict[str, Any]:
        timestamp = iso_time(milliseconds(self._context.clock.now()))
        return {"source_id": self.name, "timestamp": timestamp, "data": self._sample()}

    def _sample(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        received, sent = self._network_rates()
        return {
            "cpu_percent": psutil.cpu_percent(),
            "memory_percent": memory.percent,
            "memory_used_bytes": memory.used,
            "disk_usage": psutil.disk_usage(str(self._context.settings.data_dir)).percent,
            "network_received_bytes_per_second": received,
            "network_sent_bytes_per_second": sent,
            "load_1": round(os.getloadavg()[0], 2),
            "active_connections": self._context.streams(),
        }

    def _network_rates(self) -> tuple[float, float]:
        counters, now = psutil.net_io_counters(), self._context.clock.monotonic()
        former, self._former = self._former, (now, counters.bytes_recv, counters.bytes_sent)
        if former is None or now <= former[0]:
            return 0.0, 0.0
        seconds = now - former[0]
        return round((counters.bytes_recv - former[1]) / seconds, 1), round(
            (counters.bytes_sent - former[2]) / seconds, 1
        )
