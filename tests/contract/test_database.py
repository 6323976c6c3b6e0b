"""The database: the same promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from hermes.db import schema, tables
from hermes.db.database import Database
from hermes.db.folder import check_folder
from hermes.errors import StoreError, Unavailable
from tests.contract.database_fixtures import DatabaseFactory
from tests.contract.helpers import in_threads
from tests.rules.tree import ROOT
from tests.support.wait import wait_until

KEY = {
    "id": "k1",
    "name": "robot",
    "digest": "d1",
    "subscribe": ["public:*", "user:ä"],
    "publish": [],
    "admin": False,
    "tokens": True,
    "created_at": 1_800_000_000_123,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": 2**62,
}
ROW = {
    "at": 1,
    "action": "open",
    "principal": "",
    "address": "",
    "target": "",
    "outcome": "ok",
    "count": 1,
    "detail": "",
}


def count(database: Database, name: str = "a") -> int:
    return database.run(lambda connection: _count(connection, name))


def _count(connection: Connection, name: str) -> int:
    found: int = connection.scalar(text("SELECT count FROM counts WHERE name = :name"), {"name": name})
    return found


def _set(connection: Connection, name: str, value: int) -> None:
    connection.execute(text("UPDATE counts SET count = :value WHERE name = :name"), {"name": name, "value": value})


def add_one(connection: Connection, name: str = "a") -> None:
    """What loses an update wherever two transactions do it at once."""
    _set(connection, name, _count(connection, name) + 1)


# One transaction


def test_what_returned_is_committed(database: Database, databases: DatabaseFactory) -> None:
    assert database.run(lambda connection: (add_one(connection), "done")[1]) == "done"
    assert count(databases()) == 1


def test_what_raised_is_rolled_back(database: Database, databases: DatabaseFactory) -> None:
    calls = []

    def fail(connection: Connection) -> None:
        calls.append(1)
        add_one(connection)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        database.run(fail)
    assert calls == [1]
    assert count(database) == count(databases()) == 0


def test_errors_of_a_statement_are_its_callers(database: Database) -> None:
    database.run(lambda connection: connection.execute(insert(tables.api_keys), KEY))

    def twice(connection: Connection) -> None:
        add_one(connection)
        connection.execute(insert(tables.api_keys), KEY | {"id": "k2"})

    with pytest.raises(IntegrityError) as raised:
        database.run(twice)
    assert "robot" not in str(raised.value), "parameters may be secret"
    with pytest.raises((ProgrammingError, OperationalError), match="nowhere"):
        database.run(lambda connection: connection.execute(text("SELECT * FROM nowhere")))
    assert count(database) == 0


def test_values_come_back_as_they_were(database: Database) -> None:
    def store(connection: Connection) -> Any:
        connection.execute(insert(tables.api_keys), KEY)
        return connection.execute(select(tables.api_keys)).mappings().one()

    assert dict(database.run(store)) == KEY


@pytest.mark.parametrize("hostile", ["a\0b", "a\ud800b", "a\udfff", "\ud83d\ude00\0"])
def test_text_that_a_database_would_refuse(database: Database, hostile: str) -> None:
    def store(connection: Connection) -> tuple[str, str | None]:
        table = tables.secrets
        connection.execute(insert(table), {"name": hostile, "value": hostile, "created_at": 1})
        row = connection.execute(select(table).where(table.c.name == hostile)).one()
        return row.name, row.value

    name, value = database.run(store)
    assert name == value
    assert "\ufffd" in name
    assert len(name) <= len(hostile)


def test_an_audit_id_is_given_once(database: Database) -> None:
    def add(connection: Connection) -> int:
        return connection.execute(insert(tables.audit), ROW).inserted_primary_key[0]

    first = [database.run(add) for _ in range(3)]
    assert first == sorted(set(first))
    database.run(lambda connection: connection.execute(tables.audit.delete()))
    assert database.run(add) > first[-1]
    assert database.run(lambda connection: connection.scalar(select(func.count()).select_from(tables.audit))) == 1


# Many


def test_no_update_is_lost(database: Database, databases: DatabaseFactory) -> None:
    others = [database, databases(), databases(pool=1)]

    def work(index: int) -> None:
        for _ in range(25):
            others[index % 3].run(add_one)

    in_threads(6, work)
    assert count(database) == 150


def test_transactions_are_as_if_alone(database: Database) -> None:
    """Each takes what it sees in both and writes to one: at the end only the first of a pair may have found nothing."""

    def take(name: str) -> None:
        def work(connection: Connection) -> None:
            if _count(connection, "a") + _count(connection, "b") == 0:
                time.sleep(0.01)
                _set(connection, name, 1)

        database.run(work)

    for _ in range(5):
        database.run(lambda connection: connection.execute(text("UPDATE counts SET count = 0")))
        in_threads(2, lambda index: take("ab"[index]))
        assert count(database, "a") + count(database, "b") == 1


def test_folder_id_is_one(databases: DatabaseFactory) -> None:
    opened = [databases() for _ in range(4)]
    found: list[str] = []
    in_threads(8, lambda index: found.append(opened[index % 4].folder_id()))
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) >= 32


def test_check_folder(databases: DatabaseFactory) -> None:
    database = databases()
    claims: list[str] = []

    def claim(id: str) -> str:
        claims.append(id)
        return claims[0]

    check_folder(database, claim)
    check_folder(databases(), claim)
    claims[:1] = ["another"]
    if database.shared:
        check_folder(database, claim)
    else:
        with pytest.raises(StoreError, match=r"HERMES_DATA_DIR, or set DATABASE_URL"):
            check_folder(database, claim)
        assert set(claims[1:]) == {database.folder_id()}


# Opening and closing


def test_open_and_close(databases: DatabaseFactory) -> None:
    database = databases.make()
    assert database.folder_id(), "opened by its first use"
    database.open()
    assert database.revision == schema.head()
    database.close()
    database.close()
    with pytest.raises(Unavailable, match="closed"):
        database.folder_id()
    database.open()
    assert database.folder_id()


def test_migrations_and_models_agree(databases: DatabaseFactory) -> None:
    databases()
    with databases.raw() as connection:
        context = MigrationContext.configure(connection, opts=schema.OPTIONS | {"compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        for table in tables.metadata.sorted_tables:
            found = inspect(connection).get_pk_constraint(table.name)
            assert found["name"] in (table.primary_key.name, None), "SQLite names none that counts up by itself"
            assert found["constrained_columns"] == [column.name for column in table.primary_key]


def test_processes_that_start_at_once_migrate_once(databases: DatabaseFactory) -> None:
    script = SCRIPT + "print(database.revision, database.folder_id()); database.close()"
    children = [start(script, databases) for _ in range(8)]
    printed = [finish(child) for child in children]
    assert len(set(printed)) == 1
    assert printed[0].startswith(schema.head())


def test_a_database_of_a_newer_hermes_is_refused(databases: DatabaseFactory) -> None:
    databases().close()
    with databases.raw() as connection:
        connection.execute(text("UPDATE hermes_schema SET version_num = '9999'"))
    with pytest.raises(
        StoreError, match=rf"the schema 9999 of a newer Hermes, and this one knows {schema.head()}: start"
    ):
        databases.make().open()


def test_a_failed_migration_leaves_nothing(databases: DatabaseFactory) -> None:
    databases().close()
    with databases.raw() as connection:
        for table in [*tables.metadata.sorted_tables, "hermes_schema"]:
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("CREATE TABLE hermes_secrets (somebody TEXT)"))
    with pytest.raises(StoreError, match="hermes_secrets"):
        databases.make().open()
    with databases.raw() as connection:
        assert set(inspect(connection).get_table_names()) - {"hermes_schema", "sqlite_sequence"} == {"hermes_secrets"}
        connection.execute(text("DROP TABLE hermes_secrets"))
    assert databases().folder_id()


# When it is away


@pytest.mark.fault
def test_an_outage_is_said_within_seconds_and_ends(
    database: Database, databases: DatabaseFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """However many calls wait, they do so together: none waits for the end of another's wait."""

    def fail(_: int) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable) as raised:
            database.run(add_one)
        assert time.monotonic() - began < 10
        assert "127.0.0.1" not in str(raised.value)

    database.run(add_one)
    with databases.outage():
        in_threads(30, fail)
    database.run(add_one)
    assert count(database) == 2
    failing, working = (record.getMessage() for record in caplog.records if record.levelname != "INFO")
    assert failing.startswith(f"{database.place} fails: ")
    assert working == f"{database.place} works again"


