"""The promise under every order of what can happen: `client.py` is the oracle, `model_broker.py` the store.

Two processes follow one store over links that are late, lose and repeat. The store drops history, begins new epochs, goes
away and comes back, also while somebody waits for its answer. Clients connect with any cursor, read a little, leave in the
middle of a frame and come back to either process.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hermes.core.event import Event
from hermes.errors import Unavailable
from hermes.testing import FakeClock
from tests.unit.events import event
from tests.unit.streaming.client import Client, Wish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import EVERYTHING

CHANNELS = ["a", "b", "ab"]

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

new_events = st.lists(
    st.fixed_dictionaries(
        {
            "channels": st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=2, unique=True),
            "type": st.sampled_from(["x", "y"]),
            "key": st.sampled_from([None, None, "k", "l"]),
            "ttl": st.sampled_from([None, None, 5.0]),
            "exclude": st.integers(-2, 3),
            "removes": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
)


class StreamsModel(RuleBasedStateMachine):
    @initialize(
        tail_sizes=st.tuples(st.sampled_from([2, 5, 1000]), st.sampled_from([2, 1000])), before=st.integers(0, 3)
    )
    def start(self, tail_sizes: tuple[int, int], before: int) -> None:
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

    @rule(count=st.integers(1, 3))
    def drop_oldest(self, count: int) -> None:
        self.broker.remove_oldest(count)

    @rule(channel=st.sampled_from(CHANNELS))
    def drop_of_channel(self, channel: str) -> None:
        self.broker.remove_oldest_of(channel)

    @precondition(lambda self: len(self.broker.ever) < 4)
    @rule(keep_state=st.booleans())
    def new_epoch(self, keep_state: bool) -> None:
        self.broker.begin_epoch(keep_state=keep_state)

    @rule(away=st.booleans())
    def away(self, away: bool) -> None:
        self.broker.away = away

    @rule(
        what=st.lists(
            st.one_of(
                new_events,
                st.sampled_from(["nothing", "drop", *CHANNELS, "epoch"]),
            ),
            max_size=4,
        )
    )
    def meanwhile(self, what: list[Any]) -> None:
        """Let something happen while somebody waits for the store's answer."""
        actions = {
            "nothing": lambda: None,
            "drop": self.broker.remove_oldest,
            "epoch": lambda: len(self.broker.ever) < 4 and self.broker.begin_epoch(),
            **{channel: lambda channel=channel: self.broker.remove_oldest_of(channel) for channel in CHANNELS},
        }
        for one in what:
            action = actions[one] if isinstance(one, str) else lambda one=one: self.publish_now(one)
            self.broker.meanwhile.append(action)

    @rule(seconds=st.sampled_from([1.0, 6.0, 40.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # The processes

    @rule(place=st.integers(0, 1), count=st.integers(1, 3), how=st.sampled_from(["deliver", "deliver", "lose"]))
    def feed(self, place: int, count: int, how: str) -> None:
        getattr(self.processes[place].link, how)(count)

    @rule(place=st.integers(0, 1))
    def repeat(self, place: int) -> None:
        self.processes[place].link.repeat()

    @rule(place=st.integers(0, 1))
    def reconnect_feed(self, place: int) -> None:
        self.processes[place].follower.announce(self.broker.epoch, 0)

    @rule(place=st.integers(0, 1))
    def heal(self, place: int) -> None:
        follower = self.processes[place].follower
        if follower.wants_to_heal:
            try:
                follower.heal()
            except Unavailable:
                follower.announce("", 0)

    @rule(place=st.integers(0, 1))
    def look_at_tip(self, place: int) -> None:
        try:
            self.processes[place].follower.look_at_tip()
        except Unavailable:
            assert self.broker.away

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
    @rule(data=st.data(), turns=st.integers(1, 6), timed_out=st.booleans())
    def serve(self, data: st.DataObject, turns: int, timed_out: bool) -> None:
        client = data.draw(st.sampled_from(self.clients))
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

    # In the end

    def teardown(self) -> None:
        if not hasattr(self, "processes"):
            return
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
            assert client.stream.member.is_live or not client.wish.direct or True


TestStreams = StreamsModel.TestCase
