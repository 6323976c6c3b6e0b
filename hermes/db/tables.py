"""The tables of the database, as SQLAlchemy Core sees them. Migrations make them; a test holds the two together.

Times are whole milliseconds since 1970 (UTC). Each name begins with ``hermes_``, because ``DATABASE_URL`` is often the
database of another program, which has an ``audit`` of its own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Dialect, Double, Index, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class Line(TypeDecorator[str]):
    """Text that every database takes: PostgreSQL refuses a NUL, and no driver encodes a lone surrogate.

    Both become U+FFFD, when stored and when compared, so that what a hostile caller writes is never an error.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's shape
        """See the class."""
        if value is None or not ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
            return value
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Line, nullable=False, **options)


def _time(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


api_keys = Table(
    "hermes_api_keys",
    metadata,
    _text("id", primary_key=True),
    _text("name"),
    _text("digest", unique=True),
    Column("subscribe", JSON, nullable=False),
    Column("publish", JSON, nullable=False),
    _flag("admin"),
    _flag("tokens"),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True),
    _time("last_used_at", nullable=True),
)

revoked_tokens = Table(
    "hermes_revoked_tokens",
    metadata,
    _text("id", primary_key=True),
    _time("revoked_at"),
    _time("expires_at"),
    Index(None, "expires_at"),
)

secrets = Table(
    "hermes_secrets",
    metadata,
    _text("name", primary_key=True),
    _text("value"),
    _time("created_at"),
)

signin_codes = Table(
    "hermes_signin_codes",
    metadata,
    _text("digest", primary_key=True),
    _time("expires_at"),
    Index(None, "expires_at"),
)

audit = Table(
    "hermes_audit",
    metadata,
    # SQLite counts up by itself only in a column of its type INTEGER; AUTOINCREMENT: no id is ever given twice.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _time("at"),
    _text("action"),
    _text("principal"),
    _text("address"),
    _text("target"),
    _text("outcome"),
    Column("count", Integer, nullable=False),
    _text("detail"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

runs = Table(
    "hermes_runs",
    metadata,
    _text("id", primary_key=True),
    _text("kind"),
    _text("name"),
    _text("status"),
    Column("test_id", Line),
    Column("phase", Line),
    Column("progress", Double),
    Column("done", Double),
    Column("total", Double),
    Column("message", Line),
    Column("result", JSON(none_as_null=True)),
    Column("error", Line),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    _time("created_at"),
    _text("created_by"),
    _time("started_at", nullable=True),
    _time("completed_at", nullable=True),
    _flag("cancel_requested"),
    Column("retry_of", Line),
    Column("log_lines", BigInteger, nullable=False),
    Column("log_dropped", BigInteger, nullable=False),
    Index("ix_hermes_runs_created_at_id", "created_at", "id"),
    Index("ix_hermes_runs_status_created_at", "status", "created_at"),
    Index("ix_hermes_runs_name_created_at", "name", "created_at"),
    Index("ix_hermes_runs_test_id_created_at", "test_id", "created_at"),
)

run_transitions = Table(
    "hermes_run_transitions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _text("run_id"),
    _time("at"),
    Column("attempt", Integer, nullable=False),
    Column("from_status", Line),
    _text("to_status"),
    _text("principal"),
    Index(None, "run_id"),
)

run_log = Table(
    "hermes_run_log",
    metadata,
    _text("run_id", primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    _text("text"),
)
