"""The table of the audit: what is added, read and removed there. It is bounded: the oldest rows go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, func, insert, or_, select

from hermes.db.database import Database
from hermes.db.tables import audit
from hermes.observe.tallies import OK, Entry

TRAFFIC = frozenset({"publish", "open", "read", "send", "refuse", "token.mint", "token.revoke"})
"""Actions that come in numbers, and that others than administrators may do."""

BATCH = 1000
"""Rows that one transaction removes."""

MOST_BATCHES = 50
"""Batches of one trimming: the rest is for the next time."""


def is_traffic(action: str, outcome: str) -> bool:
    """Whether others than administrators can add such entries: of what is for administrators alone anybody can be refused.

    These cannot push what an administrator did out of its half of the table.
    """
    return action in TRAFFIC or outcome != OK


class AuditTable:
    """The rows, at most ``rows`` of them. Each method raises :class:`~hermes.errors.Unavailable`."""

    def __init__(self, database: Database, rows: int) -> None:
        self._database = database
        self._rows = rows

    def add(self, entries: Sequence[Entry]) -> None:
        """Add a row for each of ``entries``, all or none."""
        rows = [
            {
                "at": entry.at,
                "action": entry.action,
                "principal": entry.principal,
                "address": entry.address,
                "target": entry.target,
                "outcome": entry.outcome,
                "count": entry.count,
                "detail": entry.detail,
            }
            for entry in entries
        ]
        self._database.run(lambda connection: connection.execute(insert(audit), rows))

    def page(self, filters: Mapping[str, str], before: int | None, limit: int) -> list[Entry]:
        """At most ``limit`` entries, the newest first, whose columns equal ``filters`` and whose number is below ``before``."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        for name, value in filters.items():
            query = query.where(audit.c[name] == value)
        if before is not None:
            query = query.where(audit.c.id < before)
        return self._database.run(
            lambda connection: [Entry(**row) for row in connection.execute(query).mappings().all()]
        )

    def trim(self) -> int:
        """Remove the oldest rows above the bound, in batches; how many."""
        removed = 0
        for _ in range(MOST_BATCHES):
            batch = self._database.run(self._trim_batch)
            if not batch:
                break
            removed += batch
        return removed

    def _trim_batch(self, connection: Connection) -> int:
        traffic_rows = or_(audit.c.action.in_(TRAFFIC), audit.c.outcome != OK)  # as is_traffic says
        total, traffic = (
            connection.execute(select(func.count()).select_from(audit).where(condition)).scalar_one()
            for condition in (audit.c.id.is_not(None), traffic_rows)
        )
        surplus = total - self._rows
        if surplus <= 0:
            return 0
        from_traffic = min(surplus, max(0, traffic - self._rows // 2))
        condition = traffic_rows if from_traffic else ~traffic_rows
        oldest = select(audit.c.id).where(condition).order_by(audit.c.id).limit(min(from_traffic or surplus, BATCH))
        return connection.execute(delete(audit).where(audit.c.id.in_(oldest))).rowcount
