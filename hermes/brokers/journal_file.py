"""The SQLite file of the embedded store: how it is opened, its tables, and to which life of the sequence it belongs.

Every statement that touches many rows does so in one step of SQLite: Python's ``sqlite3`` gives the interpreter's lock back
for each step, and gets it again 5 ms later where the event loop is busy. A thousand rows with ``executemany`` beside a busy
loop took 312 ms, as rows of few statements 1.4 ms (measured).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psutil

from hermes.core.cursor import new_epoch
from hermes.errors import StoreError

FILE = "journal.db"
SCHEMA = 1

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BUSY_TIMEOUT_MS = 1000
"""How long a foreign lock (a backup, a shell) is waited for; all of it happens off the event loop."""

_ROWS_A_STATEMENT = (100, 10, 1)

_PRAGMAS = f"""
    PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS};
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -8000;
    PRAGMA temp_store = MEMORY;
"""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS log (
        number INTEGER PRIMARY KEY, stored_ms INTEGER NOT NULL, channels TEXT NOT NULL, record BLOB NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS floors (channel TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS floors_number ON floors (number)",
    """CREATE TABLE IF NOT EXISTS retained (
        id INTEGER PRIMARY KEY, channel TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL,
        record BLOB NOT NULL, UNIQUE (channel, key))""",
    "CREATE INDEX IF NOT EXISTS retained_order ON retained (channel, number)",
    """CREATE TABLE IF NOT EXISTS idempotency (
        key TEXT PRIMARY KEY, digest TEXT NOT NULL, cursors TEXT NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS idempotency_expiry ON idempotency (expires_ms)",
)

_RESTART = (
    "DELETE FROM log",
    "DELETE FROM floors",
    # What is retained keeps its order and its identity below every number of the new epoch.
    "UPDATE retained SET number = number - (SELECT max(number) FROM retained)",
)


_STANDS_AT = "SELECT (SELECT value FROM meta WHERE name = 'epoch'), (SELECT value FROM meta WHERE name = 'tip')"


class State(NamedTuple):
    """Where the sequence stands. ``time_ms`` is the journal's own time at its last write."""

    epoch: str
    tip: int
    floor: int
    time_ms: int


def boot_id() -> str:
    """What names this run of the machine: Linux' boot id, elsewhere the minute in which it booted.

    Where the clock is set and the boot minute moves with it, a journal that was not closed gets a new epoch: one needless
    ``reset``, never a number twice.
    """
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"boot-minute-{round(psutil.boot_time() / 60)}"


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode: each transaction is spelled out. Raises ``sqlite3.Error`` or ``OSError``."""
    if create:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.executescript(_PRAGMAS)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"The file system of {path} does not support SQLite's WAL: put HERMES_DATA_DIR on a local disk."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def identity(path: Path) -> tuple[int, int]:
    """Which file has this name. Raises ``OSError`` where there is none."""
    found = path.stat()
    return found.st_dev, found.st_ino


def begin(connection: sqlite3.Connection, boot: str, reached: State | None = None) -> State:
    """Make the tables, decide whether the sequence goes on, and take the clean-close mark off, all or nothing.

    The sequence goes on after a clean close, and on the same boot after a killed process: the kernel has kept what that one
    committed. After another boot without the mark the last commits may be gone, and a new epoch begins; so it does where
    the file knows less than this process has ``reached``. The commit is synced: the mark must not come back when power
    fails.
    """
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        state = _begin(connection, boot, reached)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("PRAGMA synchronous = NORMAL")
    return state


def _begin(connection: sqlite3.Connection, boot: str, reached: State | None) -> State:
    _check_schema(connection)
    for statement in _TABLES:
        connection.execute(statement)
    meta = read_meta(connection)
    whole = meta.get("boot") == boot or bool(meta.get("clean"))
    behind = reached is not None and reached.epoch == meta.get("epoch") and reached.tip > meta["tip"]
    state = State(meta.get("epoch", ""), meta.get("tip", 0), meta.get("floor", 0), meta.get("time_ms", 0))
    if not state.epoch or not whole or behind:
        for statement in _RESTART:
            connection.execute(statement)
        state = State(new_epoch(), 0, 0, state.time_ms)
    write_meta(connection, schema=SCHEMA, boot=boot, clean=0, **state._asdict())
    return state


def _check_schema(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone() is None:
        return
    found = read_meta(connection).get("schema")
    if found != SCHEMA:
        raise StoreError(
            f"The journal has the schema {found}, and this version of Hermes knows {SCHEMA}: start the version that wrote it,"
            f" or move {FILE} away (its history and retained state go with it)."
        )


def mark_clean(connection: sqlite3.Connection) -> None:
    """Say in the file that all of it is there, and bring it to the disk."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    write_meta(connection, clean=1)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def read_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """All of the file's facts about itself."""
    return dict(connection.execute("SELECT name, value FROM meta"))


def stands_at(connection: sqlite3.Connection) -> tuple[str, int]:
    """The epoch and the tip of the file."""
    epoch, tip = connection.execute(_STANDS_AT).fetchone()
    return epoch, tip


def write_meta(connection: sqlite3.Connection, **values: str | int) -> None:
    """Set some of them."""
    insert(connection, "OR REPLACE INTO meta", list(values.items()))


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]], then: str = "") -> None:
    """``INSERT`` + ``into``, ``rows``, ``then`` (an ``ON CONFLICT`` clause), many rows at a step."""
    done = 0
    for count in _ROWS_A_STATEMENT:
        while len(rows) - done >= count:
            statement = _insert(into, len(rows[0]), count, then)
            connection.execute(statement, tuple(chain.from_iterable(rows[done : done + count])))
            done += count


@lru_cache(maxsize=64)
def _insert(into: str, width: int, count: int, then: str) -> str:
    row = "(" + ", ".join("?" * width) + ")"
    return f"INSERT {into} VALUES {', '.join([row] * count)} {then}"  # noqa: S608 - names from this package, no values


def as_list(values: Iterable[Any]) -> str:
    """Values for a statement that reads them with ``json_each``."""
    return orjson.dumps(list(values)).decode()
