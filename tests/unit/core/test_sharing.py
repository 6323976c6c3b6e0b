"""Snapshots of different moments share the entries that did not change, and nothing else."""

import gc

from hermes.core.event import Event
from hermes.core.retained import Retained, Sharing, Snapshot


def entry(number: int, *channels: str) -> Retained:
    return Retained(Event(channels, "level", b"1", 0, key=f"k{number}", number=number), channels)


def test_equal_entries_are_one() -> None:
    sharing = Sharing()
    first = sharing.shared(Snapshot("e", 2, [entry(1, "a"), entry(2, "a", "b")]))
    second = sharing.shared(Snapshot("e", 3, [entry(1, "a"), entry(2, "b"), entry(3, "a")]))
    assert second.tip == 3
    assert second.entries[0] is first.entries[0]
    assert second.entries[1] is not first.entries[1], "it was replaced in a"
    assert second.entries[1].channels == ("b",)


def test_nothing_is_shared_over_epochs_or_without_a_number() -> None:
    sharing = Sharing()
    first = sharing.shared(Snapshot("e", 1, [entry(0, "a"), entry(1, "a")]))
    same = sharing.shared(Snapshot("e", 1, [entry(0, "a"), entry(1, "a")]))
    assert same.entries[0] is not first.entries[0]
    other = sharing.shared(Snapshot("f", 1, [entry(1, "a")]))
    assert other.entries[0] is not first.entries[1]


def test_what_no_snapshot_holds_is_freed() -> None:
    sharing = Sharing()
    snapshot = sharing.shared(Snapshot("e", 1, [entry(1, "a")]))
    del snapshot
    gc.collect()
    assert len(sharing._entries) == 0
