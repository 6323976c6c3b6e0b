"""DATABASE_URL: its forms, what is added to it, and that no message holds the password."""

from __future__ import annotations

from pathlib import Path

import pytest

from hermes.db.database import Database
from hermes.db.postgres_url import parse_address
from hermes.errors import SettingsError
from hermes.settings import Settings


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgres://u:p@h:6432/d", {"user": "u", "password": "p", "host": "h", "port": "6432", "dbname": "d"}),
        ("postgresql://u:p@h/d", {"host": "h", "dbname": "d"}),
        ("POSTGRES://u:p@h/d", {"host": "h", "dbname": "d"}),
        ("  postgresql://h/d\n", {"host": "h", "dbname": "d"}),
        ("postgresql+psycopg://u:p@h/d", {"host": "h", "user": "u"}),
        ("postgresql+psycopg2://u:p@h/d", {"host": "h", "user": "u"}),
        ("postgres://u:p%40%2F%25@h/d", {"password": "p@/%"}),
        ("postgres://u@h/d?sslmode=require&sslrootcert=/ca.pem", {"sslmode": "require", "sslrootcert": "/ca.pem"}),
        ("postgres://u@h/d?options=-c%20search_path%3Da", {"options": "-c search_path=a"}),
        ("postgres://u@h1:1,h2:2/d?target_session_attrs=read-write", {"host": "h1,h2", "port": "1,2"}),
        ("postgres://u@[::1]:5/d", {"host": "::1", "port": "5"}),
        ("postgres:///d?host=/var/run/postgresql", {"host": "/var/run/postgresql"}),
        ("postgres://h/d?connect_timeout=9&application_name=a", {"connect_timeout": "9", "application_name": "a"}),
        ("postgres://h/d", {"connect_timeout": "3", "application_name": "hermes", "client_encoding": "utf8"}),
    ],
)
def test_forms(url: str, wanted: dict[str, str]) -> None:
    options = parse_address(url).options
    assert {name: options[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:s3cret@h/d",
        "sqlite:///s3cret.db",
        "redis://:s3cret@h",
        "s3cret",
        "/s3cret/hermes.db",
        "host=h password=s3cret",
        "u:s3cret://h",
        "",
    ],
)
def test_only_postgresql(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^DATABASE_URL is postgresql://user:password@host:port/database, and .*SQLite"
    ) as e:
        parse_address(url)
    assert "s3cret" not in str(e.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:s3%zzcret@h/d",
        "postgres://u:s3cret@[h/d",
        "postgres://u:s3cret@h/d?sslmode",
        "postgres://u:s3cret@h:5432:s3cret/d",
        "postgres://u:s3cret@h/d?a=s3cret",
        "postgres://u:p@h/d?s3=%00cret",
        "postgres://u:s3@cret@h/d",
        "postgres://u:s3/cret@h/d",
        "postgres://u:12/s3cret@h/d",
        "postgres://u:s3/cret:@h/d?sslmode=require",
    ],
)
def test_what_cannot_be_read_is_one_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL cannot be read.*It is postgresql://") as raised:
        parse_address(url)
    assert "cret" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_an_unknown_option_is_named_as_one() -> None:
    with pytest.raises(SettingsError, match="an option behind its '\\?' that PostgreSQL does not know"):
        parse_address("postgres://h/d?pgbouncer=true")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://u:s3cret@h/d", "PostgreSQL at h:5432, database d"),
        ("postgres://u:s3cret@h1,h2:6/d", "PostgreSQL at h1:5432,h2:6, database d"),
        ("postgres://u:s3cret@h1,h2/d?port=7", "PostgreSQL at h1:7,h2:7, database d"),
        ("postgres://", "PostgreSQL at localhost:5432, database of its user"),
        ("postgres:///d?host=/run/pg", "PostgreSQL at /run/pg:5432, database d"),
    ],
)
def test_place(url: str, shown: str, tmp_path: Path) -> None:
    database = Database(url, tmp_path)
    assert database.place == shown
    assert database.shared
    assert "s3cret" not in repr(vars(database))


def test_of_settings(tmp_path: Path) -> None:
    there = Database.of(Settings(database_url="postgres://h/d", data_dir=tmp_path, database_pool=3))
    assert there.place == "PostgreSQL at h:5432, database d"
    here = Database.of(Settings(data_dir=tmp_path))
    assert (here.place, here.shared) == (str(tmp_path / "hermes.db"), False)
    assert not list(tmp_path.iterdir()), "nothing is opened"
