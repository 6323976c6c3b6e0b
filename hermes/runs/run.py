"""A run: one execution of a job, a test or a command, as it stands now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hermes.core.clock import iso_time
from hermes.runs.status import Kind, Status


@dataclass(frozen=True, slots=True)
class Run:
    """Times are in milliseconds since 1970.

    ``progress`` is in percent, and ``None`` where the whole is not known; ``done`` of ``total`` are in whatever unit the run
    counts. ``attempt`` counts the starts, ``version`` every change but of the log: ``log_lines`` is how many lines were taken,
    of which those above ``log_dropped`` are kept. ``test_id`` names the test that a run is of, ``retry_of`` the run that it
    repeats.
    """

    id: str
    kind: Kind
    name: str
    created_at: int
    created_by: str
    status: Status = Status.QUEUED
    test_id: str | None = None
    phase: str | None = None
    progress: float | None = None
    done: float | None = None
    total: float | None = None
    message: str | None = None
    result: Any = None
    error: str | None = None
    version: int = 1
    attempt: int = 0
    started_at: int | None = None
    completed_at: int | None = None
    cancel_requested: bool = False
    retry_of: str | None = None
    log_lines: int = 0
    log_dropped: int = 0

    @property
    def terminal(self) -> bool:
        """Whether it has ended, which is final."""
        return self.status.terminal

    @property
    def channel(self) -> str:
        """Where its changes are published."""
        return f"run:{self.id}"

    @property
    def duration(self) -> float | None:
        """Seconds from its start to its end, or ``None`` before either."""
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at) / 1000

    def as_dict(self) -> dict[str, Any]:
        """What API and events tell of it."""
        return {
            "run_id": self.id,
            "kind": self.kind,
            "name": self.name,
            "test_id": self.test_id,
            "status": self.status,
            "terminal": self.terminal,
            "phase": self.phase,
            "progress": self.progress,
            "done": self.done,
            "total": self.total,
            "message": self.message,
            "result": self.result,
            "error": self.error,
            "version": self.version,
            "attempt": self.attempt,
            "created_at": iso_time(self.created_at),
            "started_at": _iso(self.started_at),
            "completed_at": _iso(self.completed_at),
            "duration": self.duration,
            "cancel_requested": self.cancel_requested,
            "retry_of": self.retry_of,
        }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso_time(ms)
