"""The broker in a process with plain threads: groups, answers, failures, the end."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hermes.brokers import group_commit
from hermes.brokers.embedded import EmbeddedBroker
from hermes.brokers.journal import Journal, Written
from hermes.brokers.journal_file import FILE
from hermes.brokers.journal_once import Call
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.publisher import Once
from hermes.errors import Conflict, StoreError, Unavailable
from hermes.testing import FakeClock
from tests.support.wait import wait_until
from tests.unit.brokers.journal_kit import POISON, event


class Recorder:
    """A feed that keeps what it is given."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.calls: list[tuple[str, int, int]] = []

    def accept(self, epoch: str, first: int, events: Sequence[Event]) -> None:
        self.calls.append((epoch, first, len(events)))
        self.numbers += [event.number for event in events]

    def announce(self, epoch: str, number: int) -> None:
        raise AssertionError("nothing is announced in one process")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "data", clock=FakeClock())
    broker.open()
    yield broker
    broker.close()


@pytest.fixture
def feed(broker: EmbeddedBroker) -> Recorder:
    feed = Recorder()
    broker.feed(feed)
    return feed


class Gate:
    """Holds the writer in the middle of a group, so that the test can line up what comes next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self.groups: list[int] = []
        write = Journal.write

        def gated(journal: Journal, calls: Sequence[Call]) -> Written:
            self.groups.append(len(calls))
            self.entered.set()
            assert self.leave.wait(10)
            return write(journal, calls)

        monkeypatch.setattr(Journal, "write", gated)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def waiting(broker: EmbeddedBroker) -> int:
    assert broker._writer is not None
    return len(broker._writer._pending)


def test_publish_answers_after_the_feed_has_it(broker: EmbeddedBroker, feed: Recorder) -> None:
    epoch = broker.tip().epoch
    sent = [event("a"), event("b")]
    assert broker.publish(sent) == [Cursor(epoch, 1), Cursor(epoch, 2)]
    assert feed.calls == [(epoch, 1, 2)]
    assert [event.number for event in sent] == [1, 2]
    assert broker.tip(7) == (epoch, 2, 7)


def test_works_without_a_feed(broker: EmbeddedBroker) -> None:
    assert broker.publish([event("a")])[0].number == 1


def test_repeated_call_is_not_fed_again(broker: EmbeddedBroker, feed: Recorder) -> None:
    once = Once("k", "d")
    assert broker.publish([event("a")], once) == broker.publish([event("a")], once)
    assert feed.numbers == [1]


def test_calls_that_wait_share_a_group(broker: EmbeddedBroker, feed: Recorder, gate: Gate) -> None:
    with ThreadPoolExecutor(20) as threads:
        first = threads.submit(broker.publish, [event("a")])
        assert gate.entered.wait(10)
        others = [threads.submit(broker.publish, [event("b"), event("c")]) for _ in range(10)]
        wait_until(lambda: waiting(broker) == 10)
        gate.leave.set()
        numbers = [cursor.number for future in [first, *others] for cursor in future.result(10)]
    assert gate.groups == [1, 10]
    assert feed.numbers == [*range(1, 22)]
    assert sorted(numbers) == [*range(1, 22)]
    assert all(second == first + 1 for first, second in zip(numbers[1::2], numbers[2::2], strict=True))


def test_groups_are_bounded(
    broker: EmbeddedBroker, gate: Gate, monkeypatch: pytest.MonkeyPatch, feed: Recorder
) -> None:
    monkeypatch.setattr(group_commit, "GROUP_EVENTS", 5)
    monkeypatch.setattr(group_commit, "GROUP_BYTES", 1000)
    with ThreadPoolExecutor(20) as threads:
        futures = [threads.submit(broker.publish, [event("a")])]
        assert gate.entered.wait(10)
        for call in ([event("b")] * 9, [event("c")] * 2, [event("d")] * 3, [event("e")], [event("f", "x" * 990)]):
            futures.append(threads.submit(broker.publish, call))
            wait_until(lambda: waiting(broker) == len(futures) - 1)
        gate.leave.set()
        for future in futures:
            future.result(10)
    assert gate.groups == [1, 1, 2, 1, 1]
    assert len(feed.numbers) == 17


def test_conflict_in_a_group_fails_only_its_call(broker: EmbeddedBroker, feed: Recorder, gate: Gate) -> None:
    with ThreadPoolExecutor(20) as threads:
        first = threads.submit(broker.publish, [event("a")], Once("k", "one"))
        assert gate.entered.wait(10)
        good = threads.submit(broker.publish, [event("b")])
        bad = threads.submit(broker.publish, [event("c")], Once("k", "two"))
        wait_until(lambda: waiting(broker) == 2)
        gate.leave.set()
        assert first.result(10)[0].number == 1
        assert good.result(10)[0].number == 2
        with pytest.raises(Conflict):
            bad.result(10)
    assert feed.numbers == [1, 2]


def test_failed_group_fails_all_its_callers_and_gives_the_numbers_back(
    broker: EmbeddedBroker, feed: Recorder, gate: Gate, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "data" / FILE) as other:
        other.execute(POISON)
    other.close()
    with ThreadPoolExecutor(20) as threads:
        first = threads.submit(broker.publish, [event("a")])
        assert gate.entered.wait(10)
        others = [
            threads.submit(broker.publish, [event("b", 1, key=key)]) for key in ("fine", "poison", "just as fine")
        ]
        wait_until(lambda: waiting(broker) == 3)
        gate.leave.set()
        assert first.result(10)[0].number == 1
        for future in others:
            with pytest.raises(Unavailable, match="poisoned") as error:
                future.result(10)
            assert isinstance(error.value.__cause__, sqlite3.IntegrityError)
    assert feed.numbers == [1]
    assert broker.publish([event("a")])[0].number == 2
    assert [found.number for found in broker.read(0, 100, 1 << 20).events] == [1, 2]


def test_full_disk_is_said_and_heals(broker: EmbeddedBroker, feed: Recorder) -> None:
    broker.publish([event("a")])
    limit(broker, 30)
    while not refused(lambda: broker.publish([event("a", "x" * 10_000)])):
        assert broker.tip().number < 200
    stored = broker.tip().number
    for _ in range(5):
        with pytest.raises(Unavailable, match="the disk of the data folder is full"):
            broker.publish([event("a", "x" * 60_000), event("b")])
    assert feed.numbers == [*range(1, stored + 1)]
    limit(broker, 1_000_000)
    assert broker.publish([event("a")])[0].number == stored + 1
    assert [found.number for found in broker.read(0, 1000, 1 << 30).events] == feed.numbers


def limit(broker: EmbeddedBroker, pages: int) -> None:
    """SQLite's own bound of the file: what is over it is SQLITE_FULL, as on a full disk."""
    assert broker._journal._opened is not None
    broker._journal._opened.connection.execute(f"PRAGMA max_page_count = {pages}")


