"""The ledger: every run there is, from its entry to its end and after, in the database.

*Atomic*: a call does all that it says or nothing. *Ordered*: the versions of a run grow by one, and whoever has seen a version
has seen what all before it have led to. *Durable*: when a call returns, it is stored. Calls may come twice, and from several
processes at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from hermes.core.clock import Clock, milliseconds
from hermes.db.database import Database
from hermes.errors import NotFound, RunConflict
from hermes.runs import log_table, run_table, transition_table
from hermes.runs.change import Change, cancelled, changed
from hermes.runs.fields import NewRun, new_id
from hermes.runs.log_table import Chunk
from hermes.runs.run import Run
from hermes.runs.run_table import Place, Wanted
from hermes.runs.status import Status
from hermes.runs.transition_table import Transition

MAX_TRANSITIONS = 1000
"""Of one run, that are told."""


class Entered(NamedTuple):
    """A run, and whether it is new."""

    run: Run
    is_new: bool


class Written(NamedTuple):
    """A run whose log has grown, and the number of the first new line."""

    run: Run
    first: int


class RunPage(NamedTuple):
    """Some runs, the newest first; ``following`` is where the next page goes on, if there is one."""

    runs: Sequence[Run]
    following: Place | None


class Ledger:
    """Runs in ``database``. ``log_bytes`` bounds the log that is kept of each run: the newest of it.

    Every call may raise :class:`~hermes.errors.Unavailable`, and those that name a run :class:`~hermes.errors.NotFound`.
    """

    def __init__(self, database: Database, clock: Clock, log_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._log_bytes = log_bytes

    # What is reported

    def enter(self, new: NewRun, by: str, retry_of: str | None = None) -> Entered:
        """Enter a run, reported by the principal ``by``. Where it is there already, of the same kind and name, that is given.

        Raises :class:`~hermes.errors.RunConflict` where the id is another run's.
        """
        now = self._now()
        run = Run(new.id, new.kind, new.name, now, by, test_id=new.test_id, retry_of=retry_of)
        return self._database.run(partial(_enter, run=run, report=new.report, now=now))

    def report(self, id: str, change: Change, by: str) -> Run:
        """Change a run as :func:`~hermes.runs.change.changed` says; raises :class:`~hermes.errors.RunConflict`."""
        return self._database.run(partial(_report, id=id, change=change, by=by, now=self._now()))

    def cancel(self, id: str, by: str) -> Run:
        """Ask a run to stop, as :func:`~hermes.runs.change.cancelled` says; raises :class:`~hermes.errors.RunConflict`."""
        return self._database.run(partial(_cancel, id=id, by=by, now=self._now()))

    def retry(self, id: str, by: str) -> Run:
        """Enter a new run of the same, which tells what it repeats; raises :class:`~hermes.errors.RunConflict` before the end."""
        former = self.get(id)
        if not former.terminal:
            raise RunConflict(f"the run is {former.status}: only one that has ended can be tried again")
        new = NewRun(new_id(), former.kind, former.name, former.test_id, Change())
        return self.enter(new, by, retry_of=former.id).run

    def write(self, id: str, lines: Sequence[str]) -> Written:
        """Add lines to the log of a run, which may have ended: the last ones come late."""
        return self._database.run(partial(_write, id=id, lines=lines, most=self._log_bytes))

    # What is asked

    def get(self, id: str) -> Run:
        """The run of that id."""
        return self._database.run(partial(_found, id=id))

    def page(self, wanted: Wanted, after: Place | None, limit: int) -> RunPage:
        """At most ``limit`` runs, the newest first."""
        found = self._database.run(partial(run_table.page, wanted=wanted, after=after, limit=limit + 1))
        if len(found) <= limit:
            return RunPage(found, None)
        last = found[limit - 1]
        return RunPage(found[:limit], Place(last.created_at, last.id))

    def counts(self, wanted: Wanted) -> dict[Status, int]:
        """How many runs there are of each status."""
        return self._database.run(partial(run_table.counts, wanted=wanted))

    def latest_of(self, test_id: str) -> Run | None:
        """The newest run of a test."""
        return self._database.run(partial(run_table.latest_of, test_id=test_id))

    def log(self, id: str, after: int, limit: int) -> Chunk:
        """At most ``limit`` lines of a run's log with numbers above ``after``; none: there are no more by now."""
        self.get(id)
        return self._database.run(partial(log_table.read, run_id=id, after=after, limit=limit))

    def transitions(self, id: str) -> list[Transition]:
        """How a run came to where it stands, the oldest first."""
        self.get(id)
        return self._database.run(partial(transition_table.of_run, run_id=id, limit=MAX_TRANSITIONS))

    def _now(self) -> int:
        return milliseconds(self._clock.now())


# In the transaction of the caller


def _found(connection: Connection, id: str) -> Run:
    run = run_table.find(connection, id)
    if run is None:
        raise NotFound(f"there is no run {id[:128]!r}")
    return run


def _enter(connection: Connection, run: Run, report: Change, now: int) -> Entered:
    former = run_table.find(connection, run.id)
    if former is not None:
        if (former.kind, former.name) != (run.kind, run.name):
            raise RunConflict(f"the id {run.id!r} is that of another run, a {former.kind} named {former.name!r}")
        return Entered(former, is_new=False)
    entered = replace(changed(run, report, now), version=1)
    run_table.add(connection, entered)
    transition_table.add(connection, Transition(run.id, now, 0, None, Status.QUEUED, run.created_by))
    _note(connection, run, entered, run.created_by, now)
    return Entered(entered, is_new=True)


def _report(connection: Connection, id: str, change: Change, by: str, now: int) -> Run:
    before = _found(connection, id)
    return _keep(connection, before, changed(before, change, now), by, now)


def _cancel(connection: Connection, id: str, by: str, now: int) -> Run:
    before = _found(connection, id)
    return _keep(connection, before, cancelled(before, now), by, now)


def _write(connection: Connection, id: str, lines: Sequence[str], most: int) -> Written:
    before = _found(connection, id)
    first = before.log_lines + 1
    if not lines:
        return Written(before, first)
    log_table.append(connection, id, first, lines)
    dropped = max(before.log_dropped, log_table.trim(connection, id, most))
    after = replace(before, log_lines=before.log_lines + len(lines), log_dropped=dropped)
    run_table.put(connection, after)
    return Written(after, first)


def _keep(connection: Connection, before: Run, after: Run, by: str, now: int) -> Run:
    if after is not before:
        run_table.put(connection, after)
        _note(connection, before, after, by, now)
    return after


def _note(connection: Connection, before: Run, after: Run, by: str, now: int) -> None:
    if after.status is not before.status:
        step = Transition(after.id, now, after.attempt, before.status, after.status, by)
        transition_table.add(connection, step)
