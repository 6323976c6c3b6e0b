"""The roll of one process, and a reader that asks it now and then for what changed."""

from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hermes.core import roll as roll_module
from hermes.core.roll import Changes, Known, Roll
from hermes.fleet.base import MOST_SAID
from tests.unit.effort import model


class Reader:
    """Knows what it was told of one roll."""

    def __init__(self) -> None:
        self.known = Known()
        self.pairs: set[tuple[str, str]] = set()

    def take(self, changes: Changes) -> None:
        if changes.anew:
            self.pairs.clear()
        self.known = changes.known
        self.pairs |= set(changes.here)
        self.pairs -= set(changes.gone)

    def read(self, roll: Roll) -> None:
        """Asks until it knows all, over the wire."""
        for _ in range(100):
            changes = Changes.decode(roll.since(Known.decode(self.known.encode())).encode())
            self.take(changes)
            if not changes.more:
                return
        raise AssertionError("it has more and more to tell")


@pytest.fixture
def roll() -> Roll:
    return Roll("a")


def test_several_streams_are_one_user(roll: Roll) -> None:
    reader = Reader()
    roll.come("ann", ["x", "y"])
    version = roll.version
    roll.come("ann", ["x"])
    reader.read(roll)
    assert reader.pairs == {("x", "ann"), ("y", "ann")}
    roll.go("ann", ["x"])
    assert roll.version == version, "nothing that another process need know"
    roll.go("ann", ["x", "y"])
    reader.read(roll)
    assert reader.pairs == set()
    assert len(roll) == 0


def test_only_what_changed_is_told(roll: Roll) -> None:
    reader = Reader()
    for number in range(50):
        roll.come(f"u{number}", ["x"])
    reader.read(roll)
    roll.come("late", ["x"])
    roll.go("u7", ["x"])
    changes = roll.since(reader.known)
    assert (changes.here, changes.gone, changes.anew) == ([("x", "late")], [("x", "u7")], False)
    reader.take(changes)
    assert roll.since(reader.known) == Changes(reader.known, False, False, [], [])


def test_who_came_and_went_meanwhile_is_told_as_gone(roll: Roll) -> None:
    reader = Reader()
    reader.read(roll)
    roll.come("ann", ["x"])
    roll.go("ann", ["x"])
    assert roll.since(reader.known).gone == [("x", "ann")]


def test_another_life_begins_anew(roll: Roll) -> None:
    """A process of the same name was killed and is back: a container has the same host name and process id again."""
    reader = Reader()
    roll.come("ann", ["x"])
    reader.read(roll)
    again = Roll("b")
    again.come("bob", ["x"])
    reader.read(again)
    assert reader.pairs == {("x", "bob")}


def test_who_has_been_away_for_too_long_begins_anew(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_module, "KEPT_GONE", 5)
    reader = Reader()
    for name in ("ann", "bob"):
        roll.come(name, ["x"])
    reader.read(roll)
    roll.go("ann", ["x"])
    for number in range(100):
        roll.come(f"u{number}", ["x"])
        roll.go(f"u{number}", ["x"])
    assert roll.since(reader.known).anew
    reader.read(roll)
    assert reader.pairs == {("x", "bob")}


def test_it_forgets_who_is_gone(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_module, "KEPT_GONE", 10)
    for number in range(10_000):
        roll.come(f"u{number}", ["x"])
        roll.go(f"u{number}", ["x"])
    assert len(roll._order) < 50
    assert len(roll._changed) < 50


@pytest.mark.parametrize(("bound", "value"), [("PIECE_PAIRS", 7), ("PIECE_CHARACTERS", 40)])
def test_a_large_roll_is_told_in_pieces(roll: Roll, monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(roll_module, bound, value)
    for number in range(50):
        roll.come(f"user{number}", ["x"])
    changes = roll.since(Known())
    assert changes.more
    assert len(changes.here) <= 10
    reader = Reader()
    reader.read(roll)
    assert len(reader.pairs) == 50


def test_ten_thousand_users_are_a_few_pieces(roll: Roll) -> None:
    """And one who comes is a few bytes."""
    for number in range(10_000):
        roll.come(f"user-{number:08}", ["room:lobby"])
    pieces, known, more = [], Known(), True
    while more:
        changes = roll.since(known)
        known, more = changes.known, changes.more
        pieces.append(len(changes.encode()))
    assert len(pieces) <= 7
    roll.come("one more", ["room:lobby"])
    assert len(roll.since(known).encode()) < 100


@pytest.mark.parametrize("long", ["channel", "user", "neither"])
def test_a_piece_fits_an_answer(roll: Roll, long: str) -> None:
    for number in range(5000):
        channel = f"{number}" + ("\U0001f600" * 240 if long == "channel" else "")
        roll.come(f"{number}" + ("\U0001f600" * 240 if long == "user" else ""), [channel])
    known, more = Known(), True
    while more:
        changes = roll.since(known)
        known, more = changes.known, changes.more
        assert len(changes.encode()) <= MOST_SAID


class RollModel(RuleBasedStateMachine):
    """Readers that ask at any time, for one piece or all, against a roll that keeps little of who is gone."""

    @initialize()
    def start(self) -> None:
        self.patches = patch.multiple(roll_module, KEPT_GONE=3, PIECE_PAIRS=2)
        self.patches.start()
        self.lives = 0
        self.readers = [Reader() for _ in range(2)]
        self.restart()

    @rule()
    def restart(self) -> None:
        self.lives += 1
        self.roll = Roll(f"life {self.lives}")
        self.streams: list[tuple[str, str]] = []

    @rule(channel=st.sampled_from("xyz"), user=st.sampled_from("abcd"))
    def come(self, channel: str, user: str) -> None:
        self.streams.append((channel, user))
        self.roll.come(user, [channel])

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        if self.streams:
            channel, user = self.streams.pop(data.draw(st.integers(0, len(self.streams) - 1)))
            self.roll.go(user, [channel])

    @rule(reader=st.sampled_from([0, 1]))
    def one_piece(self, reader: int) -> None:
        self.readers[reader].take(self.roll.since(self.readers[reader].known))

    @rule()
    def all_pieces(self) -> None:
        self.readers[0].read(self.roll)
        assert self.readers[0].pairs == set(self.streams)

    @invariant()
    def it_counts(self) -> None:
        assert len(self.roll) == len(set(self.streams))

    def teardown(self) -> None:
        try:
            for reader in self.readers:
                reader.read(self.roll)
                assert reader.pairs == set(self.streams)
        finally:
            self.patches.stop()


TestRollModel = model(RollModel, examples=100, full=2000)