def refused(publish: Callable[[], object]) -> bool:
    try:
        publish()
    except Unavailable:
        return True
    return False


def test_foreign_lock_is_unavailable_and_said(broker: EmbeddedBroker, tmp_path: Path) -> None:
    assert broker._journal._opened is not None
    broker._journal._opened.connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "data" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another program holds the journal locked"):
        broker.publish([event("a")])
    with pytest.raises(Unavailable, match="another program"):
        broker.tip()
    other.close()
    assert broker.publish([event("a")])[0].number == 1
    assert broker.tip().number == 1


def test_removed_folder_is_made_again(broker: EmbeddedBroker, tmp_path: Path, feed: Recorder) -> None:
    epoch = broker.publish([event("a")])[0].epoch
    (tmp_path / "data").rename(tmp_path / "away")
    cursor = broker.publish([event("a")])[0]
    assert cursor.number == 1
    assert cursor.epoch != epoch
    assert feed.calls == [(epoch, 1, 1), (cursor.epoch, 1, 1)]
    with pytest.raises(StoreError, match="in use by process"):
        EmbeddedBroker(tmp_path / "data", clock=FakeClock()).open()


def test_slow_disk_is_not_waited_for_without_end(
    broker: EmbeddedBroker, feed: Recorder, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr("hermes.brokers.embedded.PUBLISH_TIMEOUT", 0.05)
        impatient.setattr("hermes.brokers.embedded.TIP_TIMEOUT", 0.05)
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(broker.publish, [event("a")])
            assert gate.entered.wait(10)
            with pytest.raises(Unavailable, match=r"too slow .*nothing is known to be stored"):
                first.result(10)
        with pytest.raises(Unavailable, match="too slow"):
            broker.publish([event("withdrawn")])
        with pytest.raises(Unavailable, match="too slow"):
            broker.tip()
    gate.leave.set()
    wait_until(lambda: feed.numbers == [1])
    assert broker.tip().number == 1  # the second call was taken back before its group


def test_too_much_that_waits_is_refused(broker: EmbeddedBroker, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PENDING_BYTES", 100)
    with ThreadPoolExecutor(20) as threads:
        futures = [threads.submit(broker.publish, [event("a")])]
        assert gate.entered.wait(10)
        futures.append(threads.submit(broker.publish, [event("a", "x" * 90)]))
        wait_until(lambda: waiting(broker) == 1)
        with pytest.raises(Unavailable, match="more is published than"):
            broker.publish([event("a", "x" * 90)])
        gate.leave.set()
        assert [future.result(10)[0].number for future in futures] == [1, 2]


def test_feed_that_fails_stops_nobody(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Recorder):
        def accept(self, epoch: str, first: int, events: Sequence[Event]) -> None:
            raise RuntimeError("a defect")

    broker.feed(Bad())
    assert broker.publish([event("a")])[0].number == 1
    assert broker.publish([event("a")])[0].number == 2
    assert "a defect" in caplog.text


def test_close_finishes_what_was_accepted(broker: EmbeddedBroker, feed: Recorder, gate: Gate, tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as threads:
        futures = [threads.submit(broker.publish, [event("a")])]
        assert gate.entered.wait(10)
        futures += [threads.submit(broker.publish, [event("b")]) for _ in range(5)]
        wait_until(lambda: waiting(broker) == 5)
        closing = [threads.submit(broker.close) for _ in range(2)]
        wait_until(lambda: broker._writer is None)
        with pytest.raises(Unavailable, match="closed"):
            broker.publish([event("late")])
        with pytest.raises(StoreError):
            EmbeddedBroker(tmp_path / "data", clock=FakeClock()).open()
        gate.leave.set()
        assert sorted(future.result(10)[0].number for future in futures) == [*range(1, 7)]
        for future in closing:
            future.result(10)
    assert feed.numbers == [*range(1, 7)]
    heir = EmbeddedBroker(tmp_path / "data", clock=FakeClock(), boot=lambda: "another boot")
    heir.open()
    assert heir.tip() == (futures[0].result()[0].epoch, 6, 0)
    heir.close()


def test_closed_broker_refuses_everything(broker: EmbeddedBroker) -> None:
    broker.close()
    broker.close()
    calls: list[Callable[[], object]] = [
        lambda: broker.publish([event("a")]),
        lambda: broker.read(0, 1, 1),
        lambda: broker.retained(["a"]),
        broker.tip,
    ]
    for ask in calls:
        with pytest.raises(Unavailable, match="closed"):
            ask()


def test_retained_comes_with_the_tip(broker: EmbeddedBroker) -> None:
    broker.publish([event("a", 1, key="k"), event("b")])
    snapshot = broker.retained(["a"])
    assert (snapshot.tip, [entry.event.value for entry in snapshot.entries]) == (2, [1])


def test_damaged_journal_is_refused_with_a_remedy(broker: EmbeddedBroker, tmp_path: Path) -> None:
    broker.close()
    (tmp_path / "data" / FILE).write_bytes(b"x" * 10_000)
    again = EmbeddedBroker(tmp_path / "data", clock=FakeClock())
    with pytest.raises(StoreError, match=r"damaged.*Move journal\.db\* away"):
        again.open()
    (tmp_path / "data" / FILE).unlink()
    again.open()  # the lock was given back
    again.close()


def test_damage_while_running_is_unavailable_to_readers(broker: EmbeddedBroker, tmp_path: Path) -> None:
    broker.publish([event("a")])
    for path in (tmp_path / "data" / FILE, tmp_path / "data" / f"{FILE}-wal"):
        path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(Unavailable, match="history cannot be read"):
        broker.read(0, 1, 1)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="HERMES_DATA_DIR"):
        EmbeddedBroker(tmp_path / "file" / "data", clock=FakeClock()).open()


def test_folder_is_private_when_made_and_untouched_when_not(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    for name, mode in (("made", 0o700), ("there", 0o755)):
        broker = EmbeddedBroker(tmp_path / name, clock=FakeClock())
        broker.open()
        assert (tmp_path / name).stat().st_mode & 0o777 == mode
        broker.close()
