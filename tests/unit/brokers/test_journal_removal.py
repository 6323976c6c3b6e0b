"""What leaves the log, and the floors that say so."""

from pathlib import Path

from hermes.brokers.base import Bounds
from tests.unit.brokers.journal_kit import Kit, event


def test_channel_keeps_its_newest_and_costs_only_itself(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=3))
    kit.publish(event("quiet"))
    for _ in range(10):
        kit.publish(event("noisy"))
    page = kit.reader.page(0, 100, 1 << 20)
    assert [event.number for event in page.events] == [1, 9, 10, 11]
    assert (page.floor, page.floors) == (0, {"noisy": 8})
    assert kit.reader.page(8, 100, 1 << 20).floors == {}
    kit.close()


def test_event_of_several_channels_raises_the_floors_of_all(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=2))
    kit.publish(event("a b c"))
    kit.publish(event("b"))
    kit.publish(event("a"), event("a"))
    page = kit.reader.page(0, 100, 1 << 20)
    assert [event.number for event in page.events] == [2, 3, 4]
    assert (page.floor, page.floors) == (0, {"a": 1, "b": 1, "c": 1})
    kit.close()


def test_event_that_one_channel_lets_go_may_be_the_one_that_another_had_too_many(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=2))
    kit.publish(event("a b"), event("b"), event("a"))
    kit.publish(event("a"), event("b"))
    assert kit.numbers() == [2, 3, 4, 5]
    kit.close()


def test_floor_of_a_channel_never_falls(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=2))
    kit.publish(event("b"), event("b c"))
    kit.publish(event("c"), event("c"))  # takes 2 away, which b would have kept
    assert kit.reader.page(0, 9, 1 << 20).floors == {"b": 2, "c": 2}
    kit.publish(event("b"), event("b"))  # takes 1 away
    page = kit.reader.page(0, 9, 1 << 20)
    assert [event.number for event in page.events] == [3, 4, 5, 6]
    assert page.floors == {"b": 2, "c": 2}
    kit.close()


def test_log_drops_its_oldest_over_events(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(events=5, per_channel=2))
    kit.publish(*[event("a")] * 3)
    assert kit.reader.page(0, 100, 1 << 20).floors == {"a": 1}
    kit.publish(*[event(name) for name in "bcdef"])
    page = kit.reader.page(0, 100, 1 << 20)
    assert [event.number for event in page.events] == [4, 5, 6, 7, 8]
    assert (page.floor, page.floors) == (3, {})
    assert kit.sql("SELECT * FROM floors") == []
    kit.close()


def test_log_drops_its_oldest_over_bytes(tmp_path: Path) -> None:
    size = len(event("a", "x" * 1000).record())
    kit = Kit(tmp_path, Bounds(bytes=3 * size))
    kit.publish(*[event("a", "x" * 1000)] * 5)
    assert kit.numbers() == [3, 4, 5]
    kit.publish(event("a", "y" * 2000))
    assert kit.numbers() == [5, 6]
    kit.close()


def test_age_is_removed_in_upkeep(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(age=60, per_channel=2))
    kit.publish(*[event("a")] * 3)
    kit.clock.advance(59)
    kit.publish(event("b"))
    kit.journal.upkeep()
    assert kit.numbers() == [2, 3, 4]
    kit.clock.advance(2)
    kit.journal.upkeep()
    assert kit.numbers() == [4]
    page = kit.reader.page(0, 10, 1 << 20)
    assert (page.floor, page.floors, page.tip) == (3, {}, 4)
    kit.clock.advance(60)
    assert kit.journal.upkeep().number == 4
    assert kit.numbers() == []
    assert kit.reader.page(0, 10, 1 << 20).floor == 4
    kit.assert_memory_equals_file()
    kit.close()


def test_one_transaction_removes_a_bounded_number(tmp_path: Path) -> None:
    kit = Kit(tmp_path)
    kit.publish(*[event("a b")] * 200)
    kit.close()
    kit.bounds = Bounds(per_channel=10)
    kit.open()
    kit.publish(event("c"))
    assert len(kit.numbers()) == 201 - 22
    kit.publish(event("a"))
    assert len(kit.numbers()) == 202 - 44
    kit.journal.upkeep()
    assert kit.numbers() == [*range(192, 203)]
    kit.assert_memory_equals_file()
    kit.close()


def test_lowered_log_bounds_are_reached_bit_by_bit(tmp_path: Path) -> None:
    kit = Kit(tmp_path)
    kit.publish(*[event("a")] * 700)
    kit.close()
    kit.bounds = Bounds(events=10)
    kit.open()
    kit.journal.upkeep()
    assert len(kit.numbers()) == 200
    kit.journal.upkeep()
    assert kit.numbers() == [*range(691, 701)]
    kit.close()


def test_numbers_go_on_after_everything_was_removed(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(age=1))
    epoch = kit.publish(*[event("a")] * 5).epoch
    kit.clock.advance(2)
    kit.journal.upkeep()
    kit.close()
    kit.open()
    written = kit.publish(event("a"))
    assert (written.epoch, written.first) == (epoch, 6)
    kit.close()


def test_channel_that_lost_everything_to_others_is_done(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Bounds(per_channel=1))
    kit.publish(event("a z"), event("a z"), event("a"))
    assert kit.numbers() == [3]
    kit.assert_memory_equals_file()
    kit.close()
