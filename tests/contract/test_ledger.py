"""The ledger of runs on either database: what is reported is kept, once, whoever reports it and how often."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.core.clock import milliseconds
from hermes.errors import NotFound, RunConflict
from hermes.runs import log_table
from hermes.runs.change import Change
from hermes.runs.fields import NewRun, new_run
from hermes.runs.ledger import Ledger
from hermes.runs.log_table import CHUNK_BYTES
from hermes.runs.run import Run
from hermes.runs.run_table import Wanted
from hermes.runs.status import Kind, Status
from hermes.testing import FakeClock
from tests.contract.database_fixtures import DatabaseFactory

ME = "key:me"
LOG_BYTES = 10 * CHUNK_BYTES
START, PASS, FAIL = (Change(status=status) for status in (Status.RUNNING, Status.PASSED, Status.FAILED))

Result = TypeVar("Result")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(databases: DatabaseFactory, clock: FakeClock) -> Ledger:
    return Ledger(databases(), clock, LOG_BYTES)


def job(name: str = "import", **fields: Any) -> NewRun:
    return new_run({"name": name, **fields})


def at_once(work: list[Callable[[], Result]]) -> list[Result]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one) for one in work]]


def test_one_life(ledger: Ledger, clock: FakeClock, databases: DatabaseFactory) -> None:
    other = Ledger(databases(), clock, LOG_BYTES)
    run, is_new = ledger.enter(job("söme \U0001f600", test_id="t", kind="test"), ME)
    assert (is_new, run.status, run.version, run.created_by) == (True, Status.QUEUED, 1, ME)
    assert other.get(run.id) == run
    clock.advance(1)
    started = other.report(run.id, START, "key:worker")
    report = Change(progress=41.5, done=83, total=200, phase="load", message="half", result={"rows": [1, None, "ä"]})
    assert ledger.report(run.id, report, ME).version == started.version + 1
    clock.advance(2)
    ended = ledger.report(run.id, FAIL, ME)
    assert other.get(run.id) == ended
    assert (ended.progress, ended.result, ended.duration) == (41.5, {"rows": [1, None, "ä"]}, 2.0)
    steps = [(step.before, step.after, step.attempt, step.by) for step in other.transitions(run.id)]
    assert steps == [
        (None, Status.QUEUED, 0, ME),
        (Status.QUEUED, Status.RUNNING, 1, "key:worker"),
        (Status.RUNNING, Status.FAILED, 1, ME),
    ]
    assert other.transitions(run.id)[1].at == milliseconds(clock.now()) - 2000


def test_a_run_that_is_entered_with_its_end(ledger: Ledger) -> None:
    run = ledger.enter(job(status="success", message="m"), ME).run
    assert (run.status, run.version, run.attempt, run.progress) == (Status.COMPLETED, 1, 0, 100)
    assert [step.after for step in ledger.transitions(run.id)] == [Status.QUEUED, Status.COMPLETED]


def test_what_is_entered_twice_is_there_once(ledger: Ledger) -> None:
    first = ledger.enter(job(run_id="a"), ME).run
    ledger.report("a", START, ME)
    again, is_new = ledger.enter(job(run_id="a"), "key:other")
    assert (is_new, again.id, again.created_by, again.status) == (False, first.id, ME, Status.RUNNING)
    for other in (job("else", run_id="a"), job(run_id="a", kind="test")):
        with pytest.raises(RunConflict, match="another run"):
            ledger.enter(other, ME)
    assert len(ledger.transitions("a")) == 2


def test_nothing_is_known_of_others(ledger: Ledger) -> None:
    calls: list[Callable[[], object]] = [
        lambda: ledger.get("no"),
        lambda: ledger.report("no", START, ME),
        lambda: ledger.cancel("no", ME),
        lambda: ledger.retry("no", ME),
        lambda: ledger.write("no", ["a"]),
        lambda: ledger.log("no", 0, 10),
        lambda: ledger.transitions("no\0"),
    ]
    for call in calls:
        with pytest.raises(NotFound, match="there is no run 'no"):
            call()


def test_cancel_and_retry(ledger: Ledger) -> None:
    waiting, running = ledger.enter(job(), ME).run, ledger.enter(job("b", test_id="t"), ME).run
    ledger.report(running.id, START, ME)
    assert ledger.cancel(waiting.id, ME).status is Status.CANCELLED
    assert ledger.cancel(running.id, ME).cancel_requested
    with pytest.raises(RunConflict, match="only one that has ended"):
        ledger.retry(running.id, ME)
    ledger.report(running.id, Change(status=Status.CANCELLED), ME)
    again = ledger.retry(running.id, "key:other")
    assert (again.retry_of, again.name, again.test_id, again.created_by) == (running.id, "b", "t", "key:other")
    assert (again.status, again.version) == (Status.QUEUED, 1)


def test_reports_at_once_are_versions_one_by_one(ledger: Ledger, databases: DatabaseFactory, clock: FakeClock) -> None:
    ledgers = [ledger, *(Ledger(databases(), clock, LOG_BYTES) for _ in range(3))]
    run = ledger.enter(job(status="running"), ME).run

    def reported(number: int) -> int:
        return ledgers[number % 4].report(run.id, Change(message=f"m{number}"), ME).version

    versions = at_once([lambda number=number: reported(number) for number in range(24)])
    assert sorted(versions) == list(range(run.version + 1, run.version + 25))


def test_of_two_ends_at_once_one_is_the_end(ledger: Ledger, databases: DatabaseFactory, clock: FakeClock) -> None:
    other = Ledger(databases(), clock, LOG_BYTES)
    for _ in range(5):
        run = ledger.enter(job(status="running"), ME).run

        def end(book: Ledger, change: Change, id: str = run.id) -> Run | None:
            try:
                return book.report(id, change, ME)
            except RunConflict:
                return None

        ends = at_once([lambda: end(ledger, PASS), lambda: end(other, FAIL)])
        (the_end,) = [one for one in ends if one is not None]
        assert ledger.get(run.id) == the_end
        assert len(ledger.transitions(run.id)) == 3


def test_the_same_run_entered_by_many_at_once(ledger: Ledger, databases: DatabaseFactory, clock: FakeClock) -> None:
    other = Ledger(databases(), clock, LOG_BYTES)
    entered = at_once([lambda book=book: book.enter(job(run_id="x"), ME) for book in [ledger, other] * 4])
    assert [one.is_new for one in entered].count(True) == 1
    assert len(ledger.transitions("x")) == 1


def test_pages_and_counts(ledger: Ledger, clock: FakeClock) -> None:
    begun = milliseconds(clock.now())
    names = ["import a", "import b", "export_1", "exportx1", "50%"]
    for number in range(25):
        clock.advance(1 if number % 2 else 0)  # some in the same millisecond
        kind = "test" if number % 5 == 0 else "job"
        status = "passed" if kind == "test" else "queued"
        ledger.enter(job(names[number % 5], kind=kind, status=status, test_id=f"t{number % 2}"), ME)

    def listed(limit: int = 1000, **wanted: Any) -> list[Run]:
        runs, after = list[Run](), None
        while True:
            page = ledger.page(Wanted(**wanted), after, limit)
            runs += page.runs
            assert len(page.runs) <= limit
            if page.following is None:
                return runs
            after = page.following

    everything = listed()
    assert len(everything) == 25
    assert listed(7) == listed(5) == everything
    assert [run.created_at for run in everything] == sorted((run.created_at for run in everything), reverse=True)
    assert len(listed(statuses=[Status.QUEUED])) == 20
    assert len(listed(kinds=[Kind.TEST], statuses=[Status.PASSED, Status.FAILED])) == 5
    assert {run.name for run in listed(name="import*")} == {"import a", "import b"}
    assert {run.name for run in listed(name="export_*")} == {"export_1"}
    assert {run.name for run in listed(name="*%")} == {"50%"}
    assert listed(name="import") == []
    assert len(listed(test_id="t1")) == 12
    assert len(listed(since=begun + 5000, until=begun + 10_000)) == 10
    assert ledger.counts(Wanted()) == {Status.QUEUED: 20, Status.PASSED: 5}
    assert ledger.counts(Wanted(name="50%")) == {Status.QUEUED: 5}
    newest = ledger.latest_of("t0")
    assert newest is not None
    assert newest.id == listed(test_id="t0")[0].id
    assert ledger.latest_of("t9") is None


# The log


def whole(ledger: Ledger, id: str, after: int = 0, limit: int = 1000) -> tuple[int, list[str]]:
    """The number of the first line that is kept above `after`, and all lines from there on."""
    first, lines = ledger.log(id, after, limit)
    found = list(lines)
    while found:
        more = ledger.log(id, first + len(found) - 1, limit).lines
        if not more:
            break
        found += more
    return first, found


def test_a_log(ledger: Ledger) -> None:
    run = ledger.enter(job(), ME).run
    assert whole(ledger, run.id) == (1, [])
    assert ledger.write(run.id, []).first == 1
    assert ledger.write(run.id, ["a", ""]).first == 1
    written = ledger.write(run.id, ["ä\u2028", "x" * 50_000, "b\0"])
    assert (written.first, written.run.log_lines, written.run.version) == (3, 5, run.version)
    lines = ["a", "", "ä\u2028", "x" * 50_000, "b\ufffd"]
    assert whole(ledger, run.id) == whole(ledger, run.id, limit=1) == (1, lines)
    assert whole(ledger, run.id, after=3) == (4, lines[3:])
    assert whole(ledger, run.id, after=5) == (6, [])
    ledger.report(run.id, Change(status=Status.FAILED), ME)
    assert ledger.write(run.id, ["late"]).first == 6


def test_lines_that_come_one_by_one_are_no_row_each(ledger: Ledger, databases: DatabaseFactory) -> None:
    run = ledger.enter(job(), ME).run
    for number in range(100):
        ledger.write(run.id, [f"line {number}"])
    with databases.raw() as connection:
        (rows,) = connection.exec_driver_sql("select count(*) from hermes_run_log").one()
    assert rows == 1
    assert len(whole(ledger, run.id)[1]) == 100


def test_the_newest_of_a_long_log_is_kept(ledger: Ledger, databases: DatabaseFactory) -> None:
    run = ledger.enter(job(), ME).run
    for batch in range(50):
        ledger.write(run.id, [f"{batch}:{number} {'x' * 1000}" for number in range(20)])
    run = ledger.get(run.id)
    first, lines = whole(ledger, run.id)
    assert run.log_lines == 1000
    assert first == run.log_dropped + 1 > 1
    assert len(lines) == 1000 - run.log_dropped
    assert lines[-1].startswith("49:19 ")
    assert databases().run(lambda connection: log_table.size(connection, run.id)) <= LOG_BYTES
    ledger.write(run.id, ["x" * 2 * LOG_BYTES])
    assert len(whole(ledger, run.id)[1]) >= 1, "the newest is kept, however large"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    batches=st.lists(st.lists(st.sampled_from(["", "a", "b" * 3000, "c" * 20_000]), max_size=6), max_size=12),
    after=st.integers(0, 80),
    limit=st.integers(1, 20),
)
def test_any_log_is_read_from_anywhere(ledger: Ledger, batches: list[list[str]], after: int, limit: int) -> None:
    run = ledger.enter(job(), ME).run
    lines: list[str] = []
    for batch in batches:
        assert ledger.write(run.id, batch).first == len(lines) + 1
        lines += batch
    dropped = ledger.get(run.id).log_dropped
    first, found = whole(ledger, run.id, after, limit)
    begin = max(after, dropped)
    assert found == lines[begin:]
    assert not found or first == begin + 1
