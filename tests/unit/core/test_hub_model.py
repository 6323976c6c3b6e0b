"""The hub under every order of events, dispatch, reading, short writes, jumps and new epochs.

The model knows all that was published. What a stream receives must at each moment be a beginning of what it is owed:
nothing lost, nothing twice, nothing out of order, no frame torn; and each heartbeat's id must be covered by what came before.
"""

from collections.abc import Iterator
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hermes.core import hub as hub_module
from hermes.core.cursor import Cursor, parse_cursor
from hermes.core.event import Event
from hermes.core.hub import Hub
from hermes.core.log import Tail
from hermes.core.recovery import Position
from hermes.core.sse import heartbeat_frame
from hermes.core.subscription import Subscription
from tests.support.event_parser import Frame
from tests.unit.core.members import EVERYTHING, ModelMember
from tests.unit.effort import model
from tests.unit.events import TIME, event, ways

KINDS = [(channels, ()) for channels in (("a",), ("b",), ("ab",), ("a", "b"), ("ab", "a"))] + [
    (("a",), ("c1",)),
    (("a", "b"), ("c2",)),
]
"""Channels, and whom an event excludes."""

TAIL_EVENTS = 12


class Part(NamedTuple):
    """A stretch of one stream: what it is owed in `epoch` above `after`, up to `until` where a loss ended it."""

    epoch: str
    after: int
    until: int | None = None


class Wish(NamedTuple):
    """A stream that is to be opened, `offset` numbers from where the hub is."""

    items: tuple[str, ...]
    ids: tuple[str, ...]
    offset: int
    chunked: bool


def wishes(offsets: st.SearchStrategy[int]) -> st.SearchStrategy[Wish]:
    return st.builds(
        Wish,
        st.sampled_from([("a",), ("b", "a"), ("a*",), ("*",)]),
        st.sampled_from([("c1",), ("c2", "c1"), ("c3",)]),
        offsets,
        st.booleans(),
    )


