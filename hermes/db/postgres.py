"""The database on PostgreSQL: a small pool of connections, each held for one transaction.

psycopg yields under gevent by itself, where it was imported after the patching (measured: five queries of 0.5 s in 0.51 s).
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, QueuePool

from hermes.db.health import Health
from hermes.db.postgres_url import Address, parse_address
from hermes.db.schema import upgrade
from hermes.errors import StoreError, Unavailable

Result = TypeVar("Result")

PATIENCE = 4.0
"""Seconds that a statement, the wait for a connection, and all tries of a transaction together may take."""

OPEN_PATIENCE = 60.0
"""The same at start, where another process may be migrating."""

LOOK = 0.1
"""Seconds between two looks of psycopg at its socket."""

MARGIN = 1.0
"""Seconds after which a server that should have given up a statement by itself is taken for dead."""

RECYCLE = 1800
"""Seconds after which a connection is replaced, so that none outlives a server that moved."""

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.2
"""Seconds between two tries; doubled, with jitter."""

LOCK = 0x4865726D6573
"""The advisory lock of the migrations: "Hermes" in ASCII."""

_AGAIN = frozenset({"40001", "40P01"})
"""A conflict with another transaction, and a deadlock: this one was undone, and may work now."""

_READ_ONLY = "25006"
_FULL = "53300"
_REFUSED = "28000"

_WHILE_CONNECTING = {
    _FULL: re.compile("too many connections|connection slots"),
    _REFUSED: re.compile("authentication failed|does not exist|password|pg_hba|not permitted|support SSL|certificate"),
}
"""What goes wrong before there is a connection has no code, only words."""

_OURS = (IntegrityError, DataError, ProgrammingError)
"""What is wrong with a statement, and not with the server."""

_SENTENCES = {
    "42501": "the user in DATABASE_URL may not do this: let it create tables (GRANT CREATE ON SCHEMA public TO ...)",
    "53100": "the disk of PostgreSQL is full",
    _FULL: "PostgreSQL takes no more connections: give it more, or lower HERMES_DATABASE_POOL",
    "57014": "PostgreSQL was too slow",
    _REFUSED: "PostgreSQL refuses what DATABASE_URL says",
    _READ_ONLY: "PostgreSQL is read-only: a replica, or its disk is nearly full",
}


class PostgresStore:
    """See :class:`hermes.db.database.Database` for what it promises. Nothing is opened before :meth:`open`."""

    def __init__(self, url: str, pool: int) -> None:
        self._address = parse_address(url)
        self._pool = pool
        self._health = Health(str(self))
        self._inherited: list[Engine] = []
        self._begin_process()

    def __str__(self) -> str:
        return str(self._address)

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._engine = _engine(
            self._address,
            PATIENCE,
            isolation_level="SERIALIZABLE",
            poolclass=QueuePool,
            pool_size=self._pool,
            max_overflow=0,
            pool_timeout=PATIENCE,
            pool_pre_ping=True,
            pool_recycle=RECYCLE,
        )

    def open(self) -> str:
        """See :class:`hermes.db.database.Store`."""
        # Not serializable: what a transaction sees there begins before the lock is had, so before the others' migrations.
        engine = _engine(self._address, OPEN_PATIENCE, isolation_level="READ COMMITTED", poolclass=NullPool)
        try:
            return _transaction(engine, OPEN_PATIENCE, _migrate)
        except DBAPIError as error:
            raise _refusal(error, self._address) from None

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """See :meth:`hermes.db.database.Database.run`."""
        self._ensure_own()
        try:
            result = self._until(time.monotonic() + PATIENCE, work)
        except PoolTimeout as error:
            self._health.fails(error)
            raise Unavailable("all connections to the database are in use") from None
        except _OURS:
            raise
        except DBAPIError as error:
            self._health.fails(_detail(error))
            if _state(error) == _READ_ONLY:
                self._engine.dispose()
            raise Unavailable(_sentence(error)) from None
        self._health.works()
        return result

    def close(self) -> None:
        """See :class:`hermes.db.database.Store`."""
        self._ensure_own()
        self._engine.dispose()

    def _until(self, deadline: float, work: Callable[[Connection], Result]) -> Result:
        pause = FIRST_PAUSE
        while True:
            try:
                return _transaction(self._engine, PATIENCE, work)
            except DBAPIError as error:
                wait = random.uniform(0.5, 1.0) * pause
                if _state(error) not in _AGAIN or time.monotonic() + wait > deadline:
                    raise
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _ensure_own(self) -> None:
        """A child of a fork leaves its parent's connections alone: it neither uses nor closes them."""
        if os.getpid() != self._pid:
            self._inherited.append(self._engine)
            self._begin_process()


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection on which no wait is without end: a stopped server, or one behind a dead link, never answers at all.

    It belongs to one process. A fork under gevent copies every greenlet; one in the middle of a transaction would go on in
    the child too, on the socket of its parent.
    """

    patience = PATIENCE + MARGIN

    def __init__(self, *args: Any, **options: Any) -> None:
        self._owner = os.getpid()
        super().__init__(*args, **options)

    @property
    def closed(self) -> bool:
        """See psycopg. A child may not even close it: that would be a goodbye to the server in its parent's name."""
        return os.getpid() != self._owner or super().closed

    def wait(self, gen: PQGen[Result], interval: float = LOOK, timeout: float | None = None) -> Result:
        """See psycopg: all that goes to the server and comes from it does so within this."""
        if os.getpid() != self._owner:
            raise psycopg.OperationalError("this connection belongs to the process that was forked")
        try:
            return super().wait(gen, interval, timeout or self.patience)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.close()  # an answer may still come, and must not be taken for that of another statement
            raise


