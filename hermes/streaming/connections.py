"""The connections of this process, for all others: what they are told of each, what they may ask, and how one is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Protocol

import orjson

from hermes.core.clock import iso_time
from hermes.core.event import Event
from hermes.fleet.base import Answer
from hermes.streaming.bearer import Bearer
from hermes.streaming.listener import CloseReason, Listener
from hermes.streaming.records import detail, fresh, queued, record
from hermes.streaming.registry import Registry

CHANGES = 2000
"""Records that are told at once; after a storm of reconnects the rest follows a second later."""

MATCHES = ("connection_id", "user_id", "key_id", "token_id")
"""What a command may name: it means every stream that has all that it names."""

FRESH, ONE, COUNT, SEND = "connections.fresh", "connections.one", "connections.count", "connections.send"
"""The questions that each process answers about its streams."""


class Answering(Protocol):
    """Where a part of a process says which questions it answers."""

    def on(self, name: str, answer: Answer) -> None:
        """Answer the questions of that name."""


def _counts(_key_id: str | None, _token_id: str | None) -> bool:
    return True


class Connections:
    """Observes the streams of ``registry``. A part of the process, too: it reports how many they are.

    ``counts`` says whether a key and a token, by their ids, count still.
    """

    name = "connections"

    def __init__(
        self, registry: Registry, now_ms: Callable[[], int], counts: Callable[[str | None, str | None], bool] = _counts
    ) -> None:
        self._registry = registry
        self._now_ms = now_ms
        self._counts = counts
        self._lock = threading.Lock()
        self._untold: dict[str, None] = {}
        self.others: Mapping[str, int] = {}
        """How many streams each other process has."""
        registry.observe(self)

    def listen(self, company: Answering) -> None:
        """Answer the questions of others."""
        company.on(FRESH, self._answer_fresh)
        company.on(ONE, self._answer_one)
        company.on(COUNT, self._answer_count)
        company.on(SEND, self._answer_send)

    # Records

    def opened(self, listener: Listener) -> None:
        """See :class:`~hermes.streaming.registry.Observer`."""
        self._changed(listener)
        if not self._counts(listener.bearer.key_id, listener.bearer.token_id):
            # It waited for the store when its credentials were revoked, and was not among those that were ended.
            listener.close(CloseReason.REVOKED)

    def closed(self, listener: Listener) -> None:
        """See :class:`~hermes.streaming.registry.Observer`."""
        self._changed(listener)

    def _changed(self, listener: Listener) -> None:
        with self._lock:
            self._untold[listener.connection_id] = None

    def take_changes(self) -> dict[str, bytes | None]:
        """What the fleet has to be told, once: records of new streams, ``None`` for those that ended."""
        with self._lock:
            ids = list(islice(self._untold, CHANGES))
            for id in ids:
                del self._untold[id]
        found = ((id, self._registry.get(id)) for id in ids)
        return {id: None if listener is None else orjson.dumps(record(listener)) for id, listener in found}

    def all_records(self) -> dict[str, bytes]:
        """The records of all streams: the store may have forgotten what it was told."""
        return {listener.connection_id: orjson.dumps(record(listener)) for listener in self._registry}

    def report(self) -> bytes:
        """See :class:`~hermes.fleet.base.Part`."""
        return b"%d" % len(self._registry)

    def hear(self, reports: Mapping[str, bytes]) -> None:
        """See :class:`~hermes.fleet.base.Part`."""
        self.others = {node: int(report) for node, report in reports.items()}

    # What is done with them

    def end(self, match: Mapping[str, Any], reason: CloseReason) -> int:
        """End the streams that have all of ``match`` (see :data:`MATCHES`); how many they were. It waits for nothing."""
        ended = self._matching(match)
        for listener in ended:
            listener.close(reason)
        return len(ended)

    def kick(self, match: Mapping[str, Any]) -> None:
        """The command ``kick`` of :class:`~hermes.control.Control`: the client is told not to come back by itself."""
        self.end(match, CloseReason.KICKED)

    def revoke(self, match: Mapping[str, Any]) -> None:
        """The command ``revoke``: the credentials that opened these streams are worth nothing any more.

        Long polls go on at once, and find that out.
        """
        self.end(match, CloseReason.REVOKED)
        wanted = _wanted(match)
        for poll in self._registry.polls if wanted else ():
            if _has(poll.bearer, wanted):
                poll.end()

    def count(self, match: Mapping[str, Any]) -> int:
        """How many streams have all of ``match``."""
        return len(self._matching(match))

    def _matching(self, match: Mapping[str, Any]) -> list[Listener]:
        wanted = _wanted(match)
        if not wanted:
            return []  # who names nothing means nobody
        connection_id = wanted.pop("connection_id", None)
        if connection_id is not None:
            listener = self._registry.get(connection_id)
            found: Iterable[Listener] = () if listener is None else (listener,)
        else:
            found = self._registry
        return [listener for listener in found if _has(listener.bearer, wanted)]

    def send(self, connection_id: str, type: str, data: bytes) -> bool:
        """Send a stream of this process an event that is in no log; ``False`` where there is none, or its socket takes nothing.

        The frame has neither ``id`` nor ``channel``. It goes out when the piece under way is out, so it tears no frame, and
        its order among the others is not promised.
        """
        listener = self._registry.get(connection_id)
        if listener is None or queued(listener):
            return False
        frame = _frame(type, data, self._now_ms(), listener.subscription.envelope)
        with self._lock:
            return listener.say(frame)

    # What others ask

    def _answer_fresh(self, question: bytes) -> bytes:
        found = ((id, self._registry.get(id)) for id in orjson.loads(question))
        return orjson.dumps({id: fresh(listener) for id, listener in found if listener is not None})

    def _answer_one(self, question: bytes) -> bytes:
        listener = self._registry.get(orjson.loads(question))
        return orjson.dumps(None if listener is None else detail(listener))

    def _answer_count(self, question: bytes) -> bytes:
        return orjson.dumps(self.count(orjson.loads(question)))

    def _answer_send(self, question: bytes) -> bytes:
        head, _, data = question.partition(b"\n")
        connection_id, type = orjson.loads(head)
        return orjson.dumps(self.send(connection_id, type, data))


def _wanted(match: Mapping[str, Any]) -> dict[str, Any]:
    return {name: match[name] for name in MATCHES if match.get(name) is not None}


def _has(bearer: Bearer, wanted: Mapping[str, Any]) -> bool:
    return all(getattr(bearer, name, None) == value for name, value in wanted.items())


def sending(connection_id: str, type: str, data: bytes) -> bytes:
    """The question that sends an event to a stream."""
    return orjson.dumps([connection_id, type]) + b"\n" + data


def _frame(type: str, data: bytes, now_ms: int, envelope: bool) -> bytes:
    if envelope:
        event = Event((), type, data, now_ms)
        data = orjson.dumps(event.as_dict("", None) | {"channel": None})
    return f"event: {type}\ntime: {iso_time(now_ms)}\ndata: ".encode() + data + b"\n\n"
