"""Retained state: the newest of each (channel, key), bounded, in one snapshot with the tip."""

from pathlib import Path
from typing import Any

import pytest

from hermes.core import retained
from tests.unit.brokers.journal_kit import Kit, event


def state(kit: Kit, *items: str) -> list[tuple[Any, tuple[str, ...]]]:
    return [(entry.event.value, entry.channels) for entry in kit.reader.retained(items).entries]


def test_newest_of_each_key_in_number_order_with_the_tip(kit: Kit) -> None:
    kit.publish(event("a", 1, key="x"), event("a", 2, key="y"), event("a", 3, key="x"), event("a", 4))
    snapshot = kit.reader.retained(["a"])
    assert (snapshot.tip, [entry.event.number for entry in snapshot.entries]) == (4, [2, 3])
    assert state(kit, "a") == [(2, ("a",)), (3, ("a",))]


def test_null_removes(kit: Kit) -> None:
    kit.publish(event("a b", 1, key="x"))
    kit.publish(event("a", None, key="x"))
    assert state(kit, "a", "b") == [(1, ("b",))]
    kit.publish(event("b", None, key="x"))
    assert state(kit, "*") == []
    kit.assert_memory_equals_file()


def test_event_in_several_channels_comes_once_with_those_where_it_is_newest(kit: Kit) -> None:
    kit.publish(event("c a b", 1, key="x"))
    kit.publish(event("a", 2, key="x"))
    assert state(kit, "*") == [(1, ("c", "b")), (2, ("a",))]
    assert state(kit, "b", "a") == [(1, ("b",)), (2, ("a",))]


@pytest.mark.parametrize(
    ("items", "channels"),
    [
        (["run:1"], {"run:1"}),
        (["run:*"], {"run:1", "run:22"}),
        (["*:1"], {"run:1", "user:1"}),
        (["*"], {"run:1", "run:22", "user:1", "ruö"}),
        (["ru*"], {"run:1", "run:22", "ruö"}),
        (["ruö*"], {"ruö"}),
        (["run:[12]", "run:?"], set()),
        (["zz*", "aa*"], set()),
        (["user:1", "r*2"], {"user:1", "run:22"}),
        ([], set()),
    ],
)
def test_names_and_patterns_select(kit: Kit, items: list[str], channels: set[str]) -> None:
    kit.publish(*[event(name, name, key="k") for name in ("run:1", "run:22", "user:1", "ruö")], event("plain", 1))
    assert {value for value, _ in state(kit, *items)} == channels


def test_too_many_keys_evict_the_longest_unchanged(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retained, "MAX_KEYS", 3)
    for key in "abc":
        kit.publish(event("x", key, key=key))
    kit.publish(event("x", "A", key="a"))
    kit.publish(event("x", "d", key="d"), event("y", "d", key="d"))
    assert [value for value, _ in state(kit, "x")] == ["c", "A", "d"]
    kit.publish(*[event("x", number, key=f"k{number}") for number in range(200)])
    assert [value for value, _ in state(kit, "x")] == [197, 198, 199]
    kit.assert_memory_equals_file()


def test_too_many_bytes_evict_too(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(event("x", "0" * 1000, key="0").record())
    monkeypatch.setattr(retained, "MAX_BYTES", 3 * size)
    for key in "01234":
        kit.publish(event("x", key * 1000, key=key))
    assert [value[0] for value, _ in state(kit, "x")] == ["2", "3", "4"]
    kit.publish(event("x", "5" * 2000, key="5"))
    assert [value[0] for value, _ in state(kit, "x")] == ["4", "5"]
    kit.assert_memory_equals_file()


def test_old_snapshot_and_later_events_make_the_fresh_snapshot(tmp_path: Path) -> None:
    kit = Kit(tmp_path)
    kit.publish(*[event("a", number, key=f"k{number}") for number in range(5)])
    old = kit.reader.retained(["a"])
    kit.publish(event("a", None, key="k1"), event("a", "new", key="k2"), event("a", "more", key="k9"))
    kept = {entry.event.key: entry.event for entry in old.entries}
    for later in kit.reader.page(old.tip, 100, 1 << 20).events:
        kept[later.key] = later
    fresh = {entry.event.key: entry.event.value for entry in kit.reader.retained(["a"]).entries}
    assert {key: found.value for key, found in kept.items() if not found.removes} == fresh
    kit.close()
