"""The streams of a process: who may come, who is there, how all are told to leave."""

from collections import Counter

import pytest

from hermes.errors import Draining, TooManyConnections
from hermes.streaming import registry as registry_module
from hermes.streaming.bearer import NOBODY
from hermes.streaming.listener import CloseReason, Listener
from hermes.streaming.registry import Registry
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, data


class Time:
    """A clock that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def registry(process: Process) -> Registry:
    return Registry(process.hub, 3)


def stream(process: Process, registry: Registry, name: str = "c1", *, direct: bool = False) -> Stream:
    made = Stream(process, ids=(name,), direct=direct)
    registry.add(made.listener)
    made.read()
    return made


def test_who_is_there(process: Process, registry: Registry) -> None:
    streams = [stream(process, registry, f"c{index}") for index in range(2)]
    assert len(registry) == 2
    assert [listener.connection_id for listener in registry] == ["c0", "c1"]
    registry.remove(streams[0].listener)
    assert [listener.connection_id for listener in registry] == ["c1"]
    assert registry.opened == 2


def test_there_is_a_place_for_so_many(process: Process, registry: Registry) -> None:
    streams = [stream(process, registry, f"c{index}") for index in range(3)]
    with pytest.raises(TooManyConnections):
        registry.admit()
    registry.remove(streams[0].listener)
    registry.admit()


class Waiting:
    """A long poll."""

    bearer = NOBODY
    ended = False

    def end(self) -> None:
        self.ended = True


def test_a_long_poll_takes_the_place_of_a_stream(process: Process, registry: Registry) -> None:
    made = stream(process, registry)
    with registry.waiting(Waiting()), registry.waiting(Waiting()):
        assert len(registry) == 1
        with pytest.raises(TooManyConnections):
            registry.admit()
        with pytest.raises(TooManyConnections), registry.waiting(Waiting()):
            pass
    assert registry.polls == []
    registry.admit()
    assert made.listener.close_reason is None


def test_long_polls_are_answered_when_all_are_told_to_leave(registry: Registry) -> None:
    poll = Waiting()
    with registry.waiting(poll):
        registry.drain(0.0, 2.0)
        assert poll.ended
    with pytest.raises(Draining), registry.waiting(poll):
        pass


@pytest.mark.parametrize("direct", [True, False])
def test_who_leaves_is_taken_out_of_the_hub(process: Process, registry: Registry, direct: bool) -> None:
    gone = stream(process, registry, direct=direct)
    assert process.hub.subscribers == 1
    registry.remove(gone.listener)
    registry.remove(gone.listener)
    assert process.hub.subscribers == 0
    assert registry.closes == Counter({"gone": 1})


def test_ends_are_counted_by_their_reason(process: Process, registry: Registry) -> None:
    for reason in (CloseReason.KICKED, CloseReason.KICKED, CloseReason.SLOW):
        ended = stream(process, registry)
        ended.listener.close(reason)
        registry.remove(ended.listener)
    assert registry.closes == Counter({"kicked": 2, "slow": 1})


def test_all_are_told_to_leave_one_by_one(
    process: Process, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenario 4: the reconnects that they are asked for are spread."""
    time = Time()
    monkeypatch.setattr(registry_module, "time", time)
    streams = [stream(process, registry, f"c{index}") for index in range(20)]
    told: list[float] = []
    close = Listener.close

    def noted(listener: Listener, reason: CloseReason, retry: float | None = None) -> None:
        told.append(time.now)
        close(listener, reason, retry)

    monkeypatch.setattr(Listener, "close", noted)
    registry.drain(10.0, 4.0)
    assert told == [100.0 + index / 2 for index in range(20)]
    with pytest.raises(Draining):
        registry.admit()
    retries = set()
    for one in streams:
        assert data(one.read()[-1]) == {"reason": "drain", "reconnect": True}
        retries.add(one.parser.retry)
    assert len(retries) > 10
    assert all(retry is not None and 2000 <= retry <= 6000 for retry in retries)


def test_nobody_is_there(registry: Registry) -> None:
    registry.drain(5.0, 2.0)
    assert registry.draining


def test_one_that_was_about_to_open_is_told_too(process: Process, registry: Registry) -> None:
    """It was admitted before, and waited for the store meanwhile."""
    registry.admit()
    late = Stream(process)
    registry.drain(0.0, 2.0)
    registry.add(late.listener)
    assert late.listener.close_reason is CloseReason.DRAIN


class Noted:
    """An observer."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def opened(self, listener: Listener) -> None:
        self.seen.append(f"+{listener.connection_id}")

    def closed(self, listener: Listener) -> None:
        self.seen.append(f"-{listener.connection_id} {listener.close_reason}")


class Failing:
    """An observer that has a fault."""

    def opened(self, listener: Listener) -> None:
        raise RuntimeError("no")

    closed = opened


def test_observers_hear_of_every_stream_once(process: Process, registry: Registry) -> None:
    noted = Noted()
    registry.observe(noted)
    first, second = stream(process, registry, "c1"), stream(process, registry, "c2")
    second.listener.close(CloseReason.KICKED)
    for one in (second, first, first):
        registry.remove(one.listener)
    assert noted.seen == ["+c1", "+c2", "-c2 kicked", "-c1 None"]


def test_an_observer_that_fails_harms_nobody(process: Process, registry: Registry) -> None:
    noted = Noted()
    registry.observe(Failing())
    registry.observe(noted)
    registry.remove(stream(process, registry, "c1").listener)
    assert noted.seen == ["+c1", "-c1 None"]
    assert registry.closes == Counter({"gone": 1})


def test_one_stream_by_its_connection(process: Process, registry: Registry) -> None:
    made = stream(process, registry, "c1")
    assert registry.get("c1") is made.listener
    assert registry.get("c2") is None
    registry.remove(made.listener)
    assert registry.get("c1") is None