class HubModel(RuleBasedStateMachine):
    @initialize(at_first=st.lists(wishes(st.just(0)), min_size=1, max_size=4))
    def start(self, at_first: list[Wish]) -> None:
        # Small numbers, so that dispatch yields often, in the middle of a group too.
        self.patches = patch.multiple(hub_module, WRITES_PER_TURN=1, RANGE_EVENTS=3)
        self.patches.start()
        self.hub = Hub(Tail(TAIL_EVENTS, 10**9), lambda: 0.0)
        self.hub.begin("e1", 0)
        self.ever: dict[str, list[Event]] = {"e1": []}
        self.steps: Iterator[None] | None = None
        self.streams: list[tuple[ModelMember, list[Part]]] = []
        for wish in at_first:
            self.open(wish)
            self.take_turn(*self.streams[-1])

    # What enters

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    def append(self, kinds: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        hub = self.hub
        new = [event(hub.last + n, *channels, exclude=exclude) for n, (channels, exclude) in enumerate(kinds, 1)]
        self.ever[hub.epoch] += new
        hub.append(new, hub.last + len(new))

    @rule(steps=st.integers(1, 4))
    def dispatch(self, steps: int) -> None:
        for _ in range(steps):
            if self.steps is None:
                self.steps = self.hub.dispatch()
            if next(self.steps, self) is self:
                self.steps = None

    @precondition(lambda self: len(self.ever) < 4)
    @rule()
    def new_epoch(self) -> None:
        epoch = f"e{len(self.ever) + 1}"
        self.ever[epoch] = []
        self.hub.begin(epoch, 0)

    @rule(ahead=st.integers(1, 5))
    def jump(self, ahead: int) -> None:
        """An incomplete heal: what is between is lost, and the streams find out when they next read."""
        self.hub.begin(self.hub.epoch, self.hub.last + ahead)

    # Streams

    @precondition(lambda self: len(self.streams) < 6)
    @rule(wish=wishes(st.integers(-3, 3)))
    def come(self, wish: Wish) -> None:
        self.open(wish)

    def open(self, wish: Wish) -> None:
        number = max(0, self.hub.last + wish.offset)
        member = ModelMember(Subscription(wish.items), Position(self.hub.epoch, number), wish.ids, chunked=wish.chunked)
        self.streams.append((member, [Part(self.hub.epoch, number)]))

    @precondition(lambda self: self.streams)
    @rule(data=st.data(), turns=st.sampled_from([1, 10]), live=st.sampled_from([True, True, False]))
    def read(self, data: st.DataObject, turns: int, live: bool) -> None:
        """The stream's own turns: the rest of a frame, then a piece of the log, then it parks."""
        member, parts = data.draw(st.sampled_from(self.streams))
        for _ in range(turns):
            self.take_turn(member, parts, live=live)

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        member, _ = data.draw(st.sampled_from(self.streams))
        self.hub.unpark(member)
        if member.flush():
            member.send(heartbeat_frame(member.position.cursor, ""))

    @precondition(lambda self: self.streams)
    @rule(data=st.data(), room=st.sampled_from([0, 1, 40, 150, 400, EVERYTHING]))
    def give_room(self, data: st.DataObject, room: int) -> None:
        member, _ = data.draw(st.sampled_from(self.streams))
        member.room = room

    def take_turn(self, member: ModelMember, parts: list[Part], *, live: bool = True) -> None:
        hub, position = self.hub, member.position
        hub.unpark(member)
        if not member.flush():
            return
        if position.epoch != hub.epoch:
            parts[-1] = parts[-1]._replace(until=position.number)
            member.position = Position(hub.epoch, 0)
            parts.append(Part(hub.epoch, 0))
            return
        page = hub.page(position.number, 2, 10**6) if position.number < hub.last else None
        if page is not None:
            taken = position.take(page, member.subscription, TIME)
            frames = [
                one.frame(page.epoch, channel, False)
                for one, channel in taken.events
                if not set(one.exclude) & set(member.ids)
            ]
            if frames:
                member.send(b"".join(frames))
        elif position.number < hub.last:
            parts[-1] = parts[-1]._replace(until=position.number)
            position.advance(hub.last)
            parts.append(Part(hub.epoch, hub.last))
        else:
            hub.park(member, live=live)

    # The oracle

    def owed(self, member: ModelMember, parts: list[Part]) -> list[Cursor]:
        """The ids of all that this stream has to get, in order."""
        return [
            Cursor(part.epoch, one.number)
            for part in parts
            for one in self.ever[part.epoch]
            if one.number > part.after
            and (part.until is None or one.number <= part.until)
            and ways(one.channels, member.subscription.items, ["*"])
            and not set(one.exclude) & set(member.ids)
        ]

    @invariant()
    def nothing_is_lost_twice_or_torn(self) -> None:
        for member, parts in self.streams:
            owed = self.owed(member, parts)
            delivered = 0
            former = Cursor("", -1)
            for frame in member.frames():
                cursor = cursor_of(frame)
                assert cursor >= former, "ids never decrease"
                former = cursor
                if frame["event"] == "heartbeat":
                    assert delivered == len([one for one in owed if one <= former]), "it says more than was written"
                else:
                    assert former == owed[delivered]
                    delivered += 1

    def teardown(self) -> None:
        if not hasattr(self, "hub"):
            return
        try:
            self.finish()
        finally:
            self.patches.stop()

    def finish(self) -> None:
        for _ in range(100):
            for _ in self.steps or self.hub.dispatch():
                pass
            self.steps = None
            for member, parts in self.streams:
                member.room = EVERYTHING
                self.take_turn(member, parts)
        self.nothing_is_lost_twice_or_torn()
        for member, parts in self.streams:
            ids = [cursor_of(frame) for frame in member.frames() if frame["event"] != "heartbeat"]
            assert ids == self.owed(member, parts)
        assert self.hub.finished == self.hub.last


def cursor_of(frame: Frame) -> Cursor:
    cursor = parse_cursor(str(frame["id"]))
    assert cursor is not None
    return cursor


TestHub = model(HubModel, examples=150, full=2000)
