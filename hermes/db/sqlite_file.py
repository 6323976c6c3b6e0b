"""The SQLite file of the database: how it is made and opened, and what its errors mean for an operator."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from hermes.errors import SettingsError, StoreError

FILE = "hermes.db"

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Somebody else has it; nothing was done."""

BROKEN = frozenset(
    {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)
"""The file is not what it was when it was opened."""

_PRAGMAS = """
    PRAGMA busy_timeout = 20;
    PRAGMA foreign_keys = ON;
    PRAGMA synchronous = NORMAL;
    PRAGMA journal_size_limit = 16777216;
"""

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk of the data folder is full",
    sqlite3.SQLITE_READONLY: "the data folder cannot be written",
    sqlite3.SQLITE_PERM: "the data folder cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk of the data folder fails",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged",
    sqlite3.SQLITE_BUSY: "another program holds the database locked",
    sqlite3.SQLITE_LOCKED: "another program holds the database locked",
}


def open_engine(path: Path) -> Engine:
    """An engine with one connection, which any thread may use in its turn; each transaction is BEGIN IMMEDIATE.

    Makes the folder and the file where they are missing. Raises :class:`~hermes.errors.SettingsError`,
    :class:`~hermes.errors.StoreError`, or what SQLite raises, as SQLAlchemy has it.
    """
    make_file(path)
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(path),
        poolclass=StaticPool,
        hide_parameters=True,
        pool_reset_on_return=None,
    )
    event.listen(engine, "begin", _begin)
    return engine


def make_file(path: Path) -> None:
    """Make the file, which nobody else may read; SQLite gives its other files the same mode.

    A file that is there is not opened: closing it again would take this process's own locks off it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
    except OSError as error:
        raise SettingsError(
            f"HERMES_DATA_DIR: {path.parent} cannot be used ({error.strerror}): name a folder that this user may write to."
        ) from error


def identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name; ``None`` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def code_of(error: DBAPIError) -> int:
    """SQLite's primary result code; 0 where it gave none."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def reason(error: DBAPIError) -> str | None:
    """Why the database did not do it, in words that an operator can act on; ``None`` for a statement that is wrong."""
    text = _REASONS.get(code_of(error))
    return f"{text} ({error.orig})" if text else None


def remedy(error: DBAPIError) -> str:
    """What to do about a file that cannot be opened, where there is something to say; begins with a space."""
    if code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f" Put a copy of {FILE} back, or move {FILE}* away to begin with an empty one: all keys go with it."
    return ""


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.executescript(_PRAGMAS)
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":  # asked first: changing it, even to the same, wants the file for itself
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"The file system of {path} does not support SQLite's WAL: put HERMES_DATA_DIR on a local disk."
            )
    except BaseException:
        connection.close()
        raise
    return connection
