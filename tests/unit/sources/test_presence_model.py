"""Presence under every order of opens, closes, kills, lost reports and answers, moves of the lease and failures of the store.

Two promises. A client that holds the state that it got when it came, and applies the joins and leaves since, has what a client
gets that comes now. And when the fleet is left alone for a while, that is who is really there.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hermes.core import presence as presence_module
from hermes.core import roll as roll_module
from hermes.core.event import Event
from hermes.errors import Unavailable
from hermes.sources import presence_teller
from hermes.sources.presence import PresenceSource
from hermes.testing import FakeClock
from tests.unit.effort import model
from tests.unit.model_fleet import Exchange
from tests.unit.sources.neighbour import Neighbour
from tests.unit.streaming.model_broker import ModelBroker

NODES = ("p1", "p2", "p3")
GRACE = 2.0
MOST_TOLD = 4
LONG = 45
"""Seconds after which everything has been noticed: silence, settling, the wait for mute ones, and grace."""


class Client:
    """Whoever follows `presence:*`: the state at its coming, then the events."""

    def __init__(self, broker: ModelBroker) -> None:
        self.broker = broker
        self.come()

    def come(self) -> None:
        """A new stream, or one that was reset."""
        self.epoch, self.seen = self.broker.epoch, self.broker.last
        state = self.broker.retained(["presence:*"])
        self.there = {(entry.channels[0], str(entry.event.value["user_id"])) for entry in state.entries}

    def read(self) -> None:
        if self.epoch != self.broker.epoch:
            self.come()
            return
        events = self.broker.ever[self.epoch][self.seen :]
        self.seen = self.broker.last
        self._apply(event for event in events if event.type.startswith("presence_"))

    def _apply(self, events: Iterable[Event]) -> None:
        for event in events:
            place = event.channels[0], str(event.value["user_id"])
            if event.type == "presence_join":
                assert place not in self.there, "a join of who is there"
                self.there.add(place)
            else:
                assert place in self.there, "a leave of who is not there"
                self.there.remove(place)


def users_of(processes: Iterable[Neighbour]) -> set[str]:
    """Who has a stream on any of them."""
    return {str(stream.bearer.user_id) for process in processes for stream in process.streams.values()}


class PresenceModel(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.patches: list[Any] = [
            patch.multiple(roll_module, PIECE_PAIRS=2, KEPT_GONE=3),
            patch.multiple(presence_teller, MOST_EVENTS=3, MOST_PIECES=2, RECHECK=20.0),
            patch.multiple(presence_module, MAX_USERS=MOST_TOLD),
        ]
        for patched in self.patches:
            patched.start()
        self.clock = FakeClock()
        self.broker = ModelBroker()
        self.exchange = Exchange(self.clock)
        self.exchange.holder = "p1"
        self.processes: dict[str, Neighbour] = {}
        for node in NODES:
            self.start_process(node)
        self.clients = [Client(self.broker)]

    def start_process(self, node: str) -> None:
        self.processes[node] = Neighbour(
            self.exchange, self.broker, node, PresenceSource(), presence_channels=("x*",), presence_grace=GRACE
        )

    # People

    @rule(
        node=st.sampled_from(NODES),
        users=st.sets(st.sampled_from("abcdef"), min_size=1),
        channels=st.sampled_from([("x",), ("x", "xx")]),
    )
    def open(self, node: str, users: set[str], channels: tuple[str, ...]) -> None:
        for user in sorted(users):
            self.processes[node].open(user, *channels)

    @rule(node=st.sampled_from(NODES), count=st.integers(1, 4))
    def close(self, node: str, count: int) -> None:
        process = self.processes[node]
        for stream in list(process.streams.values())[:count]:
            process.close(stream)

    @precondition(lambda self: len(self.clients) < 4)
    @rule()
    def come(self) -> None:
        self.clients.append(Client(self.broker))

    # The fleet

    def attempt(self, work: Any) -> None:
        with suppress(Unavailable):
            work()

    @rule(order=st.permutations(NODES), seconds=st.sampled_from([1, 1, 2, 5]))
    def pass_(self, order: tuple[str, ...], seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            for node in order:
                if node in self.processes:
                    self.attempt(self.processes[node].exchange)
            for node in order:
                if node in self.processes:
                    self.attempt(self.processes[node].source.step)  # type: ignore[attr-defined]

    @rule(node=st.sampled_from(NODES))
    def tell_others(self, node: str) -> None:
        self.attempt(self.processes[node].exchange)

    @rule(node=st.sampled_from(NODES), order=st.permutations(NODES), seconds=st.sampled_from([1, 4]))
    def lease_moves(self, node: str, order: tuple[str, ...], seconds: int) -> None:
        self.exchange.holder = node
        self.pass_(order, seconds)

    # What goes wrong

    @rule(order=st.permutations(NODES), seconds=st.sampled_from([1, 4, 12]))
    def nobody_has_the_lease(self, order: tuple[str, ...], seconds: int) -> None:
        holder, self.exchange.holder = self.exchange.holder, None
        self.pass_(order, seconds)
        self.exchange.holder = holder

    @rule(node=st.sampled_from(NODES), seconds=st.sampled_from([0, 0, 3, 30]))
    def is_killed(self, node: str, seconds: int) -> None:
        """And is back under its name, perhaps before anybody has noticed."""
        process = self.processes.pop(node)
        self.exchange.answers.pop(node)
        self.pass_(NODES, seconds)
        if seconds == 30 and self.exchange.holder != node:
            gone = users_of([process]) - users_of(self.processes.values())
            assert not gone & {user for _, user in Client(self.broker).there}, "within 30 s"
        self.start_process(node)

    @rule(node=st.sampled_from(NODES), seconds=st.sampled_from([1, 5, 15]))
    def stands_still(self, node: str, seconds: int) -> None:
        """It neither reports nor answers, and its people are still there."""
        process, answer = self.processes.pop(node), self.exchange.answers.pop(node)
        self.pass_(NODES, seconds)
        self.processes[node], self.exchange.answers[node] = process, answer

    @rule(node=st.sampled_from(NODES))
    def report_is_lost(self, node: str) -> None:
        self.exchange.forget(node)

    @rule(node=st.sampled_from(NODES), seconds=st.sampled_from([1, 5, 15]))
    def mute(self, node: str, seconds: int) -> None:
        self.exchange.mute = {node}
        self.pass_(NODES, seconds)
        self.exchange.mute = set()

    @rule(node=st.sampled_from(NODES))
    def answer_of_the_store_is_lost(self, node: str) -> None:
        self.processes[node].way.loses_answer = True

    @rule(seconds=st.sampled_from([1, 5, 15]))
    def store_is_away(self, seconds: int) -> None:
        self.broker.away = self.exchange.away = True
        self.pass_(NODES, seconds)
        self.broker.away = self.exchange.away = False

    @precondition(lambda self: len(self.broker.ever) < 4)
    @rule(keep_state=st.booleans())
    def new_epoch(self, keep_state: bool) -> None:
        self.broker.begin_epoch(keep_state=keep_state)

    # What holds

    @invariant()
    def old_state_and_frames_are_the_fresh_state(self) -> None:
        fresh = Client(self.broker).there
        for client in self.clients:
            client.read()
            assert client.there == fresh

    @invariant()
    def bounds_hold(self) -> None:
        for channel in ("presence:x", "presence:xx"):
            assert sum(1 for name, _ in self.broker.state if name == channel) <= MOST_TOLD

    def teardown(self) -> None:
        try:
            self.leave_alone()
        finally:
            for patched in self.patches:
                patched.stop()

    def leave_alone(self) -> None:
        """For a while nothing happens; then whoever is there is told, and nobody else."""
        self.pass_(NODES, LONG)
        self.old_state_and_frames_are_the_fresh_state()
        there = {
            (f"presence:{channel}", stream.bearer.user_id)
            for process in self.processes.values()
            for stream in process.streams.values()
            for channel in stream.subscription.exact
        }
        for channel in ("presence:x", "presence:xx"):
            told = {pair for pair in self.clients[0].there if pair[0] == channel}
            really = {pair for pair in there if pair[0] == channel}
            assert told <= really
            assert len(told) == min(MOST_TOLD, len(really))


TestPresenceModel = model(PresenceModel, examples=150, full=2000)
