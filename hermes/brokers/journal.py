"""The journal: one SQLite file that numbers and keeps events, and the one connection that writes to it.

Here is what a transaction is made of, and that memory follows it: what the file does not take, memory gives back. Which
calls are put together, and in which thread this runs, is for ``group_commit`` and ``embedded`` to know.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from hermes.brokers import journal_file, journal_once, journal_removal, journal_retained
from hermes.brokers.base import Bounds
from hermes.brokers.journal_file import State
from hermes.brokers.journal_index import Stored
from hermes.brokers.journal_once import Call, Numbered
from hermes.brokers.journal_removal import Removal
from hermes.core.clock import Clock, milliseconds
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.recovery import Tip
from hermes.errors import Conflict

REMOVED_FOR_EACH = 2
REMOVED_MORE = 20
"""A transaction of n events removes at most n * REMOVED_FOR_EACH + REMOVED_MORE."""

REMOVED_IN_UPKEEP = 500
"""Removed at most by one :meth:`Journal.upkeep`, of which there is one a second."""

_log = logging.getLogger(__name__)


class Written(NamedTuple):
    """A group that is committed: its new events, numbered from ``first``, and the answer to each of its calls."""

    epoch: str
    first: int
    events: Sequence[Event]
    answers: Sequence[list[Cursor] | Conflict]


class SteadyTime:
    """The journal's own time: it starts at the wall's, never before ``newest_ms``, and goes as the monotonic clock does.

    Ages are differences of it, so a wall clock that is set forward or back while Hermes runs neither removes history nor
    keeps it for longer, and time never goes back in the file. Time in which the machine slept does not count.
    """

    def __init__(self, clock: Clock, newest_ms: int) -> None:
        self._clock = clock
        self._start_ms = max(newest_ms, milliseconds(clock.now()))
        self._started = clock.monotonic()

    def now_ms(self) -> int:
        """Milliseconds, about since 1970."""
        return self._start_ms + milliseconds(self._clock.monotonic() - self._started)


class _Open:
    """The open file: the connection, and memory's picture of what the file holds."""

    def __init__(self, connection: sqlite3.Connection, state: State, bounds: Bounds) -> None:
        self.connection = connection
        self.state = state
        self.index = journal_removal.load(connection, bounds.per_channel)
        self.removal = Removal(bounds, self.index)
        self.retained = journal_retained.load(connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within, in the file and in memory, or nothing."""
        before = self.state
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            if not self._agrees():
                raise sqlite3.OperationalError("another program has changed the journal")
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            self.state = before
            self.index.give_back()
            self.retained.give_back()
            self.removal.give_back()
            raise
        self.index.keep()
        self.retained.keep()

    def store(self, calls: Sequence[Call], now_ms: int) -> Written:
        """Number the new events of ``calls``, store them, and remove what is then over a bound."""
        epoch, tip = self.state.epoch, self.state.tip
        known = journal_once.look_up(self.connection, calls, now_ms)
        numbered = journal_once.number_calls(calls, epoch, tip, known)
        if numbered.remember:
            journal_once.remember(self.connection, numbered.remember, now_ms)
            journal_once.forget(self.connection, now_ms, _removals(len(numbered.remember)))
        if numbered.events:
            self._append(tip + 1, numbered, now_ms)
            self.remove(now_ms, _removals(len(numbered.events)))
        return Written(epoch, tip + 1, numbered.events, numbered.answers)

    def remove(self, now_ms: int, at_most: int) -> None:
        """Remove some of what is over a bound."""
        floor = self.removal.run(self.connection, now_ms, at_most)
        if floor is not None:
            journal_file.write_meta(self.connection, floor=floor)
            self.state = self.state._replace(floor=floor)

    def touch(self, now_ms: int) -> None:
        """Write something small: the time."""
        journal_file.write_meta(self.connection, time_ms=now_ms)
        self.state = self.state._replace(time_ms=now_ms)

    def in_doubt(self) -> bool:
        """Whether the file may not stand where memory thinks; a transaction that was left over is rolled back."""
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            return not self._agrees()
        except sqlite3.Error:
            return True

    def _agrees(self) -> bool:
        return journal_file.stands_at(self.connection) == (self.state.epoch, self.state.tip)

    def _append(self, first: int, numbered: Numbered, now_ms: int) -> None:
        names = _Names()
        rows = [
            (number, now_ms, names[event.channels], record)
            for number, (event, record) in enumerate(zip(numbered.events, numbered.records, strict=True), first)
        ]
        journal_file.insert(self.connection, "INTO log", rows)
        for (number, _, _, record), event in zip(rows, numbered.events, strict=True):
            self.index.add(Stored(number, len(record), event.channels))
        self.retained.store(self.connection, first, numbered.events, numbered.records)
        self.state = self.state._replace(tip=rows[-1][0], time_ms=now_ms)
        journal_file.write_meta(self.connection, tip=self.state.tip, time_ms=now_ms)


class Journal:
    """Writes the file. Calls come one at a time, from any thread, and raise ``sqlite3.Error`` or ``OSError``.

    After an error that leaves the file in doubt, and when another file has taken its name, the next call opens it anew;
    ``guard`` is called before each opening and raises where this process may not.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        bounds: Bounds,
        *,
        boot: Callable[[], str] = journal_file.boot_id,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._bounds = bounds
        self._boot = boot
        self._guard = guard
        self._opened: _Open | None = None
        self._identity: tuple[int, int] | None = None
        self._reached: State | None = None
        self._time: SteadyTime | None = None
        self._failing = False

    def open(self) -> None:
        """Open or make the file, decide about the epoch, and load what memory keeps of it."""
        self._ready()

    def write(self, calls: Sequence[Call]) -> Written:
        """Number and store the new events of ``calls`` in one transaction; the answers keep the calls' order."""
        with self._transaction() as (opened, now_ms):
            return opened.store(calls, now_ms)

    def upkeep(self) -> Tip:
        """Prove that the file is there and stands where it should, and remove a few events that are over a bound.

        What only reads proves nothing about writing: after an error something is written, to see whether it works again.
        """
        opened, now_ms = self._ready()
        if opened.in_doubt():
            self._drop()
            opened, now_ms = self._ready()
        if self._failing or opened.removal.due(now_ms) or journal_once.any_expired(opened.connection, now_ms):
            with self._transaction() as (opened, now_ms):
                opened.touch(now_ms)
                opened.remove(now_ms, REMOVED_IN_UPKEEP)
                journal_once.forget(opened.connection, now_ms, REMOVED_IN_UPKEEP)
        return Tip(opened.state.epoch, opened.state.tip)

    def close(self) -> None:
        """Mark the file as whole and let go of it. Idempotent; without the mark the next boot begins a new epoch."""
        if self._opened is None:
            return
        try:
            journal_file.mark_clean(self._opened.connection)
        except sqlite3.Error as error:
            _log.warning("the journal %s was closed without its mark: %s", self._path, error)
        finally:
            self._drop()

    @contextmanager
    def _transaction(self) -> Iterator[tuple[_Open, int]]:
        opened, now_ms = self._ready()
        try:
            with opened.transaction():
                yield opened, now_ms
        except BaseException:
            self._failing = True
            if opened.in_doubt():
                self._drop()
            raise
        self._failing = False
        self._reached = opened.state

    def _ready(self) -> tuple[_Open, int]:
        if self._opened is not None and not self._is_there():
            _log.error("the journal %s was removed or replaced while Hermes ran: opening it anew", self._path)
            self._drop()
        if self._opened is None:
            self._opened = self._open()
        if self._time is None:
            self._time = SteadyTime(self._clock, self._opened.state.time_ms)
        return self._opened, self._time.now_ms()

    def _open(self) -> _Open:
        self._guard()
        connection = journal_file.connect(self._path, create=True)
        try:
            identity = journal_file.identity(self._path)
            state = journal_file.begin(connection, self._boot(), self._reached)
            opened = _Open(connection, state, self._bounds)
        except BaseException:
            connection.close()
            raise
        self._identity, self._reached = identity, state
        return opened

    def _is_there(self) -> bool:
        try:
            return journal_file.identity(self._path) == self._identity
        except FileNotFoundError:
            return False

    def _drop(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(sqlite3.Error):
                opened.connection.close()


class _Names(dict[tuple[str, ...], str]):
    """Channels as the log's rows have them, encoded once for all events of a group that share them."""

    def __missing__(self, channels: tuple[str, ...]) -> str:
        text = self[channels] = orjson.dumps(channels).decode()
        return text


def _removals(events: int) -> int:
    return REMOVED_FOR_EACH * events + REMOVED_MORE
