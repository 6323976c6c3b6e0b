"""Sources get their channels' retained state back, by one process of the fleet, once in each epoch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from flask import Blueprint

from hermes.core.publisher import Publisher
from hermes.sources import runner as runner_module
from hermes.sources.base import SourceContext, State
from hermes.sources.runner import SourceRunner
from hermes.testing import FakeClock
from tests.support.wait import wait_until
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process


class Board:
    """A source with some keys."""

    name = "board"

    def __init__(self, channels: tuple[str, ...] = ("board",)) -> None:
        self.channels = channels
        self.keys = {"a": 1, "b": 2}
        self.steps: list[str] = []

    def setup(self, context: SourceContext) -> Blueprint | None:
        return None

    def start(self) -> None:
        self.steps.append("start")

    def stop(self) -> None:
        self.steps.append("stop")

    def state(self, channel: str) -> Iterable[State]:
        self.steps.append(f"state {channel}")
        return [State("score", key, value) for key, value in self.keys.items()]


class Lease:
    """Held or not."""

    def __init__(self) -> None:
        self.held = True
        self.asked = 0

    def __call__(self, name: str) -> bool:
        self.asked += 1
        return self.held


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "LOOK_INTERVAL", 0.001)


@contextmanager
def running(process: Process, source: Board, lease: Lease) -> Iterator[None]:
    publisher = Publisher(process.broker, process.clock, internal=True)
    runner = SourceRunner([source], process.hub, publisher, process.broker.retained, lease)
    runner.start()
    yield
    runner.close()


def looks(lease: Lease, count: int = 3) -> None:
    """Waits until it has looked so often again."""
    before = lease.asked
    wait_until(lambda: lease.asked >= before + count)


def state(broker: ModelBroker) -> dict[str, object]:
    return {key: event.value for (_, key), (_, event) in broker.state.items()}


def test_state_once_in_an_epoch(process: Process, broker: ModelBroker) -> None:
    source, lease = Board(), Lease()
    with running(process, source, lease):
        wait_until(lambda: state(broker) == {"a": 1, "b": 2})
        looks(lease)
        assert source.steps == ["start", "state board"]
        broker.begin_epoch(keep_state=False)
        process.catch_up()
        wait_until(lambda: state(broker) == {"a": 1, "b": 2})
        looks(lease)
    assert source.steps == ["start", "state board", "state board", "stop"]


def test_a_key_that_is_gone_is_taken_out_by_an_event_of_its_own_type(
    process: Process, broker: ModelBroker, clock: FakeClock
) -> None:
    """Whoever handles the source's events expects data in them."""
    Publisher(broker, clock, internal=True).publish("board", 7, type="score", key="old")
    with running(process, Board(), Lease()):
        wait_until(lambda: state(broker) == {"a": 1, "b": 2})
    assert [(event.type, event.key) for event in broker.kept if event.removes] == [("hermes.removed", "old")]


def test_without_the_lease_nothing_is_told(process: Process, broker: ModelBroker) -> None:
    source, lease = Board(), Lease()
    lease.held = False
    with running(process, source, lease):
        looks(lease)
        assert source.steps == ["start"]
        lease.held = True
        wait_until(lambda: state(broker) == {"a": 1, "b": 2})
        lease.held = False
        looks(lease)
        lease.held = True
        wait_until(lambda: source.steps.count("state board") == 2)


def test_a_source_without_channels_needs_no_lease(process: Process) -> None:
    other, source, lease = Lease(), Board(()), Lease()
    with running(process, source, lease), running(process, Board(), other):
        looks(other)
    assert lease.asked == 0
    assert source.steps == ["start", "stop"]
