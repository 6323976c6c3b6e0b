"""The database of a process: SQLite in the data folder, or PostgreSQL by ``DATABASE_URL``; for its callers the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Protocol, TypeVar

from sqlalchemy import Connection, insert, select

from hermes.db import tables
from hermes.errors import Unavailable
from hermes.settings import Settings

Result = TypeVar("Result")

FOLDER = "folder"
"""The name of the database's own id in the table of secrets."""


class Store(Protocol):
    """What differs between the two: how a transaction is had."""

    def open(self) -> str:
        """Connect, and bring the schema up to date while no other process does so; gives the revision."""

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """See :meth:`Database.run`."""

    def close(self) -> None:
        """Let go of all connections."""


class Database:
    """Keys, revocations, secrets and the audit. ``url`` is a PostgreSQL's; ``None``: the file ``hermes.db`` in ``data_dir``.

    Transactions are serializable: each runs as if it were alone, on either database, whatever it reads and writes. No
    connection is held outside a transaction, and nothing is opened before :meth:`open` or the first :meth:`run`. A child of a
    fork opens its own.
    Raises :class:`~hermes.errors.SettingsError` for a URL that cannot be used.
    """

    def __init__(self, url: str | None, data_dir: Path, *, pool: int = 5) -> None:
        self.shared = bool(url)
        """Whether processes on other machines can share it."""
        self._store = _store(url, data_dir, pool)
        self._is_open = False
        self._is_closed = False
        self.revision = ""
        """The schema that the database has, once it is open."""

    @classmethod
    def of(cls, settings: Settings) -> Database:
        """The database that the settings name."""
        url = settings.database_url.get_secret_value() if settings.database_url else None
        return cls(url, settings.data_dir, pool=settings.database_pool)

    @property
    def place(self) -> str:
        """Where it is, for people: without user and password."""
        return str(self._store)

    def open(self) -> None:
        """Connect and bring the schema up to date; of processes that start together one does it. Idempotent.

        Raises :class:`~hermes.errors.SettingsError` or :class:`~hermes.errors.StoreError` with a sentence for the operator,
        and :class:`~hermes.errors.Unavailable` where waiting may help.
        """
        if not self._is_open:
            self.revision = self._store.open()
            self._is_open, self._is_closed = True, False

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` as one transaction, commit when it returns, roll back when it raises; give back what it returns.

        ``work`` is run again where the database asks for it (a deadlock, a conflict with another transaction), so it changes
        nothing but the database. It runs in another thread where SQLite would stop the event loop, and must be short: it does
        not wait for anything else, and does not call :meth:`run`. Raises :class:`~hermes.errors.Unavailable` within some seconds
        where the database does not do it (an error in the statement itself is raised as SQLAlchemy has it); then nothing is
        known to be stored. Where it is not open yet, what :meth:`open` raises.
        """
        if self._is_closed:
            raise Unavailable("the database is closed")
        self.open()
        return self._store.run(work)

    def folder_id(self) -> str:
        """The id of this database, made once: two processes that see the same one share their data."""
        return self.run(_folder_id)

    def close(self) -> None:
        """Let go of all connections. Idempotent; :meth:`open` opens it again."""
        self._is_open, self._is_closed = False, True
        self._store.close()


def _folder_id(connection: Connection) -> str:
    table = tables.secrets
    found: str | None = connection.scalar(select(table.c.value).where(table.c.name == FOLDER))
    if found is not None:
        return found
    made = token_hex(16)
    connection.execute(insert(table).values(name=FOLDER, value=made, created_at=time.time_ns() // 1_000_000))
    return made


def _store(url: str | None, data_dir: Path, pool: int) -> Store:
    """Imported late: a process needs one of the two drivers."""
    if not url:
        from hermes.db.sqlite import SqliteStore

        return SqliteStore(data_dir)
    from hermes.db.postgres import PostgresStore

    return PostgresStore(url, pool)
