"""PostgreSQL in its own hands: lives, databases, and a stall."""

from collections.abc import Iterator

import psutil
import psycopg
import pytest

from tests.support.ports import is_listening
from tests.support.postgres_server import PASSWORD, PostgresServer

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def test_lives(server: PostgresServer) -> None:
    url = server.new_database()
    server.execute("CREATE TABLE a (b int)", url)
    with server.connect(url) as client:
        client.execute("INSERT INTO a VALUES (1)")
        server.kill9()
        assert not server.answers()
        assert not is_listening(server.port)
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    server.start()
    assert server.execute("SELECT b FROM a", url) == [(1,)]
    with server.connect(url) as client:
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    assert server.execute("SELECT b FROM a", url) == [(1,)]


def test_databases_are_separate(server: PostgresServer) -> None:
    one, other = server.new_database(), server.new_database()
    server.execute("CREATE TABLE a (b int)", one)
    assert server.execute("SELECT to_regclass('a')", other) == [(None,)]
    with server.connect(one):
        server.drop_database(one)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        server.connect(one)


def test_a_password_is_asked_for(server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        server.connect(server.url().replace(PASSWORD, "another"))


def test_pause(server: PostgresServer) -> None:
    with server.connect() as client:
        server.pause()
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            psycopg.connect(server.url(), connect_timeout=2)
        server.resume()
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_settings_and_what_is_left() -> None:
    with PostgresServer(config={"max_connections": "7"}) as server:
        assert server.execute("SHOW max_connections") == [("7",)]
        family = psutil.Process(server.process.pid).children()
        folder = server.process.log.parent
        assert folder.exists()
    assert not any(member.is_running() for member in family)
    assert not folder.exists()


def test_a_missing_one_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.postgres_server._PLACES", "/nowhere")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("HERMES_TEST_STRICT", raising=False)
    with pytest.raises(pytest.skip.Exception, match="initdb is not installed"):
        PostgresServer()
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="initdb is not installed"):
        PostgresServer()
