"""Reads of the journal, each of one moment, on a connection of their own beside the writer's (WAL)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import orjson

from hermes.brokers.journal_file import as_list, connect, identity, read_meta
from hermes.core.channel import Pattern
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.retained import Retained, Snapshot

Result = TypeVar("Result")

# Each of these answers one row, however many it reads: a step of SQLite is a change of thread (see journal_file).

_SIZES = """
    SELECT json_group_array(number), json_group_array(size)
    FROM (SELECT number, length(record) AS size FROM log WHERE number > ? ORDER BY number LIMIT ?)"""

_RECORDS = """
    SELECT CAST(group_concat(record, '') AS BLOB)
    FROM (SELECT record FROM log WHERE number > ? AND number <= ? ORDER BY number)"""

_FLOORS = "SELECT json_group_object(channel, number) FROM floors WHERE number > ?"

_CHANNELS = """
    WITH RECURSIVE every(name) AS (
        SELECT min(channel) FROM retained WHERE channel >= ?1
        UNION ALL
        SELECT (SELECT min(channel) FROM retained WHERE channel > every.name) FROM every
        WHERE substr(every.name, 1, length(?1)) = ?1
    )
    SELECT json_group_array(name) FROM every WHERE name IS NOT NULL"""

_RETAINED = """
    SELECT json_group_array(json_array(number, size, json(channels))), CAST(group_concat(record, '') AS BLOB)
    FROM (
        SELECT number, size, json_group_array(channel) AS channels, record
        FROM retained WHERE channel IN (SELECT value FROM json_each(?)) GROUP BY number ORDER BY number
    )"""


class JournalReader:
    """One connection that only reads, opened when first needed and again after an error. Calls come one at a time.

    Raises ``sqlite3.Error`` or ``OSError`` where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._closed = False

    def page(self, after: int, max_events: int, max_bytes: int) -> Page:
        """See :meth:`hermes.brokers.base.Broker.read`."""
        return self._in_one_moment(lambda connection: _page(connection, after, max_events, max_bytes))

    def retained(self, items: Collection[str]) -> Snapshot:
        """See :meth:`hermes.brokers.base.Broker.retained`."""
        return self._in_one_moment(lambda connection: _snapshot(connection, items))

    def close(self) -> None:
        """Let go of the file for good. Idempotent."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _in_one_moment(self, read: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            connection = self._connected()
            connection.execute("BEGIN")
            try:
                return read(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except BaseException:
            self._drop()
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the journal is closed")
        found = identity(self._path)
        if self._connection is None or found != self._identity:
            self._drop()
            self._connection = connect(self._path)
            self._connection.execute("PRAGMA query_only = 1")
            self._identity = found
        return self._connection


def _page(connection: sqlite3.Connection, after: int, max_events: int, max_bytes: int) -> Page:
    meta = read_meta(connection)
    tip, floor = meta["tip"], meta["floor"]
    numbers, sizes = map(orjson.loads, connection.execute(_SIZES, (after, max_events + 1)).fetchone())
    taken = _fitting(sizes, max_events, max_bytes)
    last = tip if taken == len(numbers) else numbers[taken - 1]
    events = []
    if taken:
        joined = connection.execute(_RECORDS, (after, numbers[taken - 1])).fetchone()[0]
        events = [Event.from_record(*part) for part in zip(_cut(joined, sizes[:taken]), numbers, strict=False)]
    floors = orjson.loads(connection.execute(_FLOORS, (max(after, floor),)).fetchone()[0])
    return Page(meta["epoch"], after, events, last, tip, floor, floors)


def _fitting(sizes: Sequence[int], max_events: int, max_bytes: int) -> int:
    """How many of the first events fit: one at least, if there is one."""
    fitting = sum(1 for total in accumulate(sizes[:max_events]) if total <= max_bytes)
    return max(fitting, min(1, len(sizes)))


def _cut(joined: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield joined[at : at + size]
        at += size


def _snapshot(connection: sqlite3.Connection, items: Collection[str]) -> Snapshot:
    meta = read_meta(connection)
    channels = as_list(_selected(connection, items))
    listed, joined = connection.execute(_RETAINED, (channels,)).fetchone()
    entries = orjson.loads(listed)
    records = _cut(joined or b"", [size for _, size, _ in entries])
    return Snapshot(
        meta["epoch"],
        meta["tip"],
        [_retained(number, names, record) for (number, _, names), record in zip(entries, records, strict=True)],
    )


def _retained(number: int, names: Sequence[str], record: bytes) -> Retained:
    """In the event's own order of channels; what a former epoch left (number 0 or less) has no number any more."""
    event = Event.from_record(record, max(0, number))
    return Retained(event, tuple(channel for channel in event.channels if channel in names))


def _selected(connection: sqlite3.Connection, items: Collection[str]) -> set[str]:
    """The channels that ``items`` select. Matching is done here and not by SQLite, whose GLOB backtracks without bound."""
    selected = {item for item in items if "*" not in item}
    for text in items:
        if "*" in text:
            wanted = Pattern(text)
            names = orjson.loads(connection.execute(_CHANNELS, (text.partition("*")[0],)).fetchone()[0])
            selected.update(name for name in names if wanted.fits(name))
    return selected
