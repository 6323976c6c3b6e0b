"""The journal: one SQLite file that numbers and keeps events, and the one connection that writes to it.

Here is what a transaction is made of, and that memory follows it: what the file does not take, memory gives back. Which
calls are put together, and in which thread this runs, is `embedded`'s and `group_commit`'s.
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
from hermes.brokers.journal_retained import RetainedTable
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

    Ages are differences of it, so a wall clock that is set back or forward while Hermes runs neither removes history nor keeps
    it for longer, and time never goes back in the file. Time in which the machine slept does not count.
    """

    def __init__(self, clock: Clock, newest_ms: int) -> None:
        self._clock = clock
        self._start_ms = max(newest_ms, milliseconds(clock.now()))
        self._started = clock.monotonic()

    def now_ms(self) -> int:
        """Milliseconds, about since 1970."""
        return self._start_ms + milliseconds(self._clock.monotonic() - self._started)


class _Open:
    """What there is while the file is open: the connection, and memory's picture of the file."""

    def __init__(self, connection: sqlite3.Connection, state: State, bounds: Bounds, clock: Clock) -> None:
        self.connection = connection
        self.state = state
        self.index = journal_removal.load(connection, bounds.per_channel)
        self.removal = Removal(bounds, self.index)
        self.retained: RetainedTable = journal_retained.load(connection)
        self.time = SteadyTime(clock, state.time_ms)

    def keep(self, state: State) -> None:
        self.state = state
        self.index.keep()
        self.retained.keep()

    def give_back(self) -> None:
        self.index.give_back()
        self.retained.give_back()
        self.removal.give_back()

    def agrees(self) -> bool:
        """Whether the file stands where memory thinks."""
        meta = journal_file.read_meta(self.connection)
        return (meta["epoch"], meta["tip"]) == (self.state.epoch, self.state.tip)


class Journal:
    """Writes the file. Calls come one at a time, from any thread, and raise ``sqlite3.Error`` or ``OSError``.

    After an error that leaves the file in doubt, and when another file has taken its name, it is opened anew by the next
    call; ``guard`` is called before each opening and says whether this process may.
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

    def open(self) -> Tip:
        """Open or make the file, decide about the epoch, and load what memory keeps of it."""
        self._guard()
        connection = journal_file.connect(self._path, create=True)
        try:
            identity = journal_file.identity(self._path)
            state = journal_file.begin(connection, self._boot(), self._reached)
            self._opened = _Open(connection, state, self._bounds, self._clock)
        except BaseException:
            connection.close()
            raise
        self._identity, self._reached = identity, state
        return Tip(state.epoch, state.tip)

    def write(self, calls: Sequence[Call]) -> Written:
        """Number and store the new events of ``calls`` in one transaction; the answers keep the calls' order."""
        with self._transaction() as opened:
            state, now_ms = opened.state, opened.time.now_ms()
            known = journal_once.look_up(opened.connection, calls, now_ms)
            numbered = journal_once.number_calls(calls, state.epoch, state.tip, known)
            opened.state = self._store(opened, numbered, now_ms)
        return Written(state.epoch, state.tip + 1, numbered.events, numbered.answers)

    def upkeep(self) -> Tip:
        """Prove that the file is there and stands where it should, and remove a few events that are over a bound."""
        opened = self._ready()
        if not opened.agrees():
            self._drop()
            opened = self._ready()
        now_ms = opened.time.now_ms()
        if opened.removal.due(now_ms) or journal_once.any_expired(opened.connection, now_ms):
            with self._transaction():
                opened.state = self._remove(opened, opened.state, now_ms, REMOVED_IN_UPKEEP)
                journal_once.forget(opened.connection, now_ms, REMOVED_IN_UPKEEP)
        return Tip(opened.state.epoch, opened.state.tip)

    def close(self) -> None:
        """Mark the file as whole and let go of it. Idempotent; a mark that cannot be written costs one new epoch at most."""
        opened = self._opened
        if opened is None:
            return
        try:
            journal_file.mark_clean(opened.connection)
        except sqlite3.Error as error:
            _log.warning("the journal %s was closed without its mark: %s", self._path, error)
        finally:
            self._drop()

    # One transaction

    @contextmanager
    def _transaction(self) -> Iterator[_Open]:
        opened = self._ready()
        before = opened.state
        try:
            opened.connection.execute("BEGIN IMMEDIATE")
            yield opened
            opened.connection.execute("COMMIT")
        except BaseException:
            opened.state = before
            opened.give_back()
            self._settle(opened)
            raise
        opened.keep(opened.state)
        self._reached = opened.state

    def _store(self, opened: _Open, numbered: Numbered, now_ms: int) -> State:
        connection, state = opened.connection, opened.state
        journal_once.remember(connection, numbered.remember, now_ms)
        if numbered.remember:
            journal_once.forget(connection, now_ms, _removals(len(numbered.remember)))
        if not numbered.events:
            return state
        first = state.tip + 1
        names = _Names()
        rows = [
            (number, now_ms, names[event.channels], record)
            for number, (event, record) in enumerate(zip(numbered.events, numbered.records, strict=True), first)
        ]
        journal_file.insert(connection, "INTO log", rows)
        for (number, _, _, record), event in zip(rows, numbered.events, strict=True):
            opened.index.add(Stored(number, len(record), event.channels))
        opened.retained.store(connection, first, numbered.events, numbered.records)
        state = state._replace(tip=rows[-1][0], time_ms=now_ms)
        journal_file.write_meta(connection, tip=state.tip, time_ms=state.time_ms)
        return self._remove(opened, state, now_ms, _removals(len(rows)))

    def _remove(self, opened: _Open, state: State, now_ms: int, at_most: int) -> State:
        floor = opened.removal.run(opened.connection, now_ms, at_most)
        if floor is None:
            return state
        journal_file.write_meta(opened.connection, floor=floor)
        return state._replace(floor=floor)

    # The file

    def _ready(self) -> _Open:
        if self._opened is not None and not self._is_there():
            _log.error("the journal %s was removed or replaced while Hermes ran: opening it anew", self._path)
            self._drop()
        if self._opened is None:
            self.open()
        if self._opened is None:
            raise sqlite3.OperationalError("the journal is not open")
        return self._opened

    def _is_there(self) -> bool:
        try:
            return journal_file.identity(self._path) == self._identity
        except FileNotFoundError:
            return False

    def _settle(self, opened: _Open) -> None:
        """After an error: go on with the connection only where the file and memory agree."""
        try:
            if opened.connection.in_transaction:
                opened.connection.execute("ROLLBACK")
            if opened.agrees():
                return
        except (sqlite3.Error, LookupError):
            pass
        self._drop()

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
