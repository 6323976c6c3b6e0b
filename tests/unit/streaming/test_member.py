"""How a stream waits at the hub."""

import threading
import time

import pytest

from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from hermes.streaming.member import Waiter
from tests.support.wait import wait_until
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.process import Process


@pytest.fixture
def waiter(process: Process) -> Waiter:
    return Waiter(Subscription(["a"]), Position(process.hub.epoch, process.hub.last), ("me",), 0.0)


def test_it_waits_parked_and_comes_back_unparked(process: Process, waiter: Waiter) -> None:
    waiting = threading.Thread(target=waiter.wait, args=(process.hub, 10), kwargs={"live": True})
    waiting.start()
    wait_until(lambda: process.hub.subscribers == 1)
    waiter.wake()
    waiting.join(5)
    assert not waiting.is_alive()
    assert process.hub.subscribers == 0


def test_an_event_that_matches_wakes_it(process: Process, waiter: Waiter, publish: Publish) -> None:
    waiting = threading.Thread(target=waiter.wait, args=(process.hub, 10), kwargs={"live": True})
    waiting.start()
    wait_until(lambda: process.hub.subscribers == 1)
    publish("b")
    assert waiting.is_alive()
    publish("a")
    waiting.join(5)
    assert not waiting.is_alive()
    assert waiter.position.number == 1


@pytest.mark.parametrize("live", [True, False])
def test_its_time_is_up(process: Process, waiter: Waiter, live: bool) -> None:
    waiter.wait(process.hub, 0.001, live=live)
    assert process.hub.subscribers == 0


def test_what_happened_before_is_not_waited_for(process: Process, waiter: Waiter, publish: Publish) -> None:
    begun = time.monotonic()
    publish("a")
    waiter.wait(process.hub, 10, live=True)
    waiter.wake()
    waiter.wait(process.hub, 10, live=True)
    waiter.wake()
    waiter.pause(10)
    assert time.monotonic() - begun < 5


def test_a_wake_counts_once(process: Process, waiter: Waiter) -> None:
    waiter.wake()
    waiter.wait(process.hub, 10, live=True)
    begun = time.monotonic()
    waiter.pause(0.01)
    assert time.monotonic() - begun >= 0.01


def test_it_takes_nothing_and_so_owes_nothing(waiter: Waiter) -> None:
    assert waiter.write(b"x") == 0
    with pytest.raises(AssertionError):
        waiter.owe(memoryview(b"x"))
