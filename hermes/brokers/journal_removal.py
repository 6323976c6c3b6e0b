"""Which events leave the log, and the floors that say so."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

import orjson

from hermes.brokers.base import Bounds
from hermes.brokers.journal_file import as_list, insert
from hermes.brokers.journal_index import Index, Stored

_BY_NUMBER = """
    SELECT json_group_array(json_array(number, length(record), channels))
    FROM log WHERE number IN (SELECT value FROM json_each(?))"""

_OLDEST = """
    SELECT json_group_array(json_array(number, size, channels, stored_ms))
    FROM (SELECT number, length(record) AS size, channels, stored_ms FROM log ORDER BY number LIMIT ?)"""

_UNKNOWN = 0


class Removal:
    """Removes what is over a bound, a bounded number of events for each transaction.

    First what channels have over their own bound, so that a noisy channel costs only itself: that raises the floors of all
    channels of each event that goes, and never the log's floor. Then the oldest events of the log, while it has too many, too
    many bytes, or too old ones: that raises the log's floor, and the channels' floors below it are forgotten.
    """

    def __init__(self, bounds: Bounds, index: Index) -> None:
        self._bounds = bounds
        self._index = index
        self._oldest_ms: int = _UNKNOWN

    def due(self, now_ms: int) -> bool:
        """Whether there may be something to remove."""
        return any(True for _ in self._index.over()) or self._log_over(now_ms)

    def run(self, connection: sqlite3.Connection, now_ms: int, at_most: int) -> int | None:
        """Remove up to ``at_most`` events; the log's new floor, if it rose."""
        removed = self._by_channel(connection, at_most) if any(True for _ in self._index.over()) else 0
        return self._by_log(connection, now_ms, at_most - removed)

    def give_back(self) -> None:
        """The transaction did not happen: look again."""
        self._oldest_ms = _UNKNOWN

    def _by_channel(self, connection: sqlite3.Connection, at_most: int) -> int:
        candidates: dict[int, None] = {}
        for channel in self._index.over():
            room = at_most - len(candidates)
            if room <= 0:
                break
            candidates.update(dict.fromkeys(self._index.first(channel, min(room, self._index.excess(channel)))))
        found = _stored(connection.execute(_BY_NUMBER, (as_list(candidates),)).fetchone()[0])
        return self._remove_out_of_turn(connection, {stored.number: stored for stored in found})

    def _remove_out_of_turn(self, connection: sqlite3.Connection, candidates: dict[int, Stored]) -> int:
        """Channel by channel, as an event that one lets go may be the one that another had too many."""
        gone: list[int] = []
        floors: dict[str, int] = {}
        for channel in self._index.over():
            for number in list(self._index.first(channel, self._index.excess(channel))):
                stored = candidates.get(number)
                if stored is None:
                    break
                self._index.remove(stored)
                gone.append(number)
                for name in stored.channels:
                    floors[name] = max(number, floors.get(name, 0))
        connection.execute("DELETE FROM log WHERE number IN (SELECT value FROM json_each(?))", (as_list(gone),))
        insert(
            connection,
            "INTO floors",
            list(floors.items()),
            "ON CONFLICT (channel) DO UPDATE SET number = max(number, excluded.number)",
        )
        return len(gone)

    def _by_log(self, connection: sqlite3.Connection, now_ms: int, at_most: int) -> int | None:
        if at_most <= 0 or not self._log_over(now_ms):
            return None
        too_old = self._too_old(now_ms)
        if self._index.bytes <= self._bounds.bytes and self._oldest_ms >= too_old:
            at_most = min(at_most, self._index.events - self._bounds.events + 1)
        found = orjson.loads(connection.execute(_OLDEST, (at_most,)).fetchone()[0])
        floor, self._oldest_ms = None, _UNKNOWN
        for number, size, channels, stored_ms in found:
            if (
                self._index.events <= self._bounds.events
                and self._index.bytes <= self._bounds.bytes
                and stored_ms >= too_old
            ):
                self._oldest_ms = stored_ms
                break
            self._index.remove(Stored(number, size, _names(channels)))
            floor = number
        if floor is not None:
            connection.execute("DELETE FROM log WHERE number <= ?", (floor,))
            connection.execute("DELETE FROM floors WHERE number <= ?", (floor,))
        return floor

    def _log_over(self, now_ms: int) -> bool:
        if not self._index.events:
            return False
        if self._index.events > self._bounds.events or self._index.bytes > self._bounds.bytes:
            return True
        return self._oldest_ms < self._too_old(now_ms)

    def _too_old(self, now_ms: int) -> int:
        return now_ms - int(self._bounds.age * 1000)


def load(connection: sqlite3.Connection, per_channel: int) -> Index:
    """The index of what the file holds."""
    index = Index(per_channel)
    for number, size, channels in connection.execute(
        "SELECT number, length(record), channels FROM log ORDER BY number"
    ):
        index.add(Stored(number, size, _names(channels)))
        index.keep()
    return index


def _stored(text: str) -> Sequence[Stored]:
    return [Stored(number, size, _names(channels)) for number, size, channels in orjson.loads(text)]


@lru_cache(maxsize=4096)
def _names(channels: str) -> tuple[str, ...]:
    return tuple(orjson.loads(channels))
