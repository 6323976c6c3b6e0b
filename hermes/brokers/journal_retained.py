"""Retained state as the journal keeps it: the newest event of each (channel, key), bounded for each channel."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

from hermes.brokers.journal_file import as_list, insert
from hermes.core import retained
from hermes.core.event import Event

_FOUND = """
    SELECT json_group_array(json_array(kept.id, kept.channel, kept.size))
    FROM json_each(?) AS wanted
    CROSS JOIN retained AS kept ON kept.channel = wanted.value ->> 0 AND kept.key = wanted.value ->> 1"""

_LONGEST_UNCHANGED = """
    SELECT json_group_array(json_array(id, size))
    FROM (SELECT id, size FROM retained WHERE channel = ? ORDER BY number LIMIT ?)"""

_EVICTED_AT_ONCE = 100


class Held(NamedTuple):
    """How much a channel retains."""

    keys: int = 0
    bytes: int = 0


class RetainedTable:
    """Writes the table, and counts each channel's keys and bytes in memory."""

    def __init__(self, held: Mapping[str, Held]) -> None:
        self._held = dict(held)
        self._before: dict[str, Held] = {}

    @property
    def held(self) -> Mapping[str, Held]:
        """How much each channel retains."""
        return self._held

    def store(
        self, connection: sqlite3.Connection, first: int, events: Iterable[Event], records: Iterable[bytes]
    ) -> None:
        """Let the keyed ones of ``events``, numbered from ``first``, take the place of what is retained."""
        newest: dict[tuple[str, str], tuple[int, Event, bytes]] = {}
        for number, (event, record) in enumerate(zip(events, records, strict=True), first):
            if event.key is not None:
                for channel in event.channels:
                    newest[channel, event.key] = (number, event, record)
        if not newest:
            return
        self._take_out(connection, newest)
        rows = [
            (None, channel, key, number, len(record), record)
            for (channel, key), (number, event, record) in newest.items()
            if not event.removes
        ]
        insert(connection, "INTO retained", rows)
        for _, channel, _, _, size, _ in rows:
            self._count(channel, 1, size)
        for channel in dict.fromkeys(channel for channel, _ in newest):
            self._bound(connection, channel)

    def keep(self) -> None:
        """The transaction is committed."""
        self._before.clear()

    def give_back(self) -> None:
        """The transaction is not."""
        for channel, held in self._before.items():
            self._set(channel, held)
        self._before.clear()

    def _take_out(self, connection: sqlite3.Connection, keys: Iterable[tuple[str, str]]) -> None:
        found = orjson.loads(connection.execute(_FOUND, (as_list(keys),)).fetchone()[0])
        for _, channel, size in found:
            self._count(channel, -1, -size)
        _delete(connection, [row[0] for row in found])

    def _bound(self, connection: sqlite3.Connection, channel: str) -> None:
        """Evict the keys that are unchanged for longest."""
        while _too_much(self._held.get(channel, Held())):
            found = orjson.loads(connection.execute(_LONGEST_UNCHANGED, (channel, _EVICTED_AT_ONCE)).fetchone()[0])
            evicted = []
            for identity, size in found:
                if not _too_much(self._held.get(channel, Held())):
                    break
                evicted.append(identity)
                self._count(channel, -1, -size)
            _delete(connection, evicted)

    def _count(self, channel: str, keys: int, size: int) -> None:
        held = self._held.get(channel, Held())
        self._before.setdefault(channel, held)
        self._set(channel, Held(held.keys + keys, held.bytes + size))

    def _set(self, channel: str, held: Held) -> None:
        if held.keys:
            self._held[channel] = held
        else:
            self._held.pop(channel, None)


def load(connection: sqlite3.Connection) -> RetainedTable:
    """The table as the file has it."""
    counted = connection.execute("SELECT channel, count(*), sum(size) FROM retained GROUP BY channel")
    return RetainedTable({channel: Held(keys, size) for channel, keys, size in counted})


def _too_much(held: Held) -> bool:
    return held.keys > retained.MAX_KEYS or held.bytes > retained.MAX_BYTES


def _delete(connection: sqlite3.Connection, identities: Iterable[int]) -> None:
    connection.execute("DELETE FROM retained WHERE id IN (SELECT value FROM json_each(?))", (as_list(identities),))
