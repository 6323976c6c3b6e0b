"""The streams of this process: how many there may be, who they are, how they end."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from hermes.core.hub import Hub
from hermes.errors import Draining, TooManyConnections
from hermes.streaming.bearer import Bearer
from hermes.streaming.listener import CloseReason, Listener, jittered

log = structlog.get_logger(__name__)


class Observer(Protocol):
    """Whoever wants to know which streams open and end. Called for each stream: it must neither wait nor raise."""

    def opened(self, listener: Listener, /) -> None:
        """A stream begins."""

    def closed(self, listener: Listener, /) -> None:
        """A stream that was opened has ended."""


class LongPoll(Protocol):
    """A request that waits for events: it holds a connection as a stream does."""

    bearer: Bearer

    def end(self) -> None:
        """Answer now, with what there is. Never blocks."""


class Registry:
    """Every open stream of this process by its connection id, and the long polls beside them."""

    def __init__(self, hub: Hub, max_connections: int) -> None:
        self._hub = hub
        self._listeners: dict[str, Listener] = {}
        self._polls: dict[LongPoll, None] = {}
        self.max_connections = max_connections
        self.draining = False
        self.opened = 0
        self.closes: Counter[str] = Counter()
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` of every stream from now on."""
        self._observers.append(observer)

    def get(self, connection_id: str) -> Listener | None:
        """The stream of that connection, if it is open here."""
        return self._listeners.get(connection_id)

    def __len__(self) -> int:
        return len(self._listeners)

    def __iter__(self) -> Iterator[Listener]:
        return iter(list(self._listeners.values()))

    def admit(self) -> None:
        """Refuse a new stream or long poll where there is no place for it."""
        if self.draining:
            raise Draining("this process is about to stop; connect again")
        if len(self._listeners) + len(self._polls) >= self.max_connections:
            raise TooManyConnections(f"this process serves at most {self.max_connections} streams; try again later")

    @property
    def polls(self) -> list[LongPoll]:
        """The long polls that wait."""
        return list(self._polls)

    @contextmanager
    def waiting(self, poll: LongPoll) -> Iterator[None]:
        """While ``poll`` waits it takes the place of a stream; raises what :meth:`admit` does."""
        self.admit()
        self._polls[poll] = None
        try:
            yield
        finally:
            del self._polls[poll]

    def add(self, listener: Listener) -> None:
        """A stream begins."""
        self._listeners[listener.connection_id] = listener
        self.opened += 1
        for observer in self._observers:
            try:
                observer.opened(listener)
            except Exception:
                log.exception("a stream began, and not everybody could be told")
        if self.draining:
            # It was admitted before, and waited for the store meanwhile.
            listener.close(CloseReason.DRAIN)

    def remove(self, listener: Listener) -> None:
        """A stream has ended, whoever ended it. Idempotent."""
        if self._listeners.pop(listener.connection_id, None) is None:
            return
        self._hub.unpark(listener.member)
        self.closes[listener.close_reason or CloseReason.GONE] += 1
        for observer in self._observers:
            try:
                observer.closed(listener)
            except Exception:
                log.exception("a stream ended, and not everybody could be told")

    def drain(self, spread: float, retry: float) -> None:
        """End every stream with ``close``, one by one over ``spread`` seconds, each asked to return at its own time.

        Long polls are answered at once. Returns when all have been told. New streams are refused from now on.
        """
        self.draining = True
        for poll in self.polls:
            poll.end()
        listeners = list(self)
        random.shuffle(listeners)
        begun = time.monotonic()
        for index, listener in enumerate(listeners):
            due = begun + spread * index / len(listeners)
            time.sleep(max(0.0, due - time.monotonic()))
            listener.close(CloseReason.DRAIN, jittered(retry))
