"""The channels in use: who names them, and what the newest part of the log has of them."""

import pytest

from hermes.core.subscription import Subscription
from hermes.fleet.base import MOST_SAID
from hermes.streaming import channels as channels_module
from hermes.streaming.channels import KEPT, Channels, Subscribers
from hermes.testing import FakeClock
from tests.unit.events import event
from tests.unit.model_fleet import Exchange
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.test_directory import Node, told


class Channelled(Node):
    """A process that knows of channels."""

    def __init__(self, exchange: Exchange, broker: ModelBroker, name: str) -> None:
        super().__init__(exchange, broker, name)
        self.channels = Channels(self.process.hub, self.registry, self.company, self.directory, exchange.clock)
        self.channels.listen(self.company)


@pytest.fixture
def exchange(clock: FakeClock) -> Exchange:
    return Exchange(clock)


@pytest.fixture
def nodes(exchange: Exchange, broker: ModelBroker) -> list[Channelled]:
    made = [Channelled(exchange, broker, f"p{number}") for number in range(2)]
    told([*made])
    return made


def test_who_names_a_channel(nodes: list[Channelled]) -> None:
    nodes[0].open("c1", None, "a", "b")
    nodes[0].open("c2", None, "a", "r*")
    nodes[1].open("c3", None, "a")
    assert nodes[0].channels.named() == {"a": 3, "b": 1}
    assert nodes[1].channels.subscribers("a") == Subscribers(3, 0)
    assert nodes[1].channels.subscribers("room") == Subscribers(0, 1)


def test_what_may_not_be_seen_does_not_count(nodes: list[Channelled]) -> None:
    stream = nodes[0].open("c1")
    stream.member.subscription = Subscription(("a", "secret", "*"), grants=("a", "b"))
    channels = nodes[0].channels
    assert channels.named() == {"a": 1}
    assert [channels.subscribers(name) for name in ("a", "b", "secret")] == [
        Subscribers(1, 0),
        Subscribers(0, 1),
        Subscribers(0, 0),
    ]


def test_nothing_is_asked_twice_within_a_second(nodes: list[Channelled], exchange: Exchange, clock: FakeClock) -> None:
    exchange.asked.clear()
    for _ in range(5):
        nodes[0].channels.named()
        nodes[0].channels.subscribers("a")
    assert len(exchange.asked) == 2
    nodes[1].open("c1", None, "a")
    assert nodes[0].channels.named() == {}
    clock.advance(KEPT)
    assert nodes[0].channels.named() == {"a": 1}


def test_what_is_kept_is_bounded(nodes: list[Channelled]) -> None:
    for number in range(1000):
        nodes[0].channels.subscribers(f"a{number}")
    assert len(nodes[0].channels._kept) <= channels_module.MOST_KEPT


def test_of_very_many_the_largest_and_the_users_own_last(
    nodes: list[Channelled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels_module, "MOST_NAMED", 3)
    for number in range(6):
        items = ("user:1", *[f"a{name}" for name in range(number)])
        nodes[0].open(f"c{number}").member.subscription = Subscription(items, grants=("*", "user:*"))
    assert nodes[1].channels.subscribers("user:1").named == 6
    assert nodes[0].channels.named() == {"a0": 5, "a1": 4, "a2": 3}


def test_what_is_told_fits_an_answer(nodes: list[Channelled]) -> None:
    for number in range(20):
        nodes[0].open(f"c{number}", None, *[f"{number}-{other}" + "\U0001f600" * 240 for other in range(100)])
    answer = nodes[0].company.ask("p0", channels_module.NAMED)
    assert answer is not None
    assert 64_000 < len(answer) <= MOST_SAID


def test_rates_and_times(nodes: list[Channelled], broker: ModelBroker, clock: FakeClock) -> None:
    begun = int(clock.now() * 1000)
    for second in range(90):
        broker.publish([event(broker.last + 1, "a", time=begun + second * 1000) for _ in range(3)])
    broker.publish([event(broker.last + 1, "b", "c", time=begun + 1000)])
    nodes[0].process.deliver()
    clock.advance(90)
    recent = nodes[0].channels.recent()
    assert recent["a"].rate == pytest.approx(3.0, abs=0.1)
    assert recent["a"].last == begun + 89_000
    assert recent["b"] == recent["c"] == (0.0, begun + 1000)


def test_of_very_many_the_newest(nodes: list[Channelled], broker: ModelBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_module, "MOST_RECENT", 3)
    for number in range(1, 11):
        broker.publish([event(number, f"c{number}", "all")])
    nodes[0].process.deliver()
    assert set(nodes[0].channels.recent()) == {"c10", "all", "c9"}


def test_a_tail_that_is_too_short_for_the_load(exchange: Exchange, broker: ModelBroker, clock: FakeClock) -> None:
    node = Channelled(exchange, broker, "p9")
    node.process.hub._tail._max_events = 50
    begun = int(clock.now() * 1000)
    clock.advance(10)
    broker.publish([event(number, "a", time=begun + number * 100) for number in range(1, 101)])
    node.process.deliver()
    assert node.channels.recent()["a"].rate == pytest.approx(10.0, rel=0.05)


def test_nothing_at_all(nodes: list[Channelled]) -> None:
    assert nodes[0].channels.recent() == {}
    assert nodes[0].channels.after_newest_but("a", 10) == 0


def test_where_the_newest_events_begin(nodes: list[Channelled], broker: ModelBroker) -> None:
    for number in range(1, 21):
        broker.publish([event(number, "a" if number % 2 else "b")])
    nodes[0].process.deliver()
    channels = nodes[0].channels
    assert channels.after_newest_but("a", 3) == 14
    assert channels.after_newest_but("a", 100) == 0
    assert channels.after_newest_but("c", 3) == 20
