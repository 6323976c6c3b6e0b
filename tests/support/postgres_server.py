"""A PostgreSQL of the tests' own, on loopback, that can be killed, stopped and restarted, and has a database for each test."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.program import require_program

USER, PASSWORD = "hermes", "only-for-tests"

# Whom it runs as where the tests run as root, which PostgreSQL refuses.
_UNPRIVILEGED = ("postgres", "nobody")

_PLACES = "/usr/lib/postgresql"

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "60",
    "fsync": "off",  # a killed server keeps what it committed; only a crash of the machine would not
    "full_page_writes": "off",
    "log_line_prefix": "%m %p ",
}


class PostgresServer:
    """One `postgres` in the foreground, on one port for all its lives; its folder is made by it, and goes with it.

    Users need a password (scram-sha-256). `config` holds further settings (`{"max_connections": "5"}`).
    """

    def __init__(self, port: int | None = None, *, config: Mapping[str, str] | None = None) -> None:
        self.port = port or free_port()
        self._binaries = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="hermes-postgres-"))
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": str(self._folder), **(config or {})}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = Process(
            [*_as_somebody(), self._binaries / "postgres", "-D", self._data, *words],
            cwd=self._folder,
            log=self._folder / "postgres.log",
        )
        self._numbers = itertools.count(1)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    # --- life

    def start(self, timeout: float = 30.0) -> Self:
        """Starts it and waits until it answers."""
        if not self._data.exists():
            self._initialize()
        self.process.start()
        try:
            self.process.wait_for(self.answers, timeout, f"PostgreSQL on port {self.port}")
        except BaseException:
            self.kill9()
            raise
        return self

    def _initialize(self) -> None:
        if os.geteuid() == 0:
            user = _somebody()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        command: list[str | Path] = [
            *_as_somebody(),
            *(self._binaries / "initdb", "--pgdata", self._data, "--username", USER, "--pwfile", secret),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, f"initdb failed\n{done.stdout}\n{done.stderr}"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGQUIT)  # no checkpoint: nobody reads it again
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """Ends it in order, cutting its clients off."""
        self._end(signal.SIGINT)  # a TERM would wait for them

    def _end(self, number: int) -> None:
        if self.process.is_running:
            self.resume()
            self.process.signal(number)
            with contextlib.suppress(AssertionError):
                self.process.wait(10)
        self.kill9()

    def kill9(self) -> None:
        """Ends it as a crash does: every process of it at once."""
        family = self._family()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        if self.process.is_running:
            self.process.kill9()
        psutil.wait_procs(family, timeout=10)

    def restart(self) -> Self:
        """Back on the same port with the data that it had; a killed one goes through its recovery."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP to every process of it: connections stay open and nothing is answered."""
        for member in self._family():
            member.suspend()

    def resume(self) -> None:
        """SIGCONT."""
        for member in self._family():
            member.resume()

    def _family(self) -> list[psutil.Process]:
        """The server and its children, each of which leads a session of its own: a signal to a group reaches none of them."""
        if not self.process.is_running:
            return []
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    # --- data

    def url(self, database: str = "postgres") -> str:
        """For `DATABASE_URL`."""
        return f"postgresql://{USER}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database, made for the caller."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Removes it, whoever is connected."""
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def connect(self, url: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that commits each statement."""
        return psycopg.connect(url or self.url(), autocommit=True, connect_timeout=10)

    def execute(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """One statement, on a connection of its own; the rows that it gives."""
        with self.connect(url) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            return self.execute("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False


def _binaries() -> Path:
    """The folder of the newest PostgreSQL: Debian keeps its programs out of the PATH, one folder for each version."""
    found = Path(_PLACES).glob("*/bin/initdb")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return (newest or Path(require_program("initdb"))).parent


def _as_somebody() -> list[str]:
    """What goes before a command so that it does not run as root. It becomes the command: the process id stays."""
    if os.geteuid() != 0:
        return []
    user = _somebody()
    return [require_program("setpriv"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def _somebody() -> pwd.struct_passwd:
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(f"this machine has no user {' or '.join(_UNPRIVILEGED)}")
