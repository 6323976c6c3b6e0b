"""Databases of both kinds for the tests that hold them to one contract: how each is made, taken away and looked into."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Connection, create_engine, text

from hermes.db.database import Database
from tests.support.postgres_server import PostgresServer


class DatabaseFactory(Protocol):
    """One database, empty at first, and any number of `Database` on it; those left open are closed with the test."""

    kind: str
    arguments: tuple[str | None, Path]
    """What `Database` takes, here and in another process."""

    def __call__(self, **options: Any) -> Database:
        """One that is open."""

    def make(self, **options: Any) -> Database:
        """One that is not open yet."""

    def raw(self) -> Any:
        """A context with a connection that is not Hermes' own, in a transaction."""

    def outage(self) -> Any:
        """A context in which the database cannot be used."""


class _Databases:
    def __init__(self, kind: str, url: str | None, folder: Path) -> None:
        self.kind = kind
        self.arguments = (url, folder)
        self._stack = ExitStack()

    def __call__(self, **options: Any) -> Database:
        database = self.make(**options)
        database.open()
        return database

    def make(self, **options: Any) -> Database:
        database = Database(*self.arguments, **options)
        self._stack.callback(database.close)
        return database

    @contextmanager
    def raw(self) -> Iterator[Connection]:
        url, folder = self.arguments
        where = (url or f"sqlite:///{folder / 'hermes.db'}").replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(where)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def close(self) -> None:
        self._stack.close()


class SqliteDatabases(_Databases):
    """Files in a folder; another program's lock is the outage."""

    def __init__(self, folder: Path) -> None:
        super().__init__("sqlite", None, folder)

    @contextmanager
    def outage(self) -> Iterator[None]:
        intruder = sqlite3.connect(self.arguments[1] / "hermes.db", isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            intruder.close()


class PostgresDatabases(_Databases):
    """A database on the tests' server; that it is killed is the outage."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        super().__init__("postgresql", server.new_database(), folder)
        self._server = server

    def close(self) -> None:
        super().close()
        self._server.drop_database(str(self.arguments[0]))

    @contextmanager
    def outage(self) -> Iterator[None]:
        self._server.kill9()
        try:
            yield
        finally:
            self._server.start()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests, which may hurt it but leave it running; it starts when a test asks for it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseFactory]:
    """Makes databases of either kind on one store."""
    folder = tmp_path / "data"
    if request.param == "sqlite":
        factory: Any = SqliteDatabases(folder)
    else:
        factory = PostgresDatabases(request.getfixturevalue("postgres_server"), folder)
    yield factory
    factory.close()


@pytest.fixture
def postgres(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[PostgresDatabases]:
    """Databases on PostgreSQL alone."""
    factory = PostgresDatabases(postgres_server, tmp_path / "data")
    yield factory
    factory.close()


@pytest.fixture
def database(databases: DatabaseFactory) -> Database:
    """One that is open and has the tables, all of them empty, and one more to count in."""
    opened = databases()
    with databases.raw() as connection:
        connection.execute(text("CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO counts VALUES ('a', 0), ('b', 0)"))
    return opened
