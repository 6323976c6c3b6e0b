"""Every change of a run's status: when, from what to what, in which attempt, and by whom."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from hermes.core.clock import iso_time
from hermes.db.tables import run_transitions
from hermes.runs.status import Status


class Transition(NamedTuple):
    """``at`` in milliseconds since 1970; ``before`` is ``None`` for the entry of a run; ``by`` names a principal."""

    run_id: str
    at: int
    attempt: int
    before: Status | None
    after: Status
    by: str

    def as_dict(self) -> dict[str, Any]:
        """What the API tells of it."""
        return {"at": iso_time(self.at), "attempt": self.attempt, "from": self.before, "to": self.after, "by": self.by}


def add(connection: Connection, transition: Transition) -> None:
    """Keep it."""
    values = {
        "run_id": transition.run_id,
        "at": transition.at,
        "attempt": transition.attempt,
        "from_status": transition.before,
        "to_status": transition.after,
        "principal": transition.by,
    }
    connection.execute(insert(run_transitions).values(values))


def of_run(connection: Connection, run_id: str, limit: int) -> list[Transition]:
    """The transitions of a run in their order, at most ``limit`` of the newest."""
    columns = run_transitions.c
    rows = (
        select(columns.run_id, columns.at, columns.attempt, columns.from_status, columns.to_status, columns.principal)
        .where(columns.run_id == run_id)
        .order_by(columns.id.desc())
        .limit(limit)
    )
    found = [_transition(*row) for row in connection.execute(rows)]
    return found[::-1]


def _transition(run_id: str, at: int, attempt: int, before: str | None, after: str, by: str) -> Transition:
    return Transition(run_id, at, attempt, None if before is None else Status(before), Status(after), by)
