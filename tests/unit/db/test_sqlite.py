"""The SQLite file: how it is kept, what other programs do to it, and what an operator reads when it cannot be used."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, insert, text

from hermes.db import sqlite, tables
from hermes.db.database import Database
from hermes.errors import SettingsError, StoreError, Unavailable
from tests.support.wait import wait_until

Open = Callable[[], Database]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def make(folder: Path) -> Iterator[Open]:
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(None, folder))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(make: Open) -> Database:
    database = make()
    database.open()
    return database


def secrets(connection: Connection) -> list[str]:
    return sorted(connection.scalars(tables.secrets.select()))


def put(name: str, value: str = "v") -> Callable[[Connection], object]:
    return lambda connection: connection.execute(
        insert(tables.secrets), {"name": name, "value": value, "created_at": 1}
    )


# The file


def test_nobody_else_reads_it(database: Database, folder: Path) -> None:
    database.run(put("a"))
    assert folder.stat().st_mode & 0o777 == 0o700
    found = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert found == dict.fromkeys(["hermes.db", "hermes.db-wal", "hermes.db-shm"], 0o600)


def test_a_file_that_others_could_read_is_closed_to_them(make: Open, folder: Path) -> None:
    folder.mkdir()
    (folder / "hermes.db").touch(0o644)
    (folder / "hermes.db").chmod(0o644)
    make().open()
    assert (folder / "hermes.db").stat().st_mode & 0o777 == 0o600


def test_how_it_is_kept(database: Database) -> None:
    def look(connection: Connection) -> dict[str, object]:
        names = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert database.run(look) == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 20}


def test_a_transaction_has_the_file_for_itself_from_its_beginning(database: Database, folder: Path) -> None:
    def work(_: Connection) -> None:
        other = sqlite3.connect(folder / "hermes.db", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()

    database.run(work)


def test_closing_leaves_one_file(database: Database, folder: Path) -> None:
    database.run(put("a"))
    database.close()
    assert [path.name for path in folder.iterdir()] == ["hermes.db"]


def test_the_tables_are_those_of_the_models_to_the_letter(database: Database, tmp_path: Path) -> None:
    """More than Alembic compares: AUTOINCREMENT, names of constraints."""
    engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    tables.metadata.create_all(engine)
    query = text("SELECT sql FROM sqlite_schema WHERE name LIKE '%hermes_%' AND name <> 'hermes_schema'")
    with engine.connect() as connection:
        wanted = set(connection.scalars(query))
    engine.dispose()
    found = database.run(lambda connection: set(connection.scalars(query)))
    assert _by_parts(found) == _by_parts(wanted)
    assert len(wanted) > 8


def _by_parts(statements: set[str | None]) -> set[tuple[str, ...]]:
    return {tuple(sorted(line.strip(" ,\t") for line in str(one).split("\n"))) for one in statements}


# Locks of others


def test_a_lock_of_another_is_waited_for(database: Database, folder: Path) -> None:
    other = sqlite3.connect(folder / "hermes.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, other.rollback)
    timer.start()
    began = time.monotonic()
    database.run(put("a"))
    assert time.monotonic() - began > 0.25
    timer.join()
    other.close()


def test_a_lock_that_stays_is_unavailable(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0.3)
    calls: list[int] = []
    other = sqlite3.connect(folder / "hermes.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another program holds the database locked"):
        database.run(lambda _: calls.append(1))
    assert not calls, "what was not begun was not tried"
    other.close()
    database.run(put("a"))


def test_whose_turn_does_not_come_is_unavailable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0.2)
    entered, leave = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        entered.set()
        leave.wait(30)

    holder = threading.Thread(target=database.run, args=(hold,))
    holder.start()
    assert entered.wait(10)
    with pytest.raises(Unavailable, match="earlier calls still wait"):
        database.run(secrets)
    leave.set()
    holder.join()
    assert database.run(secrets) == []


def test_opening_waits_for_a_lock_and_says_so(make: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make().open()
    monkeypatch.setattr(sqlite, "OPEN_PATIENCE", 0.2)
    other = sqlite3.connect(folder / "hermes.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another program holds the database locked"):
        make().open()
    other.close()
    make().open()


# What goes wrong while it runs


def test_a_full_disk(database: Database) -> None:
    """SQLite's own bound of the file: what is over it is SQLITE_FULL, as on a full disk."""
    pages = database.run(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    database.run(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
    for _ in range(2):
        with pytest.raises(Unavailable, match="the disk of the data folder is full"):
            database.run(put("large", "v" * 100_000))
    assert database.run(secrets) == []
    database.run(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000"))
    database.run(put("large", "v" * 100_000))
    assert database.run(secrets) == ["large"]


def test_a_file_that_cannot_be_written(database: Database) -> None:
    database.run(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
    with pytest.raises(Unavailable, match="the data folder cannot be written"):
        database.run(put("a"))
    database.run(put("a"))
    assert database.run(secrets) == ["a"]


def test_a_damaged_file(database: Database, folder: Path, make: Open, caplog: pytest.LogCaptureFixture) -> None:
    database.run(put("a", "v" * 50_000))
    database.close()
    whole = (folder / "hermes.db").read_bytes()
    database.open()
    with (folder / "hermes.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(whole) - 4096))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"the database (is damaged|cannot be opened)"):
            database.run(lambda connection: connection.execute(tables.secrets.select()).all())
    assert len(caplog.records) == 1
    with pytest.raises(
        StoreError, match=r"cannot be opened: the database is damaged .*\. Put a copy of hermes.db back"
    ):
        make().open()
    database.close()
    (folder / "hermes.db").write_bytes(whole)
    database.open()
    assert database.run(secrets) == ["a"]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_goes_away(
    database: Database, folder: Path, replaced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    database.run(put("a"))
    for path in list(folder.iterdir()):
        path.unlink()
    if replaced:
        (folder / "hermes.db").touch()
    else:
        folder.rmdir()
    database.run(put("b"))
    assert database.run(secrets) == ["b"], "written where the next process finds it"
    with sqlite3.connect(folder / "hermes.db") as other:
        assert other.execute("SELECT name FROM hermes_secrets").fetchall() == [("b",)]
    other.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "removed or replaced" in caplog.text


def test_a_folder_that_becomes_useless(database: Database, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "away")
    folder.touch()
    with pytest.raises(Unavailable, match=r"^the database cannot be opened$"):
        database.run(secrets)
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert database.run(secrets) == []


# What cannot be opened


def test_a_folder_that_is_a_file(make: Open, folder: Path) -> None:
    folder.touch()
    with pytest.raises(SettingsError, match=r"^HERMES_DATA_DIR: .*data cannot be used \(File exists\): name a folder"):
        make().open()


def test_a_file_of_another_kind(make: Open, folder: Path) -> None:
    folder.mkdir()
    (folder / "hermes.db").write_bytes(b"not a database at all, " * 400)
    with pytest.raises(StoreError, match=r"is damaged \(file is not a database\)\. Put a copy of hermes.db back"):
        make().open()


def test_a_file_that_is_a_folder(make: Open, folder: Path) -> None:
    (folder / "hermes.db").mkdir(parents=True)
    with pytest.raises(StoreError, match="the database cannot be opened"):
        make().open()


# Forks


def test_a_fork_waits_for_the_transaction_and_leaves_nothing_open(database: Database, folder: Path) -> None:
    entered = threading.Event()

    def slow(connection: Connection) -> None:
        put("a")(connection)
        entered.set()
        time.sleep(0.2)

    running = threading.Thread(target=database.run, args=(slow,))
    running.start()
    assert entered.wait(10)
    database._store.before_fork()
    assert [path.name for path in folder.iterdir()] == ["hermes.db"], "committed and closed"
    database._store.after_fork()
    running.join()
    assert database.run(secrets) == ["a"]


def test_a_fork_in_a_transaction_that_does_not_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has a copy of the open file, with which it must not do anything."""
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    entered, leave = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        entered.set()
        leave.wait(30)

    holder = threading.Thread(target=database.run, args=(hold,))
    holder.start()
    assert entered.wait(10)
    store = database._store
    store.before_fork()
    store.after_fork()
    assert not store._turn.acquire(blocking=False), "the holder still has its turn"
    leave.set()
    holder.join()
    store.after_fork_in_child()
    with pytest.raises(Unavailable, match="forked in the middle of a transaction"):
        database.run(secrets)


def test_threads_take_turns(database: Database) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(connection: Connection) -> None:
        inside.append(1)
        most.append(len(inside))
        connection.execute(text("SELECT 1"))
        inside.pop()

    threads = [threading.Thread(target=lambda: [database.run(work) for _ in range(20)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads))
    assert most == [1] * 100
