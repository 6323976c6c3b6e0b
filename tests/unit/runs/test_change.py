"""What a report makes of a run: an end is final, progress never goes back, and each change is a version."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RunConflict
from hermes.runs.change import Change, cancelled, changed
from hermes.runs.run import Run
from hermes.runs.status import Kind, Status

NOW = 1_800_000_000_000
QUEUED = Run("r1", Kind.JOB, "import", NOW, "key:1")
RUNNING = changed(QUEUED, Change(status=Status.RUNNING), NOW + 1000)
OPEN = (Status.QUEUED, Status.RUNNING)
ENDS = [status for status in Status if status.terminal]


def test_a_start() -> None:
    assert (RUNNING.status, RUNNING.attempt, RUNNING.version) == (Status.RUNNING, 1, 2)
    assert (RUNNING.started_at, RUNNING.completed_at, RUNNING.duration) == (NOW + 1000, None, None)


@pytest.mark.parametrize("status", ENDS)
def test_an_end_is_final(status: Status) -> None:
    ended = changed(RUNNING, Change(status=status, message="over", progress=40), NOW + 3500)
    assert (ended.completed_at, ended.duration, ended.version) == (NOW + 3500, 2.5, 3)
    assert ended.progress == (100 if status.good else 40)
    assert changed(ended, Change(status=status, message="over", progress=40), NOW + 9000) is ended, "sent twice"
    assert changed(ended, Change(progress=50), NOW + 9000) is ended, "late progress is no harm"
    for change in (
        Change(message="else"),
        Change(result=1),
        *(Change(status=one) for one in Status if one is not status),
    ):
        with pytest.raises(RunConflict, match=r"has ended .* final"):
            changed(ended, change, NOW + 9000)


def test_what_says_nothing_new_is_no_version() -> None:
    told = changed(RUNNING, Change(progress=10, message="x", phase="a", result={"n": 1}), NOW)
    assert told.version == RUNNING.version + 1
    for change in (Change(), Change(progress=10), Change(status=Status.RUNNING), Change(message="x", result={"n": 1})):
        assert changed(told, change, NOW + 5) is told
    assert changed(told, Change(message=None), NOW).message is None


def test_progress_starts_what_waits_and_never_goes_back() -> None:
    run = changed(QUEUED, Change(progress=30), NOW)
    assert (run.status, run.attempt, run.progress) == (Status.RUNNING, 1, 30)
    assert changed(run, Change(progress=20), NOW) is run
    assert changed(run, Change(progress=31), NOW).progress == 31


def test_progress_by_counting() -> None:
    run = changed(RUNNING, Change(done=5), NOW)
    assert (run.done, run.total, run.progress) == (5, None, None), "the whole is not known"
    run = changed(run, Change(done=6, total=12), NOW)
    assert (run.done, run.progress) == (6, 50)
    run = changed(run, Change(done=3), NOW)
    assert (run.done, run.progress) == (6, 50)
    assert changed(run, Change(done=24), NOW).progress == 100
    assert changed(run, Change(done=7, progress=70), NOW).progress == 70, "who says it knows it"
    assert changed(RUNNING, Change(done=1, total=0), NOW).progress is None


def test_another_attempt_begins_anew() -> None:
    run = changed(RUNNING, Change(progress=80, phase="b", message="m", error="lost"), NOW)
    waiting = changed(run, Change(status=Status.QUEUED), NOW)
    assert (waiting.started_at, waiting.progress, waiting.error, waiting.attempt) == (None, None, "lost", 1)
    again = changed(waiting, Change(status=Status.RUNNING), NOW + 7000)
    assert (again.attempt, again.started_at, again.phase, again.error) == (2, NOW + 7000, None, None)
    assert changed(again, Change(progress=5), NOW).progress == 5


def test_cancelling() -> None:
    ended = cancelled(QUEUED, NOW + 1)
    assert (ended.status, ended.version, ended.completed_at, ended.attempt) == (Status.CANCELLED, 2, NOW + 1, 0)
    assert cancelled(ended, NOW + 2) is ended
    asked = cancelled(RUNNING, NOW)
    assert (asked.status, asked.cancel_requested, asked.version) == (Status.RUNNING, True, 3)
    assert cancelled(asked, NOW) is asked
    with pytest.raises(RunConflict):
        cancelled(changed(asked, Change(status=Status.FAILED), NOW), NOW)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


CHANGES = st.builds(
    Change,
    status=some(st.sampled_from(Status)),
    progress=some(st.floats(0, 100)),
    done=some(st.floats(0, 1e6)),
    total=some(st.floats(0, 1e6)),
    message=st.just("a") | st.none(),
)


@given(st.lists(CHANGES | st.none(), max_size=30))
def test_whatever_is_reported(changes: list[Change | None]) -> None:
    """`None` stands for a cancel."""
    run = QUEUED
    for step, change in enumerate(changes):
        try:
            after = cancelled(run, NOW + step) if change is None else changed(run, change, NOW + step)
        except RunConflict:
            assert run.terminal
            continue
        if after is run:
            continue
        assert not run.terminal
        assert after.version == run.version + 1
        assert replace(after, version=run.version) != run
        assert after.attempt - run.attempt == (after.status is Status.RUNNING and run.status is Status.QUEUED)
        if after.attempt == run.attempt and after.status is not Status.QUEUED:
            assert run.progress is None or (after.progress is not None and after.progress >= run.progress)
            assert run.done is None or (after.done is not None and after.done >= run.done)
        assert after.progress is None or 0 <= after.progress <= 100
        assert (after.completed_at is not None) == after.terminal
        run = after
