"""What is reported of a run, and the run that it makes: the rules of the ledger, without the ledger.

An end is final. Within an attempt progress never goes back. Whatever changes raises the version by one, and what changes nothing
leaves it, so that a report that is sent twice is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from hermes.errors import RunConflict
from hermes.runs.run import Run
from hermes.runs.status import Status, may_follow


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Stands for a field that was not given: ``None`` is a value, which clears."""

WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Change:
    """A report. Of ``status``, ``progress``, ``done`` and ``total`` ``None`` says nothing, as where the whole is not known."""

    status: Status | None = None
    progress: float | None = None
    done: float | None = None
    total: float | None = None
    phase: str | Unset | None = UNSET
    message: str | Unset | None = UNSET
    result: Any = UNSET
    error: str | Unset | None = UNSET

    @property
    def is_progress(self) -> bool:
        """Whether it tells how far a run has come, which only one that runs can."""
        return self.progress is not None or self.done is not None


def changed(run: Run, change: Change, now: int) -> Run:
    """The run after ``change`` at ``now`` (ms since 1970): the same object where nothing is new.

    Progress of a run that is queued starts it. Raises :class:`~hermes.errors.RunConflict` where the run has ended otherwise.
    """
    wanted = change.status
    if wanted is None and run.status is Status.QUEUED and change.is_progress:
        wanted = Status.RUNNING
    after = run if wanted is None or wanted is run.status else _moved(run, wanted, now)
    after = _told(after, change)
    if not run.terminal and after.status is not Status.QUEUED:
        after = replace(after, **_progress(after, change))
    if run.terminal and after != run:
        raise _ended(run)
    return _as_next(run, after)


def cancelled(run: Run, now: int) -> Run:
    """The run after it was asked to stop: one that waits has ended, one that runs is told to. Idempotent.

    Raises :class:`~hermes.errors.RunConflict` where it has ended otherwise.
    """
    if run.status is Status.CANCELLED:
        return run
    if run.terminal:
        raise _ended(run)
    if run.status is Status.QUEUED:
        return _as_next(run, _moved(run, Status.CANCELLED, now))
    return _as_next(run, replace(run, cancel_requested=True))


def _moved(run: Run, status: Status, now: int) -> Run:
    if not may_follow(run.status, status):
        raise _ended(run)
    match status:
        case Status.RUNNING:
            fresh: dict[str, Any] = {"phase": None, "progress": None, "done": None, "total": None, "error": None}
            return replace(run, status=status, attempt=run.attempt + 1, started_at=now, **fresh)
        case Status.QUEUED:  # for its next attempt: what went wrong with the last one stays to be seen
            return replace(run, status=status, started_at=None, progress=None, done=None, total=None)
    progress = WHOLE if status.good else run.progress
    return replace(run, status=status, completed_at=now, progress=progress)


def _told(run: Run, change: Change) -> Run:
    fields: dict[str, Any] = {
        name: value for name in ("phase", "message", "result", "error") if (value := getattr(change, name)) is not UNSET
    }
    return replace(run, **fields) if fields else run


def _progress(run: Run, change: Change) -> dict[str, Any]:
    total = change.total if change.total is not None else run.total
    done = _further(run.done, change.done)
    progress = change.progress
    if progress is None and change.done is not None and done is not None and total:
        progress = round(min(WHOLE, WHOLE * done / total), 2)
    return {"total": total, "done": done, "progress": _further(run.progress, progress)}


def _further(before: float | None, after: float | None) -> float | None:
    if before is None or after is None:
        return after if before is None else before
    return max(before, after)


def _as_next(before: Run, after: Run) -> Run:
    return before if after == before else replace(after, version=before.version + 1)


def _ended(run: Run) -> RunConflict:
    return RunConflict(f"the run has ended ({run.status}), and an end is final: a retry makes a new run")
