"""The broker on Redis: one Lua script for each of its calls, and one feed for the whole process.

Each script is one atomic step of one server, which is what makes a call's events contiguous, a page and a snapshot of
one moment, and the epoch true: the script itself asks Redis which run of the server it is. What the scripts keep, and
under which keys, is described in ``lua/log.lua`` and ``lua/publish.lua``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from hermes.brokers.base import Bounds, Feed
from hermes.brokers.redis_feed import FeedReader
from hermes.brokers.redis_link import Link
from hermes.brokers.redis_outbox import Outbox
from hermes.brokers.redis_url import Dialer
from hermes.brokers.redis_wire import decode_page, decode_snapshot
from hermes.core.channel import PROTECTED_PREFIXES
from hermes.core.clock import Clock, milliseconds
from hermes.core.cursor import Cursor, new_epoch
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.publisher import Once
from hermes.core.recovery import Tip
from hermes.core.retained import MAX_BYTES, MAX_KEYS, Snapshot
from hermes.errors import Unavailable

PUBLISH_ATTEMPT = 2.0
ASK_ATTEMPT = 1.0
TIP_TIMEOUT = 1.0
READ_TIMEOUT = 3.0
"""Seconds. The tip has little time, because it is how a stalled Redis is noticed."""

SUBSCRIBE_WAIT = 2.0
"""Seconds that :meth:`RedisBroker.feed` waits for the subscription to stand."""


class RedisBroker:
    """See :class:`~hermes.brokers.base.Broker`. Any number of processes share one Redis 7 or newer.

    ``url`` is ``redis://``, ``rediss://`` (TLS), ``unix://`` or
    ``redis+sentinel://[user:password@]host:port,host:port/service/db`` (login and database are those of Redis;
    ``?sentinel_username=&sentinel_password=`` those of the Sentinels). ``prefix`` begins every key and, with the number
    of the database, the pub/sub channel. ``node`` names this process in the count of streams. Nothing is opened before
    it is first used, and at most three connections are: for publish calls, the other calls, and the feed. A child of a
    fork opens its own.

    *Atomic, ordered*: each call is one script. *Durable*: as this Redis is configured (``appendonly``, replicas); when
    it restarts or fails over, a new epoch says so. Retained state and idempotency keys outlive the epoch as far as
    Redis kept them.
    """

    def __init__(self, url: str, *, prefix: str = "hermes", clock: Clock, bounds: Bounds, node: str) -> None:
        self._dialer = Dialer(url)
        self._prefix = prefix
        self._clock = clock
        self._node = node
        self._bounds = bounds
        self._channel = self.channel("feed")
        self._inboxes: dict[bytes, Callable[[bytes], None]] = {}
        self._reader: FeedReader | None = None
        self._closed = False
        self._open()

    def _open(self) -> None:
        """The links of this process, unconnected."""
        self._pid = os.getpid()
        monotonic = self._clock.monotonic
        self._publishing = Link(self._dialer, "hermes-publish", monotonic, PUBLISH_ATTEMPT)
        self._asking = Link(self._dialer, "hermes-ask", monotonic, ASK_ATTEMPT)
        head: list[str | int] = [self._prefix, self._channel, *self._bound_args(), MAX_KEYS, MAX_BYTES]
        self._outbox = Outbox(self._publishing, head, monotonic)

    def _bound_args(self) -> tuple[int, ...]:
        bounds = self._bounds
        return bounds.events, self._dialer.affordable(bounds.bytes), bounds.per_channel, milliseconds(bounds.age)

    def _ensure_own(self) -> None:
        """A child of a fork must share neither connections nor locks with its parent."""
        if self._closed:
            raise Unavailable("the broker is closed")
        if os.getpid() != self._pid:
            self._open()

    def check(self) -> None:
        """Raise :class:`~hermes.errors.StoreError` where this Redis cannot be used, ``Unavailable`` without one."""
        self._ensure_own()
        self._asking.check(READ_TIMEOUT)

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        """See :class:`~hermes.brokers.base.Broker`. The call's own attempts are covered even without ``once``."""
        self._ensure_own()
        return self._outbox.publish(events, once, each)

    def feed(self, feed: Feed) -> None:
        """See :class:`~hermes.brokers.base.Broker`. Checks the server first: raises :class:`~hermes.errors.StoreError`.

        A Redis that is not there yet is waited for in the background.
        """
        try:
            self.check()
        except Unavailable:
            wait = 0.0
        else:
            wait = SUBSCRIBE_WAIT
        monotonic = self._clock.monotonic
        self._reader = FeedReader(self._dialer, self._channel, "hermes-feed", feed, monotonic, self._inboxes)
        self._reader.start(wait)

    def read(self, after: int, max_events: int, max_bytes: int) -> Page:
        """See :class:`~hermes.brokers.base.Broker`."""
        self._ensure_own()
        args = (self._prefix, new_epoch(), after, max_events, max_bytes)
        return decode_page(self._asking.call("read", args, READ_TIMEOUT), after)

    def tip(self, streams: int = 0) -> Tip:
        """See :class:`~hermes.brokers.base.Broker`."""
        self._ensure_own()
        args = (self._prefix, new_epoch(), *self._bound_args(), self._node, streams)
        epoch, number, total = self._asking.call("tip", args, TIP_TIMEOUT)
        return Tip(epoch.decode(), int(number), int(total))

    def retained(self, items: Collection[str]) -> Snapshot:
        """See :class:`~hermes.brokers.base.Broker`."""
        self._ensure_own()
        args = (self._prefix, new_epoch(), ",".join(PROTECTED_PREFIXES), *items)
        return decode_snapshot(self._asking.call("retained", args, READ_TIMEOUT))

    def call(self, name: str, args: Sequence[Any], timeout: float) -> Any:
        """What another packaged script answers; ``args`` follow the prefix. For what stands beside the log on this store.

        Safe to repeat calls only; raises :class:`~hermes.errors.Unavailable` after ``timeout`` seconds.
        """
        self._ensure_own()
        return self._asking.call(name, (self._prefix, *args), timeout)

    def claim(self, name: str, value: str) -> str:
        """Keep ``value`` under ``name`` unless there is one already; the one that is there. Raises ``Unavailable``."""
        self._ensure_own()
        kept: bytes = self._asking.call("claim", (self._prefix, name, value), READ_TIMEOUT)
        return kept.decode()

    def channel(self, name: str) -> str:
        """The pub/sub channel that all processes of this store know by ``name``."""
        return f"{self._prefix}:{self._dialer.address.db}:{name}"

    def inbox(self, name: str, take: Callable[[bytes], None]) -> None:
        """Give ``take`` what is published to :meth:`channel`, on the connection of the feed. It must not block."""
        self._inboxes[self.channel(name).encode()] = take

    def close(self) -> None:
        """See :class:`~hermes.brokers.base.Broker`."""
        if self._closed:
            return
        self._closed = True
        if self._reader is not None:
            self._reader.close()
        self._publishing.close()
        self._asking.close()
