"""Which joins and leaves the rolls of all processes make, beside what is told."""

import pytest

from hermes.core import presence as presence_module
from hermes.core.event import MAX_EVENT_BYTES, event_from_fields
from hermes.core.presence import Move, Presence, PresenceChannels, may_be_told, told_by
from hermes.core.retained import MAX_BYTES, MAX_KEYS
from hermes.core.roll import Roll

GRACE = 5.0


class World:
    """Some processes, and a presence that hears of each of them whenever it is asked what is due."""

    def __init__(self, *nodes: str, grace: float = GRACE) -> None:
        self.presence = Presence(grace)
        self.rolls = {node: Roll(node) for node in nodes or ("p1",)}
        self.now = 100.0

    def due(self, after: float = 0.0, limit: int = 1000, *, settled: bool = True, tell: bool = True) -> list[str]:
        """`+x/ann` or `-x/ann` for each join or leave."""
        self.now += after
        for node, roll in self.rolls.items():
            more = True
            while more:
                changes = roll.since(self.presence.known(node))
                self.presence.take(node, changes)
                more = changes.more
        moves = self.presence.due(self.now, limit, settled=settled)
        if tell:
            self.presence.told(moves)
        return sorted(f"{'+' if joins else '-'}{channel}/{user}" for channel, user, joins in moves)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def roll(world: World) -> Roll:
    return world.rolls["p1"]


def test_a_join_is_told_once(world: World, roll: Roll) -> None:
    roll.come("ann", ["x", "y"])
    assert world.due() == ["+x/ann", "+y/ann"]
    roll.come("ann", ["x"])
    assert world.due() == []


def test_a_leave_is_told_after_the_grace(world: World, roll: Roll) -> None:
    roll.come("ann", ["x"])
    world.due()
    roll.go("ann", ["x"])
    assert world.due() == []
    assert world.due(GRACE - 0.1) == []
    assert world.due(0.1) == ["-x/ann"]
    assert world.due(100) == []


def test_a_reload_is_no_leave(world: World, roll: Roll) -> None:
    roll.come("ann", ["x"])
    world.due()
    roll.go("ann", ["x"])
    assert world.due(1) == []
    roll.come("ann", ["x"])
    assert world.due(1) == []
    assert world.due(100) == []
    roll.go("ann", ["x"])
    assert world.due(1) == [], "the time away before does not count"
    assert world.due(GRACE) == ["-x/ann"]


def test_a_user_on_two_processes_is_one() -> None:
    world = World("p1", "p2")
    for roll in world.rolls.values():
        roll.come("ann", ["x"])
    assert world.due() == ["+x/ann"]
    world.rolls["p1"].go("ann", ["x"])
    assert world.due(GRACE + 1) == []
    world.rolls["p2"].go("ann", ["x"])
    world.due()
    assert world.due(GRACE) == ["-x/ann"]


def test_who_was_with_a_process_that_left_is_away() -> None:
    world = World("p1", "p2")
    world.rolls["p1"].come("ann", ["x"])
    world.rolls["p2"].come("bob", ["x"])
    world.due()
    del world.rolls["p2"]
    world.presence.forget("p2")
    assert world.due() == []
    assert world.due(GRACE) == ["-x/bob"]


def test_a_process_that_is_back_under_its_name_has_none_of_its_former_users() -> None:
    world = World("p1")
    for name in ("ann", "bob"):
        world.rolls["p1"].come(name, ["x"])
    world.due()
    world.rolls["p1"] = Roll("another life")
    world.rolls["p1"].come("bob", ["x"])
    assert world.due() == []
    assert world.due(GRACE) == ["-x/ann"]


def test_without_a_grace_a_leave_is_told_at_once() -> None:
    world = World(grace=0)
    world.rolls["p1"].come("ann", ["x"])
    world.due()
    world.rolls["p1"].go("ann", ["x"])
    assert world.due() == ["-x/ann"]


def test_only_differences_are_told_after_a_change_of_the_teller(world: World, roll: Roll) -> None:
    roll.come("ann", ["x"])
    roll.come("bob", ["x"])
    world.presence.begin({"x": ["ann", "zoe"], "y": ["eve"]})
    assert world.due() == ["+x/bob"]
    assert world.due(GRACE) == ["-x/zoe", "-y/eve"]


def test_nobody_is_away_until_all_were_heard(world: World, roll: Roll) -> None:
    world.presence.begin({"x": ["ann"]})
    assert world.due(settled=False) == []
    assert world.due(100, settled=False) == []
    assert world.due() == [], "the time before does not count"
    assert world.due(GRACE) == ["-x/ann"]


def test_what_was_not_stored_is_told_again(world: World, roll: Roll) -> None:
    roll.come("ann", ["x"])
    assert world.due(tell=False) == ["+x/ann"]
    world.presence.begin({})
    assert world.due(tell=False) == ["+x/ann"]
    world.presence.begin({"x": ["ann"]})
    assert world.due() == []


