"""The directory: finds, lists and reaches streams wherever in the fleet they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from hermes.core.channel import pattern
from hermes.fleet.base import Fleet, Record
from hermes.streaming.connections import COUNT, FRESH, ONE, SEND, Connections, sending
from hermes.streaming.records import UNKNOWN

PAGE = 500
"""Records that are read at once."""

MOST_EXAMINED = 10_000
"""Records that one list looks through; the next page goes on from there."""


class Asking(Protocol):
    """The other processes, as far as they are asked."""

    @property
    def node(self) -> str:
        """The name of this process."""

    def ask_each(self, name: str, questions: Mapping[str, bytes], /) -> dict[str, bytes]:
        """What the processes answer to the ``questions`` of that name, by their nodes; who gives no answer is left out."""


class Wanted(NamedTuple):
    """Which connections a list is of; ``None``: all."""

    user: str | None = None
    channel: str | None = None
    node: str | None = None

    def has(self, node: str, record: Mapping[str, Any]) -> bool:
        """Whether this connection is one of them. It is on a channel if a name or pattern of its subscription selects that."""
        if self.user is not None and record["user_id"] != self.user:
            return False
        if self.node is not None and node != self.node:
            return False
        return self.channel is None or any(pattern(item).matches(self.channel) for item in record["channels"])


class Page(NamedTuple):
    """Connections, and where the next page begins; ``None`` at the end."""

    items: list[dict[str, Any]]
    next: str | None


class Directory:
    """Every method raises :class:`~hermes.errors.Unavailable` where the store does not answer."""

    def __init__(self, fleet: Fleet, company: Asking, connections: Connections) -> None:
        self._fleet = fleet
        self._company = company
        self._connections = connections

    @property
    def nodes(self) -> list[str]:
        """Every process of the fleet, this one first."""
        return [self._company.node, *self._connections.others]

    def page(self, wanted: Wanted, after: str, limit: int) -> Page:
        """At most ``limit`` connections in the order of their ids; perhaps fewer, where many others had to be looked through."""
        found: list[tuple[str, dict[str, Any]]] = []
        last, examined = after, 0
        for entry in self._records(after):
            record = orjson.loads(entry.data)
            if wanted.has(entry.node, record):
                found.append((entry.node, record))
            last, examined = entry.id, examined + 1
            if len(found) == limit or examined == MOST_EXAMINED:
                return Page(self._with_fresh(found), last)
        return Page(self._with_fresh(found), None)

    def _records(self, after: str) -> Iterator[Record]:
        while True:
            records = self._fleet.records(after, PAGE)
            yield from records
            if len(records) < PAGE:
                return
            after = records[-1].id

    def _with_fresh(self, found: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """What changes all along is asked of each process once; a stream that has ended meanwhile is left out."""
        ids: dict[str, list[str]] = {}
        for node, record in found:
            ids.setdefault(node, []).append(record["connection_id"])
        answers = self._company.ask_each(FRESH, {node: orjson.dumps(asked) for node, asked in ids.items()})
        fresh = {node: orjson.loads(answer) for node, answer in answers.items()}
        items = []
        for node, record in found:
            values = fresh[node].get(record["connection_id"]) if node in fresh else UNKNOWN
            if values is not None:
                items.append({**record, "node": node, **values})
        return items

    def one(self, connection_id: str) -> dict[str, Any] | None:
        """All that is known of one connection, or ``None`` where there is none."""
        record, answers = self._ask_holder(connection_id, ONE, orjson.dumps(connection_id))
        for node, answer in answers.items():
            found = orjson.loads(answer)
            if found is not None:
                return {**found, "node": node}
        if record is None or record.node in answers:
            return None
        return {**orjson.loads(record.data), "node": record.node, **UNKNOWN}

    def send(self, connection_id: str, type: str, data: bytes) -> bool:
        """Send one event, which is stored nowhere, to one stream; see :meth:`Connections.send`."""
        _, answers = self._ask_holder(connection_id, SEND, sending(connection_id, type, data))
        return any(orjson.loads(answer) for answer in answers.values())

    def count(self, match: Mapping[str, str]) -> int:
        """How many streams of the fleet have all of ``match``; see :meth:`Connections.end`."""
        question = orjson.dumps(match)
        answers = self._company.ask_each(COUNT, dict.fromkeys(self.nodes, question))
        return sum(orjson.loads(answer) for answer in answers.values())

    def _ask_holder(self, connection_id: str, name: str, question: bytes) -> tuple[Record | None, dict[str, bytes]]:
        """Ask whoever holds a connection; everybody, if it is too young to have a record."""
        record = None
        nodes = [self._company.node]
        if not self._connections.count({"connection_id": connection_id}):
            record = self._fleet.find(connection_id)
            nodes = self.nodes if record is None else [record.node]
        return record, self._company.ask_each(name, dict.fromkeys(nodes, question))
