"""The promise under every order of what can happen: `client.py` is the oracle, `model_broker.py` the store.

Two processes follow one store over links that are late, lose and repeat. The store drops history, begins new epochs, goes
away and comes back, also while somebody waits for its answer. Clients connect with any cursor, read a little, leave in the
middle of a frame and come back to either process.
"""

from contextlib import ExitStack, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hermes.core import hub
from hermes.core.event import Event
from hermes.errors import Unavailable
from hermes.streaming import follower, listener
from hermes.testing import FakeClock
from tests.unit.effort import model
from tests.unit.events import event
from tests.unit.streaming.client import Client, Wish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import EVERYTHING

CHANNELS = ["a", "b", "ab"]

SMALL: list[tuple[Any, dict[str, int]]] = [
    (hub, {"WRITES_PER_TURN": 1, "RANGE_EVENTS": 2}),
    (listener, {"PIECE_EVENTS": 2, "PIECE_BYTES": 200, "CONFLATION_EVENTS": 4}),
    (follower, {"PAGE_EVENTS": 2}),
]
"""Pieces and pages so small that what can happen between two of them happens."""

wishes = st.builds(
    Wish,
    items=st.sampled_from([("a",), ("a", "b"), ("b", "a*"), ("*",), ("ab", "*", "a")]),
    grants=st.sampled_from([("*",), ("a", "ab"), ("b",)]),
    types=st.sampled_from([(), (), ("x",)]),
    fields=st.sampled_from([(), (), (("even", 1),)]),
    retained=st.sampled_from(["auto", "1", "0"]),
    latest=st.booleans(),
    direct=st.booleans(),
)

KINDS: list[dict[str, Any]] = [
    {"channels": channels, **more}
    for channels in (["a"], ["b"], ["ab"], ["a", "b"], ["ab", "a"])
    for more in (
        {},
        {},
        {"type": "y"},
        {"key": "k"},
        {"key": "k"},
        {"key": "l", "type": "y"},
        {"key": "k", "removes": True},
        {"ttl": 5.0},
        {"exclude": 0},
        {"exclude": 1, "key": "l"},
    )
]
new_events = st.lists(st.sampled_from(KINDS), min_size=1, max_size=5)