# Processes

SCRIPT = """
import os, sys, threading, time
from pathlib import Path
from sqlalchemy import text
from hermes.db.database import Database

database = Database(sys.argv[1] or None, Path(sys.argv[2]))
database.open()

def add(name, pause=0):
    def work(connection):
        number = connection.scalar(text("SELECT count FROM counts WHERE name = :n"), {"n": name})
        time.sleep(pause)
        connection.execute(text("UPDATE counts SET count = :c WHERE name = :n"), {"n": name, "c": number + 1})
    database.run(work)
"""
GEVENT = "from gevent import monkey; monkey.patch_all()\n"


def start(script: str, databases: DatabaseFactory) -> subprocess.Popen[str]:
    url, folder = databases.arguments
    command = [sys.executable, "-W", "error", "-c", script, url or "", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(child: subprocess.Popen[str]) -> str:
    printed, complaints = child.communicate(timeout=60)
    assert (child.returncode, complaints) == (0, "")
    return printed


FORK = """
import _thread, logging
from hermes.errors import Unavailable

logging.getLogger("hermes.db.health").disabled = True  # what the copy meets in the child is expected
parent, entered, done = os.getpid(), [], []

def slow(connection):
    entered.append(connection.execute(text("SELECT 1")).all())
    time.sleep(0.3)
    connection.execute(text("UPDATE counts SET count = count + 1 WHERE name = 'b'"))

def in_the_middle():
    try:
        database.run(slow)
    except Unavailable:
        if os.getpid() == parent:
            raise
    done.append(True)

add("a")
_thread.start_new_thread(in_the_middle, ())
while not entered: time.sleep(0.01)
pid = os.fork()
for _ in range(20):
    add("a")
if pid == 0:
    time.sleep(0.5)
    database.close()
    sys.exit(0)
while not done: time.sleep(0.01)
assert os.waitpid(pid, 0)[1] == 0
add("a")
database.close()
"""


@pytest.mark.parametrize("world", ["threads", "gevent"])
def test_a_child_of_a_fork_has_its_own(database: Database, databases: DatabaseFactory, world: str) -> None:
    """Also one that was forked in the middle of a transaction, which gevent's copy of that greenlet must not end again."""
    script = (GEVENT if world == "gevent" else "") + SCRIPT + FORK
    finish(start(script, databases))
    assert (count(database, "a"), count(database, "b")) == (42, 1)
    database.close()
    assert count(databases(), "a") == 42, "nothing stayed behind in a file that is gone"


@pytest.mark.fault
def test_a_killed_process_leaves_nothing_half_done(database: Database, databases: DatabaseFactory) -> None:
    script = SCRIPT + "threading.Thread(target=add, args=('a', 60)).start(); print('in it', flush=True); time.sleep(60)"
    with start(script, databases) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
    wait_until(lambda: _added(database), 15)
    assert count(database) == 1


def _added(database: Database) -> bool:
    try:
        database.run(add_one)
    except Unavailable:
        return False
    return True


# The event loop

LOOP = """
import gevent

def longest_stop(*works):
    "The longest time between two turns of the loop, at its best of some tries: a busy machine has worse ones."
    return min(_longest_stop(*works) for _ in range(5))

def _longest_stop(*works):
    running = [gevent.spawn(work) for work in works]
    longest, last = 0, time.monotonic()
    while not all(one.ready() for one in running):
        gevent.sleep(0.001)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    for one in running:
        one.get()
    return longest
"""

SLEEPS = """
def sleep():
    database.run(lambda connection: connection.execute(text("SELECT pg_sleep(0.5)")))

began = time.monotonic()
gevent.joinall([gevent.spawn(sleep) for _ in range(5)], raise_error=True)
took = time.monotonic() - began
print(longest_stop(sleep, sleep), took)
database.close()
"""

LOCKED = """
import sqlite3

def locked():
    intruder = sqlite3.connect(os.path.join(sys.argv[2], "hermes.db"), isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    gevent.spawn_later(0.5, intruder.close)
    began = time.monotonic()
    add("a")
    waited.append(time.monotonic() - began)

waited = []
print(longest_stop(locked), min(waited))
database.close()
"""


def test_waiting_does_not_stop_the_event_loop(database: Database, databases: DatabaseFactory) -> None:
    works = SLEEPS if databases.kind == "postgresql" else LOCKED
    longest, took = map(float, finish(start(GEVENT + SCRIPT + LOOP + works, databases)).split())
    assert longest < 0.02
    assert 0.4 < took < 1.5, "it waited for the lock, or for five sleeps at once"
