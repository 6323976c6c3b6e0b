"""Numbers, pages, epochs, time, and what happens when SQLite fails."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from hermes.brokers.base import Bounds
from hermes.brokers.journal_file import SCHEMA, boot_id
from hermes.core.cursor import Cursor
from hermes.errors import StoreError
from tests.unit.brokers.journal_kit import POISON, Kit, call, channels_of, event

# Numbers and pages


def test_calls_of_a_group_get_contiguous_numbers(kit: Kit) -> None:
    written = kit.journal.write([call(event("a"), event("b")), call(event("c"))])
    epoch = written.epoch
    assert written.first == 1
    assert written.answers == [[Cursor(epoch, 1), Cursor(epoch, 2)], [Cursor(epoch, 3)]]
    assert kit.publish(event("a")).answers == [[Cursor(epoch, 4)]]
    page = kit.reader.page(0, 100, 1 << 20)
    assert [event.number for event in page.events] == [1, 2, 3, 4]
    assert channels_of(page.events) == ["a", "b", "c", "a"]
    assert (page.epoch, page.after, page.last, page.tip, page.floor, page.floors) == (epoch, 0, 4, 4, 0, {})


def test_events_come_back_as_they_went(kit: Kit) -> None:
    sent = event("a b", {"text": 'é"\\\n\0\u2028 🙂'}, key=None, ttl=1.5, exclude=("c1", "c2"))
    kit.publish(sent)
    [found] = kit.reader.page(0, 1, 1).events
    assert found.record() == sent.record()
    assert found.value == {"text": 'é"\\\n\0\u2028 🙂'}


def test_page_is_bounded_by_events_and_bytes_but_has_one_event_at_least(kit: Kit) -> None:
    for number in range(1, 11):
        kit.publish(event("a", number))
    size = len(event("a", 1).record())
    page = kit.reader.page(2, 3, 1 << 20)
    assert [event.number for event in page.events] == [3, 4, 5]
    assert (page.last, page.tip) == (5, 10)
    assert [event.number for event in kit.reader.page(2, 100, 2 * size).events] == [3, 4]
    assert [event.number for event in kit.reader.page(2, 100, 1).events] == [3]
    assert kit.reader.page(7, 3, 1 << 20).last == 10
    assert kit.reader.page(10, 3, 1 << 20).events == []
    assert kit.reader.page(99, 3, 1 << 20).last == 10


def test_page_ends_at_the_tip_when_the_last_events_are_gone(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=2))
    kit.publish(event("a"), event("b"))
    kit.publish(*[event("a c")] * 3)
    assert kit.numbers() == [2, 4, 5]
    page = kit.reader.page(1, 1, 1)
    assert (page.last, page.floors) == (2, {"a": 3, "c": 3})
    kit.close()


# Epochs


def epoch_after(kit: Kit, boot: str) -> str:
    kit.boot = boot
    kit.open()
    return kit.publish(event("a")).epoch


def test_clean_close_goes_on_after_any_boot(kit: Kit) -> None:
    epoch = kit.publish(event("a"), event("a")).epoch
    kit.close()
    assert epoch_after(kit, "boot-2") == epoch
    assert kit.numbers() == [1, 2, 3]


def test_killed_process_goes_on_in_the_same_boot(kit: Kit) -> None:
    epoch = kit.publish(event("a"), event("a")).epoch
    kit.kill()
    assert epoch_after(kit, "boot-1") == epoch
    assert kit.numbers() == [1, 2, 3]


def test_another_boot_without_the_mark_is_a_new_epoch(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=1))
    kit.publish(event("a", 1, key="k1"), event("a b", 2, key="k2"))
    epoch = kit.publish(event("c")).epoch
    kit.kill()
    assert epoch_after(kit, "boot-2") != epoch
    page = kit.reader.page(0, 100, 1 << 20)
    assert ([event.number for event in page.events], page.tip, page.floor, page.floors) == ([1], 1, 0, {})
    kit.assert_memory_equals_file()
    kit.close()


def test_mark_is_taken_off_at_open(kit: Kit) -> None:
    epoch = kit.publish(event("a")).epoch
    kit.close()
    kit.open()
    kit.kill()
    assert epoch_after(kit, "boot-2") != epoch


def test_retained_state_and_keys_outlive_the_epoch_in_their_order(kit: Kit) -> None:
    for key in ("k1", "k2", "k3"):
        kit.publish(event("a b", key, key=key))
    kit.publish(event("a", "new", key="k1"))
    for boot in ("boot-2", "boot-3"):
        kit.kill()
        kit.boot = boot
        kit.open()
    snapshot = kit.reader.retained(["*"])
    assert snapshot.tip == 0
    assert [(entry.event.value, entry.channels) for entry in snapshot.entries] == [
        ("k1", ("b",)),
        ("k2", ("a", "b")),
        ("k3", ("a", "b")),
        ("new", ("a",)),
    ]
    assert {entry.event.number for entry in snapshot.entries} == {0}
    kit.publish(event("b", "newest", key="k0"))
    assert kit.reader.retained(["b"]).entries[-1].event.number == 1


def test_file_that_went_back_in_time_is_a_new_epoch(kit: Kit, tmp_path: Path) -> None:
    epoch = kit.publish(event("a")).epoch
    kit.close()
    shutil.copy(kit.path, tmp_path / "backup")
    kit.open()
    kit.publish(event("a"), event("a"))
    for path in tmp_path.glob("journal.db*"):
        path.unlink()
    (tmp_path / "backup").rename(kit.path)
    written = kit.publish(event("a"))
    assert written.epoch != epoch
    assert written.first == 1


def test_boot_id_is_the_same_twice() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) > 8


def test_without_a_boot_id_the_minute_of_the_boot_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hermes.brokers.journal_file._BOOT_ID", tmp_path / "missing")
    assert boot_id().startswith("boot-minute-")


def test_newer_schema_is_refused_with_a_sentence(kit: Kit) -> None:
    kit.close()
    kit.sql(f"UPDATE meta SET value = {SCHEMA + 1} WHERE name = 'schema'")
    with pytest.raises(StoreError, match=f"schema {SCHEMA + 1}.*knows {SCHEMA}"):
        kit.open()
    kit.sql(f"UPDATE meta SET value = {SCHEMA} WHERE name = 'schema'")
    kit.open()


# Time


def stored_times(kit: Kit) -> list[int]:
    return [ms for (ms,) in kit.sql("SELECT stored_ms FROM log ORDER BY number")]


@pytest.mark.parametrize("jump", [3600, -3600])
def test_wall_clock_that_jumps_removes_nothing_and_keeps_order(tmp_path: Path, jump: int) -> None:
    kit = Kit(tmp_path, Bounds(age=600))
    kit.publish(event("a"))
    kit.clock.set_wall(kit.clock.now() + jump)
    kit.clock.advance(1)
    kit.journal.upkeep()
    kit.publish(event("a"))
    assert kit.numbers() == [1, 2]
    first, second = stored_times(kit)
    assert second - first == 1000
    kit.clock.advance(599.5)
    kit.journal.upkeep()
    assert kit.numbers() == [2]
    kit.close()


def test_time_does_not_go_back_over_a_restart(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(age=600))
    kit.publish(event("a"))
    kit.close()
    kit.clock.set_wall(kit.clock.now() - 3600)
    kit.open()
    kit.publish(event("a"))
    first, second = stored_times(kit)
    assert second >= first
    kit.clock.advance(601)
    kit.journal.upkeep()
    assert kit.numbers() == []
    kit.close()


def test_clock_that_is_wrong_at_start_takes_the_history_bit_by_bit(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(age=600))
    kit.publish(*[event("a")] * 900)
    kit.close()
    kit.clock.set_wall(kit.clock.now() + 3600)
    kit.open()
    kit.journal.upkeep()
    assert kit.numbers()[0] == 501
    kit.publish(event("a"))
    assert kit.numbers()[0] == 523
    kit.close()


# Failures


def test_failed_transaction_gives_all_back(kit: Kit) -> None:
    kit.publish(event("a", 1, key="k"), event("b"))
    kit.sql(POISON)
    with pytest.raises(sqlite3.IntegrityError):
        kit.publish(event("a", 2, key="k"), event("c"), event("c", 3, key="poison"))
    kit.assert_memory_equals_file()
    written = kit.publish(event("a", 4))
    assert written.first == 3
    assert kit.numbers() == [1, 2, 3]
    assert [entry.event.value for entry in kit.reader.retained(["a"]).entries] == [1]


def test_late_failure_gives_all_back_too(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=2))
    kit.publish(event("a"), event("a"))
    kit.sql("CREATE TRIGGER late BEFORE INSERT ON floors BEGIN SELECT RAISE(ABORT, 'too late'); END")
    with pytest.raises(sqlite3.IntegrityError):
        kit.publish(event("a"))
    kit.assert_memory_equals_file()
    assert kit.publish(event("b")).first == 3
    kit.sql("DROP TRIGGER late")
    kit.publish(event("a"))
    assert kit.numbers() == [2, 3, 4]
    kit.assert_memory_equals_file()
    kit.close()


def test_full_disk_stores_nothing_until_there_is_room(kit: Kit) -> None:
    kit.publish(event("a"))
    assert kit.journal._opened is not None
    connection = kit.journal._opened.connection
    [(pages,)] = kit.sql("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            kit.publish(*[event("a", "x" * 10_000, key=str(number)) for number in range(10)])
    kit.assert_memory_equals_file()
    assert kit.numbers() == [1]
    connection.execute("PRAGMA max_page_count = 1000000")
    assert kit.publish(event("a")).first == 2
    assert kit.journal.upkeep().number == 2


def test_upkeep_tries_to_write_after_a_failure(kit: Kit) -> None:
    kit.sql(POISON)
    with pytest.raises(sqlite3.IntegrityError):
        kit.publish(event("a", 1, key="poison"))
    lock = sqlite3.connect(kit.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert kit.journal._opened is not None
    kit.journal._opened.connection.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        kit.journal.upkeep()
    lock.close()
    kit.journal.upkeep()
    assert kit.publish(event("a")).first == 1


def test_removed_file_is_made_again_with_a_new_epoch(kit: Kit) -> None:
    epoch = kit.publish(event("a"), event("a")).epoch
    kit.numbers()
    for path in kit.path.parent.iterdir():
        path.unlink()
    written = kit.publish(event("b"))
    assert written.epoch != epoch
    assert channels_of(kit.reader.page(0, 10, 1 << 20).events) == ["b"]
    kit.assert_memory_equals_file()


def test_unusable_file_fails_until_it_can_be_used(kit: Kit) -> None:
    kit.publish(event("a"))
    kit.path.rename(kit.path.with_suffix(".away"))
    kit.path.mkdir()
    with pytest.raises((sqlite3.Error, OSError)):
        kit.publish(event("a"))
    with pytest.raises((sqlite3.Error, OSError)):
        kit.journal.upkeep()
    kit.path.rmdir()
    kit.path.with_suffix(".away").rename(kit.path)
    assert kit.publish(event("a")).first == 2
    assert kit.numbers() == [1, 2]


def test_change_by_another_program_is_noticed_before_anything_is_stored(kit: Kit) -> None:
    kit.publish(event("a"))
    kit.sql("UPDATE meta SET value = 7 WHERE name = 'tip'")
    with pytest.raises(sqlite3.OperationalError, match="another program"):
        kit.publish(event("a"))
    assert kit.publish(event("a")).first == 8


def test_damaged_file_is_refused_at_open(kit: Kit) -> None:
    kit.close()
    kit.path.write_bytes(b"not a database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        kit.open()
    kit.path.unlink()


def test_reader_recovers_and_stays_closed(kit: Kit) -> None:
    kit.publish(event("a"))
    assert kit.numbers() == [1]
    kit.path.rename(kit.path.with_suffix(".away"))
    with pytest.raises(OSError, match="No such file"):
        kit.numbers()
    kit.path.with_suffix(".away").rename(kit.path)
    assert kit.numbers() == [1]
    kit.reader.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kit.numbers()


def test_files_are_private(kit: Kit) -> None:
    kit.publish(event("a"))
    found = {path.name: path.stat().st_mode & 0o777 for path in kit.path.parent.iterdir()}
    assert found == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_close_leaves_one_file(kit: Kit) -> None:
    kit.publish(event("a"))
    kit.close()
    assert [path.name for path in kit.path.parent.iterdir()] == ["journal.db"]
