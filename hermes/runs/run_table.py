"""The table of runs: what is read and written there, each in the transaction of its caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, tuple_, update

from hermes.db.tables import runs
from hermes.runs.run import Run
from hermes.runs.status import Kind, Status

_FIELDS = tuple(field.name for field in fields(Run))


class Wanted(NamedTuple):
    """Which runs; ``None`` and nothing: all. ``name`` may hold ``*``. Times in milliseconds since 1970."""

    statuses: Collection[Status] = ()
    kinds: Collection[Kind] = ()
    name: str | None = None
    test_id: str | None = None
    since: int | None = None
    until: int | None = None


class Place(NamedTuple):
    """Where a page of runs, the newest first, goes on: behind this one."""

    created_at: int
    id: str


def find(connection: Connection, id: str) -> Run | None:
    """The run of that id."""
    row = connection.execute(select(runs).where(runs.c.id == id)).first()
    return None if row is None else _run(row)


def add(connection: Connection, run: Run) -> None:
    """Keep a new run."""
    connection.execute(insert(runs).values(_values(run)))


def put(connection: Connection, run: Run) -> None:
    """Keep a run as it is now."""
    connection.execute(update(runs).where(runs.c.id == run.id).values(_values(run)))


def page(connection: Connection, wanted: Wanted, after: Place | None, limit: int) -> list[Run]:
    """Runs, the newest first: at most ``limit`` of those behind ``after``."""
    columns = runs.c
    rows = select(runs).where(*_conditions(wanted)).order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)
    if after is not None:
        rows = rows.where(tuple_(columns.created_at, columns.id) < tuple_(*after))
    return [_run(row) for row in connection.execute(rows)]


def counts(connection: Connection, wanted: Wanted) -> dict[Status, int]:
    """How many runs there are of each status."""
    rows = select(runs.c.status, func.count()).where(*_conditions(wanted)).group_by(runs.c.status)
    return {Status(status): count for status, count in connection.execute(rows)}


def latest_of(connection: Connection, test_id: str) -> Run | None:
    """The newest run of a test."""
    found = page(connection, Wanted(test_id=test_id), None, 1)
    return found[0] if found else None


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    columns = runs.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(columns.status.in_(sorted(wanted.statuses)))
    if wanted.kinds:
        conditions.append(columns.kind.in_(sorted(wanted.kinds)))
    if wanted.name is not None:
        conditions.append(_named(wanted.name))
    if wanted.test_id is not None:
        conditions.append(columns.test_id == wanted.test_id)
    if wanted.since is not None:
        conditions.append(columns.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(columns.created_at < wanted.until)
    return conditions


def _named(text: str) -> ColumnElement[bool]:
    if "*" not in text:
        return runs.c.name == text
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return runs.c.name.like(escaped.replace("*", "%"), escape="\\")


def _values(run: Run) -> Mapping[str, Any]:
    return {name: getattr(run, name) for name in _FIELDS}


def _run(row: Row[Any]) -> Run:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Run(**{**values, "kind": Kind(row.kind), "status": Status(row.status)})