class StreamsModel(RuleBasedStateMachine):
    @initialize(
        tail_sizes=st.tuples(st.sampled_from([2, 5, 1000]), st.sampled_from([2, 1000])), before=st.integers(0, 3)
    )
    def start(self, tail_sizes: tuple[int, int], before: int) -> None:
        self.patches = ExitStack()
        for module, sizes in SMALL:
            self.patches.enter_context(patch.multiple(module, **sizes))
        self.clock = FakeClock()
        self.broker = ModelBroker()
        self.clients: list[Client] = []
        self.broker.publish([self.event(channels=["a"]) for _ in range(before)])
        self.processes = [Process(self.broker, self.clock, tail_size=size).start() for size in tail_sizes]
        self.dispatches = [process.hub.dispatch() for process in self.processes]

    def event(
        self,
        channels: list[str],
        type: str = "x",
        key: str | None = None,
        ttl: float | None = None,
        exclude: int = -1,
        removes: bool = False,
    ) -> Event:
        number = sum(len(events) for events in self.broker.ever.values())
        value: Any = None if removes and key else {"n": number, "even": number % 2}
        named = [self.clients[exclude].ids[-1]] if 0 <= exclude < len(self.clients) else []
        made = event(0, *channels, data=value, type=type, key=key, ttl=None if key else ttl, exclude=tuple(named))
        made.time = int(self.clock.now() * 1000)
        return made

    # The store

    def publish_now(self, described: list[dict[str, Any]]) -> None:
        if not self.broker.away:
            waiting, self.broker.meanwhile = self.broker.meanwhile, type(self.broker.meanwhile)()
            self.broker.publish([self.event(**fields) for fields in described])
            self.broker.meanwhile = waiting

    @rule(described=new_events)
    def publish(self, described: list[dict[str, Any]]) -> None:
        self.publish_now(described)

    @rule(what=st.sampled_from(["drop", "drop all", *CHANNELS, "epoch", "away", "back"]))
    def store(self, what: str) -> None:
        self.happen(what)

    def happen(self, what: str) -> None:
        match what:
            case "drop":
                self.broker.remove_oldest(2)
            case "drop all":
                self.broker.remove_oldest(100)
            case "epoch":
                if self.broker.last > 2 and len(self.broker.ever) < 4:
                    self.broker.begin_epoch(keep_state=self.broker.last % 2 == 0)
            case "away" | "back":
                self.broker.away = what == "away"
            case "nothing":
                pass
            case channel:
                self.broker.remove_oldest_of(channel)

    @rule(
        what=st.lists(
            st.one_of(
                new_events,
                st.sampled_from(["nothing", "nothing", "drop", "drop all", *CHANNELS, "epoch", "away"]),
            ),
            max_size=4,
        )
    )
    def meanwhile(self, what: list[Any]) -> None:
        """Let something happen while somebody waits for the store's answer."""
        for one in what:
            happen = self.happen if isinstance(one, str) else self.publish_now
            self.broker.meanwhile.append(partial(happen, one))

    @rule(seconds=st.sampled_from([1.0, 6.0, 40.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # The processes

    @rule(described=new_events, place=st.integers(0, 1))
    def go_well(self, described: list[dict[str, Any]], place: int) -> None:
        """What is published arrives, and is read."""
        self.publish_now(described)
        self.processes[place].link.deliver()
        self.dispatch(place, 10)
        for client in self.clients:
            self.serve_client(client, 20, timed_out=False)
            client.read()

    @rule(
        place=st.integers(0, 1),
        what=st.sampled_from(["deliver", "deliver", "lose", "repeat", "reconnect", "heal", "heal", "look"]),
    )
    def follow(self, place: int, what: str) -> None:
        process = self.processes[place]
        match what:
            case "deliver":
                process.link.deliver(2)
            case "lose":
                process.link.lose(1)
            case "repeat":
                process.link.repeat()
            case "reconnect":
                process.follower.announce(process.hub.epoch, 0)
            case "heal":
                self.heal(process)
            case _:
                with suppress(Unavailable):
                    process.follower.look_at_tip()

    def heal(self, process: Process) -> None:
        if process.follower.wants_to_heal:
            try:
                process.follower.heal()
            except Unavailable:
                process.follower.announce("", 0)

    @rule(place=st.integers(0, 1), steps=st.integers(1, 3))
    def dispatch(self, place: int, steps: int) -> None:
        for _ in range(steps):
            if next(self.dispatches[place], self) is self:
                self.dispatches[place] = self.processes[place].hub.dispatch()

    # The clients

    def connect(self, client: Client, place: int) -> None:
        try:
            client.connect(self.processes[place])
        except Unavailable:
            client.stream = None

    @precondition(lambda self: len(self.clients) < 4)
    @rule(
        wish=wishes,
        asked=st.sampled_from([None, None, None, "earliest", "e1-0", "e1-1", "e1-2", "e1-999", "e0-1", "junk"]),
        place=st.integers(0, 1),
    )
    def come(self, wish: Wish, asked: str | None, place: int) -> None:
        client = Client(self.broker, wish, asked)
        self.clients.append(client)
        self.connect(client, place)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), place=st.integers(0, 1), limit=st.sampled_from([0, 50, 500, EVERYTHING]))
    def come_back(self, data: st.DataObject, place: int, limit: int) -> None:
        client = data.draw(st.sampled_from(self.clients))
        client.read(limit)
        client.leave()
        self.connect(client, place)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), turns=st.sampled_from([1, 2, 3, 20]), timed_out=st.booleans())
    def serve(self, data: st.DataObject, turns: int, timed_out: bool) -> None:
        self.serve_client(data.draw(st.sampled_from(self.clients)), turns, timed_out=timed_out)

    def serve_client(self, client: Client, turns: int, *, timed_out: bool) -> None:
        for _ in range(turns):
            if client.stream is None or not client.stream.turn(timed_out=timed_out):
                return

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), limit=st.sampled_from([1, 100, EVERYTHING]))
    def read(self, data: st.DataObject, limit: int) -> None:
        data.draw(st.sampled_from(self.clients)).read(limit)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), room=st.sampled_from([0, 10, 300, EVERYTHING]))
    def give_room(self, data: st.DataObject, room: int) -> None:
        client = data.draw(st.sampled_from(self.clients))
        if client.stream is not None:
            client.stream.member.room = room

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), place=st.integers(0, 1), limit=st.sampled_from([1, 2, 100]))
    def poll(self, data: st.DataObject, place: int, limit: int) -> None:
        """A client may poll, too, instead of a stream."""
        client = data.draw(st.sampled_from(self.clients))
        if not client.wish.latest:
            client.read()
            client.leave()
            with suppress(Unavailable):
                client.poll(self.processes[place], limit)

    # In the end

    def teardown(self) -> None:
        if not hasattr(self, "processes"):
            return
        with self.patches:
            self.finish()

    def finish(self) -> None:
        self.broker.away = False
        self.broker.meanwhile.clear()
        for place in (0, 1):
            for _ in self.dispatches[place]:
                pass
        for _ in range(4):
            for process in self.processes:
                process.catch_up()
            for number, client in enumerate(self.clients):
                if client.stream is None:
                    client.connect(self.processes[number % 2])
                client.stream.member.room = EVERYTHING
                client.stream.run(timed_out=True)
                client.read()
        self.clock.advance(100)
        for client in self.clients:
            client.stream.run(timed_out=True)
            client.read()
            client.finish()


TestStreams = model(StreamsModel, examples=400, full=4000)
