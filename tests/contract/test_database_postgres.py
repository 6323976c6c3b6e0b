"""PostgreSQL as a database of Hermes: conflicts, stalls, and what an operator gets wrong."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, text

from hermes.db import postgres as module
from hermes.db.database import Database
from hermes.errors import StoreError, Unavailable
from tests.contract.database_fixtures import PostgresDatabases
from tests.contract.helpers import in_threads
from tests.support.ports import free_port
from tests.support.postgres_server import PASSWORD, USER, PostgresServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live


def sleep(seconds: float) -> object:
    return lambda connection: connection.execute(text("SELECT pg_sleep(:s)"), {"s": seconds})


def one(connection: Connection) -> int:
    found: int = connection.scalar(text("SELECT 1"))
    return found


@pytest.fixture
def database(postgres: PostgresDatabases) -> Database:
    return postgres()


# Connections


def sessions(server: PostgresServer, url: str | None) -> list[tuple[int, str]]:
    name = str(url).rpartition("/")[2]
    rows = server.execute(
        f"SELECT pid, state FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"
    )
    return [(pid, state) for pid, state in rows]


def test_at_most_the_pool_and_none_in_a_transaction(
    postgres: PostgresDatabases, postgres_server: PostgresServer
) -> None:
    database = postgres(pool=2)
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(database.run, sleep(0.3)) for _ in range(6)]
        wait_until(lambda: len(sessions(postgres_server, postgres.arguments[0])) == 2)
        assert all(call.exception() is None for call in running)
    found = sessions(postgres_server, postgres.arguments[0])
    assert [state for _, state in found] == ["idle", "idle"]
    database.close()
    wait_until(lambda: not sessions(postgres_server, postgres.arguments[0]))


def test_a_full_pool_is_unavailable(postgres: PostgresDatabases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    database = postgres(pool=1)
    leave = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(database.run, lambda _: leave.wait(30))
        wait_until(lambda: database._store._engine.pool.checkedout() == 1)
        with pytest.raises(Unavailable, match="in use"):
            database.run(one)
        leave.set()
        running.exception(30)
    assert database.run(one) == 1


@pytest.mark.fault
def test_a_connection_that_was_cut_is_replaced(
    database: Database, postgres: PostgresDatabases, postgres_server: PostgresServer
) -> None:
    pid = database.run(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))
    postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert database.run(one) == 1


@pytest.mark.fault
def test_a_connection_that_is_cut_in_a_transaction_is_unavailable(
    database: Database, postgres_server: PostgresServer
) -> None:
    def work(connection: Connection) -> None:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable, match="PostgreSQL does not answer"):
        database.run(work)
    assert database.run(one) == 1


# Conflicts


def test_deadlocks_are_tried_again(database: Database) -> None:
    database.run(lambda c: c.execute(text("CREATE TABLE d (id INT PRIMARY KEY, n INT)")))
    database.run(lambda c: c.execute(text("INSERT INTO d VALUES (0, 0), (1, 0)")))
    both = threading.Barrier(2)
    tries = [0, 0]

    def work(index: int) -> None:
        def cross(connection: Connection) -> None:
            tries[index] += 1
            for step in (index, 1 - index):
                connection.execute(text("UPDATE d SET n = n + 1 WHERE id = :id"), {"id": step})
                if tries[index] == 1 and step == index:
                    both.wait(10)

        database.run(cross)

    in_threads(2, work)
    assert sum(tries) > 2
    assert database.run(lambda c: c.scalar(text("SELECT sum(n) FROM d"))) == 4


def test_endless_conflicts_are_unavailable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    tries = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$"))

    began = time.monotonic()
    with pytest.raises(Unavailable, match="too busy"):
        database.run(work)
    assert len(tries) > 2
    assert time.monotonic() - began < 3
    assert database.run(one) == 1


# Time


@pytest.mark.fault
def test_a_slow_statement_is_given_up(postgres: PostgresDatabases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    database = postgres()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="PostgreSQL was too slow"):
        database.run(sleep(30))
    assert time.monotonic() - began < 3
    assert database.run(one) == 1


@pytest.mark.fault
def test_a_stopped_server_is_unavailable_within_seconds(database: Database, postgres_server: PostgresServer) -> None:
    assert database.run(one) == 1
    postgres_server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            database.run(one)
        assert time.monotonic() - began < 10
        with pytest.raises(Unavailable):
            database.run(one)
    finally:
        postgres_server.resume()
    assert database.run(one) == 1


@pytest.mark.fault
def test_a_server_that_stops_in_a_transaction(database: Database, postgres_server: PostgresServer) -> None:
    def work(connection: Connection) -> None:
        postgres_server.pause()
        connection.execute(text("SELECT 1"))

    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            database.run(work)
        assert time.monotonic() - began < 10
    finally:
        postgres_server.resume()
    assert database.run(one) == 1


# What an operator gets wrong


def test_a_wrong_password_is_said_without_it(postgres: PostgresDatabases, postgres_server: PostgresServer) -> None:
    wrong = postgres_server.url().replace(PASSWORD, "guess-77")
    with pytest.raises(StoreError, match=r"refuses what DATABASE_URL says .*password") as raised:
        Database(wrong, postgres.arguments[1]).open()
    assert "guess-77" not in str(raised.value)
    assert str(raised.value).startswith(f"PostgreSQL at 127.0.0.1:{postgres_server.port}, database postgres: ")


def test_no_such_database(postgres: PostgresDatabases, postgres_server: PostgresServer) -> None:
    with pytest.raises(StoreError, match='"nowhere" does not exist'):
        Database(postgres_server.url("nowhere"), postgres.arguments[1]).open()


def test_no_server(postgres: PostgresDatabases) -> None:
    database = Database(f"postgres://u:secret@127.0.0.1:{free_port()}/d", postgres.arguments[1])
    with pytest.raises(Unavailable, match="refused") as raised:
        database.open()
    assert "secret" not in str(raised.value)


def test_a_user_without_rights(postgres: PostgresDatabases, postgres_server: PostgresServer) -> None:
    database = Database(guest(postgres, postgres_server), postgres.arguments[1])
    with pytest.raises(StoreError, match="GRANT CREATE ON SCHEMA public"):
        database.open()


def test_a_read_only_server_is_left_when_it_is_not_any_more(
    database: Database, postgres: PostgresDatabases, postgres_server: PostgresServer
) -> None:
    """As after a failover: the connections that lead to the replica must not stay in the pool."""
    name = str(postgres.arguments[0]).rpartition("/")[2]
    database.folder_id()

    def write(connection: Connection) -> None:
        connection.execute(text("UPDATE hermes_secrets SET value = value"))

    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database._store._engine.dispose()
    with pytest.raises(Unavailable, match="read-only"):
        database.run(write)
    postgres_server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    database.run(write)


def test_too_many_connections(postgres: PostgresDatabases, postgres_server: PostgresServer) -> None:
    url = guest(postgres, postgres_server, "CONNECTION LIMIT 1")
    postgres_server.execute("GRANT ALL ON SCHEMA public TO PUBLIC", postgres.arguments[0])
    database = Database(url, postgres.arguments[1])
    database.open()
    with postgres_server.connect(url), pytest.raises(Unavailable, match="HERMES_DATABASE_POOL"):
        database.run(one)
    wait_until(lambda: not sessions(postgres_server, postgres.arguments[0]))
    assert database.run(one) == 1
    database.close()


def guest(postgres: PostgresDatabases, server: PostgresServer, options: str = "") -> str:
    """The URL for a user who is nobody's owner."""
    url = str(postgres.arguments[0])
    name = f"guest_of_{url.rpartition('/')[2]}"
    server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}")
    return url.replace(f"{USER}:", f"{name}:")
