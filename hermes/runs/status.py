"""The statuses of a run, and which of them may follow which.

A run is ``queued``, then ``running``, then it has ended, and that is final. A run that is tried again by itself goes back to
``queued`` for its next attempt. Progress is no status.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    PASSED = "passed"
    FAILED = "failed"
    """It ran, and the verdict is negative."""
    ERROR = "error"
    """It could not run, or not to its end."""
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"

    @property
    def terminal(self) -> bool:
        """Whether a run with this status has ended."""
        return self not in (Status.QUEUED, Status.RUNNING)

    @property
    def good(self) -> bool:
        """Whether a run with this status has ended as it should."""
        return self in (Status.COMPLETED, Status.PASSED)


class Kind(StrEnum):
    """What is executed: a job, a test or a suite of them, or a command of a shell."""

    JOB = "job"
    TEST = "test"
    COMMAND = "command"


ALIASES = {
    "waiting": Status.QUEUED,
    "pending": Status.QUEUED,
    "scheduled": Status.QUEUED,
    "active": Status.RUNNING,
    "started": Status.RUNNING,
    "in_progress": Status.RUNNING,
    "complete": Status.COMPLETED,
    "done": Status.COMPLETED,
    "finished": Status.COMPLETED,
    "pass": Status.PASSED,
    "fail": Status.FAILED,
    "failure": Status.FAILED,
    "errored": Status.ERROR,
    "canceled": Status.CANCELLED,
    "aborted": Status.CANCELLED,
    "revoked": Status.CANCELLED,
    "timed_out": Status.TIMEOUT,
}
"""What other programs call a status."""

SUCCESS = frozenset({"success", "succeeded", "ok"})
"""The same of a good end, which is another one for a test than for a job."""


def status_of(word: str, kind: Kind) -> Status | None:
    """The status that ``word`` means for a run of that kind, in any case of its letters; ``None`` for none."""
    word = word.lower()
    if word in SUCCESS:
        return Status.PASSED if kind is Kind.TEST else Status.COMPLETED
    return ALIASES.get(word) or _BY_NAME.get(word)


_BY_NAME = {status.value: status for status in Status}


def may_follow(before: Status, after: Status) -> bool:
    """Whether a run may go from one status to another one."""
    return not before.terminal and before is not after
