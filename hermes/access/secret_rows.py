"""The table of secrets, which processes on other machines share."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from hermes.db.tables import secrets


def kept(connection: Connection, name: str) -> str | None:
    """The secret of that name, if there is one."""
    return connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar_one_or_none()


def keep(connection: Connection, name: str, value: str, now: int) -> str:
    """The secret of that name: ``value``, unless another process was first, and then that one's.

    The insert waits for another that is about to be committed (PostgreSQL: INSERT, ON CONFLICT), and what is read after it is
    what both will use.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(secrets)
        .values(name=name, value=value, created_at=now)
        .on_conflict_do_nothing(index_elements=["name"])
    )
    kept: str = connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar_one()
    return kept
