"""The database in a SQLite file of the data folder: one connection, used in turns and off the event loop.

Other processes on this machine may have the same file open. SQLite waits for their locks without yielding to anybody, so
here only short waits are left to it, and the longer ones happen between two tries.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from hermes.db import sqlite_file
from hermes.db.health import Health
from hermes.db.schema import upgrade
from hermes.errors import SettingsError, StoreError, Unavailable
from hermes.loop import Offload

Result = TypeVar("Result")

PATIENCE = 5.0
OPEN_PATIENCE = 30.0
"""Seconds that a call waits for its turn and for the locks of other processes; at start one of these may be migrating."""

PAUSE = 0.01
"""Seconds between two tries at most."""

_log = logging.getLogger(__name__)


class SqliteStore:
    """See :class:`hermes.db.database.Database` for what it promises. Nothing is opened before :meth:`open`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / sqlite_file.FILE
        self._health = Health(str(self))
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None
        self._orphaned = False
        self._begin_process()
        _stores.add(self)

    def __str__(self) -> str:
        return str(self._path)

    def _begin_process(self) -> None:
        self._turn = threading.Lock()
        self._offload: Offload | None = None
        self._forker: int | None = None

    def open(self) -> str:
        """See :class:`hermes.db.database.Store`."""
        try:
            return self._in_turn(lambda: self._transaction(upgrade), OPEN_PATIENCE)
        except DBAPIError as error:
            reason = sqlite_file.reason(error) or str(error.orig)
            if sqlite_file.code_of(error) in sqlite_file.BUSY:
                raise Unavailable(reason) from error
            raise StoreError(
                f"The database {self._path} cannot be opened: {reason}.{sqlite_file.remedy(error)}"
            ) from error

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """See :meth:`hermes.db.database.Database.run`."""
        try:
            result = self._in_turn(lambda: self._transaction(work), PATIENCE)
        except DBAPIError as error:
            reason = sqlite_file.reason(error)
            if reason is None:
                raise
            self._health.fails(reason)
            raise Unavailable(reason) from error
        except (SettingsError, StoreError) as error:
            self._health.fails(error)
            raise Unavailable("the database cannot be opened") from error
        except Unavailable as error:
            self._health.fails(error)
            raise
        self._health.works()
        return result

    def close(self) -> None:
        """See :class:`hermes.db.database.Store`."""
        if not self._turn.acquire(timeout=PATIENCE):
            _log.error("a transaction on %s does not end: it stays open until this process ends", self._path)
            return
        try:
            offload, self._offload = self._offload, None
            if offload is not None:
                offload(self._drop)
                offload.close()
        finally:
            self._turn.release()

    # Turns

    def _in_turn(self, work: Callable[[], Result], patience: float) -> Result:
        """Run ``work`` off the event loop, and again while another process holds a lock."""
        if self._orphaned:
            raise Unavailable("this process was forked in the middle of a transaction: its database cannot be used")
        deadline = time.monotonic() + patience
        if not self._turn.acquire(timeout=patience):
            raise Unavailable("the database is too slow: earlier calls still wait for it")
        try:
            if self._offload is None:
                self._offload = Offload()
            while True:
                try:
                    return self._offload(work)
                except DBAPIError as error:
                    if sqlite_file.code_of(error) not in sqlite_file.BUSY or time.monotonic() >= deadline:
                        raise
                time.sleep(random.uniform(PAUSE / 5, PAUSE))
        finally:
            self._turn.release()

    # What happens off the event loop

    def _transaction(self, work: Callable[[Connection], Result]) -> Result:
        engine = self._ready()
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if sqlite_file.code_of(error) in sqlite_file.BROKEN:
                self._drop()  # whatever it is by then, it is opened anew
            raise

    def _ready(self) -> Engine:
        if self._engine is not None and sqlite_file.identity(self._path) != self._identity:
            _log.error("the database %s was removed or replaced while Hermes ran: opening it anew", self._path)
            self._drop()
        if self._engine is None:
            engine = sqlite_file.open_engine(self._path)
            try:
                with engine.begin() as connection:
                    upgrade(connection)
            except BaseException:
                engine.dispose()
                raise
            self._engine, self._identity = engine, sqlite_file.identity(self._path)
        return self._engine

    def _drop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with suppress(DBAPIError):
                engine.dispose()

    # Forks

    def before_fork(self) -> None:
        """Close the file at the end of the running transaction, and let no other begin.

        A child with its parent's connection would take part in the parent's locks, and lose data when either closes it.
        """
        if self._turn.acquire(timeout=PATIENCE):
            self._forker = threading.get_ident()
            self._drop()

    def after_fork(self) -> None:
        """In the parent: go on."""
        if self._forker == threading.get_ident():
            self._forker = None
            self._turn.release()

    def after_fork_in_child(self) -> None:
        """In the child: begin anew, unless something of the parent is left."""
        self._orphaned = self._forker != threading.get_ident()
        self._begin_process()


def _each(step: Callable[[SqliteStore], None]) -> None:
    for store in list(_stores):
        step(store)


_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
os.register_at_fork(
    before=lambda: _each(SqliteStore.before_fork),
    after_in_parent=lambda: _each(SqliteStore.after_fork),
    after_in_child=lambda: _each(SqliteStore.after_fork_in_child),
)
