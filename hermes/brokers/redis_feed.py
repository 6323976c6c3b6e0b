"""What Redis hands to this process: one pub/sub connection, and the thread that does nothing but read it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis.connection import Connection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hermes.brokers.base import Feed
from hermes.brokers.redis_url import Dialer
from hermes.brokers.redis_wire import decode_message
from hermes.errors import HermesError

LOOK = 0.25
"""Seconds that a read waits before the thread looks whether it shall end."""

PING_AFTER = 5.0
DEAD_AFTER = 15.0
"""Seconds without a byte: a ping is sent; the link is given up. A stalled Redis is noticed by the tip long before."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
TURN = 0.005
"""Seconds of work without waiting after which other greenlets get a turn: a busy socket never waits by itself."""

Inboxes = Mapping[bytes, Callable[[bytes], None]]
"""What takes the messages of channels beside the feed. Must not block. There may be more later, but never fewer."""

log = logging.getLogger(__name__)


class FeedReader:
    """Reads the feed and hands it over, for as long as it is not closed; so it does with what comes for its ``inboxes``.

    Whenever the link may have been broken - a new connection, or a confirmation that nobody asked for - the feed is
    told to read the log: what was published in between came to nobody, and pub/sub itself says nothing of it.
    """

    def __init__(
        self,
        dialer: Dialer,
        channel: str,
        name: str,
        feed: Feed,
        monotonic: Callable[[], float],
        inboxes: Inboxes | None = None,
    ) -> None:
        self._dialer = dialer
        self._inboxes = inboxes if inboxes is not None else {}
        self._channel = channel.encode()
        self._name = name
        self._feed = feed
        self._monotonic = monotonic
        self._closing = threading.Event()
        self._subscribed = threading.Event()
        self._quiet_start = True
        self._lock = threading.Lock()
        self._pause = FIRST_PAUSE
        self._thread = threading.Thread(target=self._run, name="hermes-feed", daemon=True)

    def start(self, wait: float) -> None:
        """Begin, and wait at most so many seconds until what is published from then on arrives.

        Where that takes longer, the feed is told to read the log as soon as it does.
        """
        self._thread.start()
        if not self._subscribed.wait(wait):
            with self._lock:
                self._quiet_start = self._subscribed.is_set()

    def close(self) -> None:
        """End the thread, by an event: one that is killed within redis-py leaves a reply for somebody else."""
        self._closing.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._follow()
            except (RedisError, OSError, HermesError) as error:
                log.warning("the feed from %s broke and is opened again: %s", self._dialer.address, error)
            except Exception:
                log.exception("the feed failed and is opened again")
            self._closing.wait(self._pause * random.uniform(0.5, 1.0))
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _follow(self) -> None:
        connection = self._dialer.dial(self._name, DEAD_AFTER - PING_AFTER, socket_read_size=262_144)
        try:
            connection.send_command("SUBSCRIBE", self._channel)  # type: ignore[no-untyped-call]
            self._read_all(connection)
        finally:
            connection.disconnect()  # type: ignore[no-untyped-call]

    def _read_all(self, connection: Connection) -> None:
        heard = turn = self._monotonic()
        pinged = False
        inboxes = 0
        while not self._closing.is_set():
            if inboxes < len(self._inboxes):
                inboxes += self._subscribe(connection, list(self._inboxes)[inboxes:])
            message = _next_message(connection)
            now = self._monotonic()
            if message is not None:
                self._take(message)
                heard, pinged = now, False
            elif now - heard > DEAD_AFTER:
                raise RedisTimeoutError(f"no sign of life for {DEAD_AFTER:g} s")
            elif now - heard > PING_AFTER and not pinged:
                connection.send_command("PING")  # type: ignore[no-untyped-call]
                pinged = True
            if message is None:
                turn = now
            elif now - turn > TURN:
                time.sleep(0)
                turn = self._monotonic()

    def _subscribe(self, connection: Connection, channels: list[bytes]) -> int:
        connection.send_command("SUBSCRIBE", *channels)  # type: ignore[no-untyped-call]
        return len(channels)

    def _take(self, message: list[Any]) -> None:
        match message:
            case [b"message", channel, bytes(content)]:
                if channel == self._channel:
                    self._hand_over(content)
                elif channel in self._inboxes:
                    self._put(self._inboxes[channel], content)
            case [b"subscribe", channel, *_] if channel == self._channel:
                self._confirmed()
            case _:
                pass  # the answer to a ping

    def _put(self, inbox: Callable[[bytes], None], content: bytes) -> None:
        try:
            inbox(content)
        except Exception:  # the feed goes on
            log.exception("a message beside the feed cannot be read")

    def _confirmed(self) -> None:
        self._pause = FIRST_PAUSE
        with self._lock:
            first = not self._subscribed.is_set() and self._quiet_start
            self._subscribed.set()
        if not first:
            self._feed.announce("", 0)

    def _hand_over(self, content: bytes) -> None:
        try:
            epoch, number, events = decode_message(content)
        except (ValueError, TypeError):
            log.exception("a message of the feed cannot be read; the log has what was in it")
            self._feed.announce("", 0)
            return
        if events:
            self._feed.accept(epoch, number, events)
        else:
            self._feed.announce(epoch, number)


def _next_message(connection: Connection) -> list[Any] | None:
    """The next thing that Redis pushed, or ``None`` where it is quiet. What is cut is kept and completed later."""
    try:
        message: list[Any] = connection.read_response(timeout=LOOK, disconnect_on_error=False)
        return message
    except RedisTimeoutError:
        return None
