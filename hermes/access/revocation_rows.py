"""The table of revoked tokens, each row kept until its token would have ended anyway."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hermes.db.tables import revoked_tokens
from hermes.errors import Forbidden

MAX_ROWS = 100_000
"""Revoked tokens at one time: every process holds them in memory."""


class Revoked(NamedTuple):
    """A revoked token. Times are in milliseconds since 1970."""

    id: str
    revoked_at: int
    expires_at: int


def add(connection: Connection, revoked: Revoked, *, by_admin: bool = True) -> None:
    """Store it, unless it is there. Raises :class:`~hermes.errors.Forbidden` where there are too many.

    Others than administrators fill half of the table: who mints and revokes without end takes no administrator's means away.
    """
    held = connection.execute(select(func.count()).select_from(revoked_tokens)).scalar_one()
    most = MAX_ROWS if by_admin else MAX_ROWS // 2
    if held >= most:
        raise Forbidden(f"{most} tokens are revoked that have not ended: revoke the key that minted them instead")
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(revoked_tokens).values(revoked._asdict()).on_conflict_do_nothing(index_elements=["id"])
    )


def page(connection: Connection, since: int, after: str, limit: int) -> list[Revoked]:
    """Tokens revoked at ``since`` or later, at most ``limit`` of those whose id is above ``after``."""
    columns = revoked_tokens.c
    rows = (
        select(columns.id, columns.revoked_at, columns.expires_at)
        .where(columns.revoked_at >= since, columns.id > after)
        .order_by(columns.id)
        .limit(limit)
    )
    return [Revoked(*row) for row in connection.execute(rows)]


def remove_ended(connection: Connection, before: int) -> None:
    """Remove the rows of tokens that ended before that time."""
    connection.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at < before))
