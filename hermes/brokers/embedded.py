"""The embedded broker: one process that keeps its log in a SQLite journal."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from hermes.brokers import journal_file
from hermes.brokers.base import Bounds, Feed
from hermes.brokers.folder_lock import FolderLock
from hermes.brokers.group_commit import Closed, GroupWriter, Overloaded
from hermes.brokers.journal import Journal, Written
from hermes.brokers.journal_once import Call
from hermes.brokers.journal_reader import JournalReader
from hermes.core.clock import Clock
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.publisher import Once
from hermes.core.recovery import Tip
from hermes.core.retained import Snapshot
from hermes.errors import Conflict, StoreError, Unavailable
from hermes.loop import Offload

PUBLISH_TIMEOUT = 10.0
TIP_TIMEOUT = 1.5
CLOSE_TIMEOUT = 20.0
"""Seconds to wait for the disk."""

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class EmbeddedBroker:
    """See :class:`hermes.brokers.base.Broker` for what it promises.

    One process owns the folder, by a lock that ends with it. All writing is done by one writer, in groups: numbers, log,
    removal, floors, retained state and idempotency keys in one transaction; then the feed is given the events, in the
    event loop's thread; then each caller its answer. All work of SQLite runs off the event loop. A commit survives a
    killed process; when power fails the last commits may be lost, and a new epoch tells.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        bounds: Bounds | None = None,
        boot: Callable[[], str] = journal_file.boot_id,
    ) -> None:
        self._folder = folder
        self._lock = FolderLock(folder)
        path = folder / journal_file.FILE
        self._journal = Journal(path, clock, bounds or Bounds(), boot=boot, guard=self._own)
        self._reader = JournalReader(path)
        self._writer: GroupWriter | None = None
        self._feed: Feed | None = None
        self._closing = threading.Lock()
        self._failing = False

    def open(self, wait: float = 0.0, keep_alive: Callable[[], None] | None = None) -> None:
        """Become the owner of the folder within ``wait`` seconds, and open the journal.

        ``keep_alive`` is called meanwhile, some times a second. Raises :class:`~hermes.errors.StoreError` with a sentence
        for the operator.
        """
        self._own(wait, keep_alive)
        self._off_loop_write, self._off_loop_read = Offload(), Offload()
        try:
            self._off_loop_write(self._journal.open)
        except BaseException as error:
            self._let_go()
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreError(
                    f"The journal in {self._folder} cannot be opened: {_reason(error)}.{_remedy(error)}"
                ) from error
            raise
        self._writer = GroupWriter(self._write, self._upkeep, self._hand_over)

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        """See :meth:`hermes.brokers.base.Broker.publish`."""
        call = Call(events, [event.record() for event in events], once, each or {})
        return self._asked(lambda writer: writer.publish(call, PUBLISH_TIMEOUT), "nothing is known to be stored")

    def feed(self, feed: Feed) -> None:
        """See :meth:`hermes.brokers.base.Broker.feed`."""
        self._feed = feed

    def read(self, after: int, max_events: int, max_bytes: int) -> Page:
        """See :meth:`hermes.brokers.base.Broker.read`."""
        return self._read(lambda: self._reader.page(after, max_events, max_bytes))

    def tip(self, streams: int = 0) -> Tip:
        """See :meth:`hermes.brokers.base.Broker.tip`; this process is the whole fleet."""
        tip = self._asked(lambda writer: writer.tip(TIP_TIMEOUT), "the store does not work")
        return tip._replace(streams=streams)

    def retained(self, items: Collection[str]) -> Snapshot:
        """See :meth:`hermes.brokers.base.Broker.retained`."""
        return self._read(lambda: self._reader.retained(items))

    def close(self) -> None:
        """Finish what was accepted, mark the journal as whole, and give up the lock, in this order. Idempotent."""
        with self._closing:
            writer, self._writer = self._writer, None
            if writer is None:
                return
            if not writer.stop(CLOSE_TIMEOUT):
                _log.error(
                    "the disk of %s does not answer: the journal stays locked until this process ends", self._folder
                )
                return
            try:
                self._off_loop_read(self._reader.close)
                self._off_loop_write(self._journal.close)
            finally:
                self._let_go()

    def _own(self, wait: float = 0.0, keep_alive: Callable[[], None] | None = None) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The data folder {self._folder} cannot be made ({error.strerror}): set HERMES_DATA_DIR."
            ) from error
        self._lock.acquire(wait, keep_alive)

    # What the writer does

    def _write(self, calls: Sequence[Call]) -> Written:
        return self._noted(lambda: self._off_loop_write(lambda: self._journal.write(calls)))

    def _upkeep(self) -> Tip:
        return self._noted(lambda: self._off_loop_write(self._journal.upkeep))

    def _hand_over(self, written: Written) -> None:
        for number, event in enumerate(written.events, written.first):
            event.number = number
        if self._feed is not None and written.events:
            self._feed.accept(written.epoch, written.first, written.events)

    def _noted(self, work: Callable[[], Result]) -> Result:
        """Say in the log when writing begins to fail, and when it works again."""
        try:
            result = work()
        except Exception as error:
            if not self._failing:
                self._failing = True
                _log.exception("the journal in %s cannot be written: %s", self._folder, _reason(error))
            raise
        if self._failing:
            self._failing = False
            _log.warning("the journal in %s works again", self._folder)
        return result

    # What callers hear

    def _asked(self, ask: Callable[[GroupWriter], Result], meaning: str) -> Result:
        writer = self._writer
        if writer is None:
            raise Unavailable("the store is closed")
        try:
            return ask(writer)
        except Conflict:
            raise
        except Closed:
            raise Unavailable("the store is closed") from None
        except Exception as error:
            raise Unavailable(f"{_reason(error)}: {meaning}") from error

    def _read(self, work: Callable[[], Result]) -> Result:
        if self._writer is None:
            raise Unavailable("the store is closed")
        try:
            return self._off_loop_read(work)
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"{_reason(error)}: the history cannot be read") from error

    def _let_go(self) -> None:
        self._off_loop_read.close()
        self._off_loop_write.close()
        self._lock.release()


_REASONS = {
    sqlite3.SQLITE_FULL: "the disk of the data folder is full",
    sqlite3.SQLITE_READONLY: "the data folder cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the journal cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk of the data folder fails",
    sqlite3.SQLITE_CORRUPT: "the journal is damaged",
    sqlite3.SQLITE_NOTADB: "the journal is damaged",
    sqlite3.SQLITE_BUSY: "another program holds the journal locked",
    sqlite3.SQLITE_LOCKED: "another program holds the journal locked",
}


def _reason(error: BaseException) -> str:
    """Why the journal did not do it, in words that an operator can act on."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return f"{_REASONS.get(code, 'the journal failed')} ({error})"
    if isinstance(error, Overloaded):
        return "more is published than the disk of the data folder takes"
    if isinstance(error, TimeoutError):
        return f"the disk of the data folder is too slow ({error})"
    if isinstance(error, OSError):
        return f"the data folder cannot be used ({os.strerror(error.errno) if error.errno else error})"
    return f"the journal failed ({error})"


def _remedy(error: BaseException) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f" Move {journal_file.FILE}* away to begin with an empty one, or put a copy of it back."
    return ""
