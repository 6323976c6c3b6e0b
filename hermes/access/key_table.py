"""The table of API keys: what is read and written there, each in the transaction of its caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from hermes.access.grants import Grants
from hermes.access.key import Key
from hermes.db.tables import api_keys
from hermes.errors import Forbidden

MAX_KEYS = 10_000
"""Keys that count at one time: every process holds them in memory."""

REMEMBERED = 90 * 86_400_000
"""Milliseconds for which a key that does not count any more stays in the list."""

Version = tuple[Any, ...]
"""Differs when the table has changed: a key more, a key less or one revoked. That a key was used is no change."""


def version(connection: Connection) -> Version:
    """The state of the table, to be compared with an earlier one."""
    columns = api_keys.c
    return tuple(
        connection.execute(
            select(
                func.count(columns.id),
                func.count(columns.revoked_at),
                func.max(columns.created_at),
                func.max(columns.revoked_at),
            )
        ).one()
    )


def counting(connection: Connection, now: int, after: str, limit: int) -> list[Key]:
    """Keys that count at ``now``, at most ``limit`` of those whose id is above ``after``."""
    rows = select(api_keys).where(_counts(now), api_keys.c.id > after).order_by(api_keys.c.id).limit(limit)
    return [_key(row) for row in connection.execute(rows)]


def page(connection: Connection, before: tuple[int, str] | None, limit: int) -> list[Key]:
    """Keys, the newest first, at most ``limit`` of those older than ``before`` (when one was created, its id)."""
    columns = api_keys.c
    rows = select(api_keys).order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)
    if before is not None:
        rows = rows.where(tuple_(columns.created_at, columns.id) < tuple_(*before))
    return [_key(row) for row in connection.execute(rows)]


def find(connection: Connection, id: str) -> Key | None:
    """The key of that id, whether it counts or not."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == id)).first()
    return None if row is None else _key(row)


def add(connection: Connection, key: Key, now: int) -> None:
    """Keep a new key, and forget those that have not counted for long. Raises :class:`~hermes.errors.Forbidden` when full."""
    ended = now - REMEMBERED
    connection.execute(delete(api_keys).where(or_(api_keys.c.revoked_at < ended, api_keys.c.expires_at < ended)))
    held = connection.execute(select(func.count()).select_from(api_keys).where(_counts(now))).scalar_one()
    if held >= MAX_KEYS:
        raise Forbidden(f"there are {MAX_KEYS} API keys already, which is the most: revoke some that are not used")
    connection.execute(
        insert(api_keys).values(
            id=key.id,
            name=key.name,
            digest=key.digest,
            subscribe=list(key.grants.subscribe),
            publish=list(key.grants.publish),
            admin=key.grants.admin,
            tokens=key.grants.tokens,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


def revoke(connection: Connection, id: str, now: int) -> bool:
    """Let the key count no more; the time of a former revocation stays. ``False`` where there is no such key."""
    known = connection.execute(select(api_keys.c.id).where(api_keys.c.id == id)).first() is not None
    connection.execute(
        update(api_keys).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return known


def touch(connection: Connection, used: Mapping[str, int]) -> None:
    """Write down when keys were last used, by their ids; never back in time.

    In the order of the ids, so that two processes that do so at once cannot wait for each other.
    """
    columns = api_keys.c
    statement = (
        update(api_keys)
        .where(
            columns.id == bindparam("key"), or_(columns.last_used_at.is_(None), columns.last_used_at < bindparam("at"))
        )
        .values(last_used_at=bindparam("at"))
    )
    connection.execute(statement, [{"key": id, "at": at} for id, at in sorted(used.items())])


def _counts(now: int) -> ColumnElement[bool]:
    columns = api_keys.c
    return and_(columns.revoked_at.is_(None), or_(columns.expires_at.is_(None), columns.expires_at > now))


def _key(row: Row[Any]) -> Key:
    return Key(
        row.id,
        row.digest,
        row.name,
        Grants(tuple(row.subscribe), tuple(row.publish), row.admin, row.tokens),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