def test_so_many_at_once_and_everybody_has_a_turn(world: World, roll: Roll) -> None:
    for number in range(100):
        roll.come(f"u{number:03}", ["crowd"])
    roll.come("ann", ["quiet"])
    assert len(world.due(limit=10)) == 10
    assert "+quiet/ann" in world.due(limit=10)
    told = [world.due(limit=10) for _ in range(9)]
    assert [len(moves) for moves in told] == [10, 10, 10, 10, 10, 10, 10, 10, 1]
    assert world.due() == []


def test_a_leave_counts_for_two_events(world: World, roll: Roll) -> None:
    world.presence.begin({"x": [f"u{number}" for number in range(10)]})
    world.due()
    assert len(world.due(GRACE, limit=6)) == 3
    assert len(world.due(limit=1)) == 0
    assert len(world.due(limit=100)) == 7


def test_beyond_the_bound_users_are_only_counted(world: World, roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "MAX_USERS", 3)
    for name in ("ann", "bob", "cid", "dan", "eve"):
        roll.come(name, ["x"])
    assert world.due() == ["+x/ann", "+x/bob", "+x/cid"]
    assert world.presence.full() == {"x": 5}
    assert world.due(50) == []
    roll.go("bob", ["x"])
    world.due()
    assert world.due(GRACE) == ["-x/bob"]
    assert world.due() == ["+x/dan"]
    assert world.presence.full() == {"x": 4}
    roll.go("eve", ["x"])
    assert world.due(50) == [], "who was never told joins and leaves in silence"
    assert world.presence.full() == {}


def test_what_is_told_of_a_channel_fits_what_it_retains() -> None:
    """Long names included: what is over a channel's bounds would drop out of its state without a leave."""
    world = World()
    channel = "ü" * 240
    for number in range(8000):
        world.rolls["p1"].come(f"{number:06}" + '"\U0001f600' * 60, [channel])
    world.due(limit=100_000)
    moves = [Move(channel, user, True) for user in world.presence._told[channel].users]
    records = [
        len(event_from_fields(event, 1, internal=True).record()) for move in moves for event in move.events("t" * 24)
    ]
    assert 1000 < len(moves) <= MAX_KEYS
    assert len(moves) < 8000
    assert sum(records) < MAX_BYTES
    assert max(records) < MAX_EVENT_BYTES


def test_nothing_is_kept_of_channels_that_are_empty(world: World, roll: Roll) -> None:
    for number in range(50):
        roll.come("ann", [f"room:{number}"])
    world.due()
    for number in range(50):
        roll.go("ann", [f"room:{number}"])
    world.due()
    world.due(GRACE)
    world.due()
    presence = world.presence
    assert (presence._here, presence._told, presence._open) == ({}, {}, {})


# Channels, users and events


@pytest.mark.parametrize(
    ("items", "channel", "has"),
    [
        (("room:*",), "room:1", True),
        (("room:*",), "rooms", False),
        (("lobby",), "lobby", True),
        (("*",), "lobby", True),
        (("*",), "user:1", False),
        (("user:*",), "user:1", True),
        (("*", "presence:*", "hermes:*"), "presence:lobby", False),
        (("*", "hermes:*"), "hermes:status", False),
        (("*",), "x" * 246, True),
        (("*",), "x" * 247, False),
        ((), "lobby", False),
    ],
)
def test_which_channels_have_presence(items: tuple[str, ...], channel: str, has: bool) -> None:
    assert (channel in PresenceChannels(items)) is has


@pytest.mark.parametrize(
    ("user", "may"),
    [("ann", True), ("ann smith", True), ("é/%2F", True), ("x" * 255, True), ("x" * 256, False), ("", False)]
    + [(f"a{mark}b", False) for mark in "\0\n\u200b\u2028\ud800"],
)
def test_whose_name_can_be_a_key(user: str, may: bool) -> None:
    assert may_be_told(user) is may


@pytest.mark.parametrize("user", ["ann", "é", '"\\', "x" * 255])
def test_its_events_are_valid_and_say_what_they_told(user: str) -> None:
    join = [event_from_fields(event, 1, internal=True) for event in Move("x", user, True).events("now")]
    assert [(event.channels, event.type, event.key) for event in join] == [(("presence:x",), "presence_join", user)]
    assert join[0].value == {"user_id": user, "timestamp": "now"}
    assert told_by(join) == {"x": {user}}
    leave = [event_from_fields(event, 1, internal=True) for event in Move("x", user, False).events("now")]
    assert [(event.type, event.key, event.removes) for event in leave] == [
        ("presence_leave", None, False),
        ("hermes.removed", user, True),
    ]
    assert leave[0].value == {"user_id": user, "timestamp": "now"}