def _engine(address: Address, patience: float, **options: Any) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args={
            **address.options,
            "prepare_threshold": None,
        },  # a pooler in between may not know what is prepared
        hide_parameters=True,
        **options,
    )

    @event.listens_for(engine, "do_connect")
    def _(_dialect: object, _record: object, args: list[Any], options: dict[str, Any]) -> BoundedConnection:
        connection = BoundedConnection.connect(*args, **options)
        connection.patience = patience + MARGIN
        return connection

    return engine


def _transaction(engine: Engine, patience: float, work: Callable[[Connection], Result]) -> Result:
    """One try. The server is told how long things may take within the transaction, because a pooler drops what is said before."""
    limit = str(round(patience * 1000))
    with engine.begin() as connection:
        connection.execute(_LIMITS, {"limit": limit})
        return work(connection)


_LIMITS = text(
    "SELECT set_config('statement_timeout', :limit, true),"
    " set_config('idle_in_transaction_session_timeout', :limit, true)"
)


def _migrate(connection: Connection) -> str:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    return upgrade(connection)


def _state(error: DBAPIError) -> str:
    """PostgreSQL's code for what happened; empty where there is none."""
    code: str | None = getattr(error.orig, "sqlstate", None)
    if code is None and not error.connection_invalidated:
        return next((code for code, words in _WHILE_CONNECTING.items() if words.search(str(error.orig))), "")
    return code or ""


def _sentence(error: DBAPIError) -> str:
    """What callers hear; it names no host and no user."""
    if _state(error) in _AGAIN:
        return "the database is too busy: transactions got in each other's way again and again"
    return _SENTENCES.get(_state(error), "PostgreSQL does not answer")


def _detail(error: DBAPIError) -> str:
    """What the log says."""
    return " ".join(str(error.orig).split())


def _refusal(error: DBAPIError, address: Address) -> StoreError | Unavailable:
    """What is said at start."""
    reason = f"{address}: {_SENTENCES.get(_state(error), 'it cannot be used')} ({_detail(error)})"
    is_lasting = isinstance(error, _OURS) or _state(error) == _REFUSED
    return StoreError(f"{reason}.") if is_lasting else Unavailable(reason)
