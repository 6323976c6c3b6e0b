"""Reads on behalf of streams: from the tail where it reaches back, and once for all that ask in the same moment."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import pytest

from hermes.core.recovery import Tip
from hermes.core.retained import Snapshot
from hermes.errors import Unavailable
from hermes.streaming import store as store_module
from tests.support.wait import wait_until
from tests.unit.events import numbers
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process


def test_a_page_of_the_tail_needs_no_store(broker: ModelBroker, process: Process, publish: Publish) -> None:
    publish("a")
    broker.calls.clear()
    assert numbers(process.store.page(0, 10, 10**6).events) == [1]
    assert broker.calls == []


def test_what_the_tail_has_not_is_read(broker: ModelBroker, process: Process, publish: Publish) -> None:
    for _ in range(3):
        publish("a")
    small = Process(broker, process.clock, tail_size=1).start()
    assert numbers(small.store.page(0, 10, 10**6).events) == [1, 2, 3]
    assert numbers(small.store.page(2, 10, 10**6).events) == [3]


def test_a_page_of_an_epoch_that_is_not_followed_yet(
    broker: ModelBroker, process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a stream would ask again and again, for as long as the process takes to notice."""
    for _ in range(3):
        publish("a")
    small = Process(broker, process.clock, tail_size=1).start()
    broker.begin_epoch()
    assert small.store.page(0, 1, 1).epoch == "e2"
    assert small.hub.epoch == "e2"
    broker.begin_epoch()
    publish("a", arrive=False)
    publish("a", arrive=False)
    monkeypatch.setattr(small.follower, "reach", lambda epoch: False)
    small.hub.begin("e2", 5)
    with pytest.raises(Unavailable):
        small.store.page(0, 1, 1)


def test_a_page_that_is_older_than_its_process_is_answered_at_once(
    broker: ModelBroker, process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        publish("a")
    small = Process(broker, process.clock, tail_size=1).start()
    read = broker.read

    def slow(after: int, max_events: int, max_bytes: int) -> object:
        page = read(after, max_events, max_bytes)
        small.hub.begin("e2", 0)
        return page

    monkeypatch.setattr(broker, "read", slow)
    monkeypatch.setattr(small.follower, "reach", lambda epoch: pytest.fail("there is nothing to wait for"))
    assert small.store.page(0, 1, 1).epoch == "e1"


def test_the_tip_is_followed_before_it_is_told(broker: ModelBroker, process: Process, publish: Publish) -> None:
    publish("a")
    broker.begin_epoch()
    assert process.store.tip() == Tip("e2", 0)
    assert process.hub.epoch == "e2"


def test_a_process_that_cannot_follow_refuses(
    broker: ModelBroker, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process.follower, "reach", lambda epoch: False)
    for ask in (process.store.tip, lambda: process.store.snapshot(["a"])):
        with pytest.raises(Unavailable):
            ask()


def test_snapshots_share_what_they_have_in_common(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    first = process.store.snapshot(["a"])
    publish("a", key="l")
    second = process.store.snapshot(["a"])
    assert second.entries[0] is first.entries[0]
    assert (first.tip, second.tip) == (1, 2)


# Many at once


class Gate:
    """A store whose snapshots take until they are let through."""

    def __init__(self, broker: ModelBroker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[set[str]] = []
        self.open = threading.Event()
        self.fails = False
        self._retained = broker.retained
        monkeypatch.setattr(broker, "retained", self.retained)

    def retained(self, items: Collection[str]) -> Snapshot:
        self.asked.append(set(items))
        assert self.open.wait(10)
        if self.fails:
            raise Unavailable("away")
        return self._retained(items)


@pytest.fixture
def gate(broker: ModelBroker, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(broker, monkeypatch)


def test_what_is_asked_while_another_reads_is_read_once(process: Process, gate: Gate) -> None:
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(process.store.snapshot, ["a"])
        wait_until(lambda: gate.asked)
        others = [pool.submit(process.store.snapshot, [f"b{index}"]) for index in range(9)]
        wait_until(lambda: process.store._next is not None and len(process.store._next.items) == 9)
        gate.open.set()
        snapshots = {id(other.result(10)) for other in others}
    assert gate.asked == [{"a"}, {f"b{index}" for index in range(9)}]
    assert len(snapshots) == 1
    assert id(first.result()) not in snapshots


def test_nobody_gets_what_was_read_before_he_asked(process: Process, gate: Gate, publish: Publish) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(process.store.snapshot, ["a"])
        wait_until(lambda: gate.asked)
        publish("a")
        second = pool.submit(process.store.snapshot, ["a"])
        wait_until(lambda: process.store._next is not None)
        gate.open.set()
        assert second.result(10).tip == 1
        first.result(10)
    assert len(gate.asked) == 2


def test_a_failure_is_for_all_that_waited(process: Process, gate: Gate) -> None:
    gate.fails = True
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(process.store.snapshot, ["a"])
        wait_until(lambda: gate.asked)
        others = [pool.submit(process.store.snapshot, ["b"]) for _ in range(2)]
        wait_until(lambda: process.store._next is not None)
        gate.open.set()
        for one in (first, *others):
            assert isinstance(one.exception(10), Unavailable)
    gate.fails = False
    assert process.store.snapshot(["a"]).tip == 0


def test_nobody_waits_without_end(process: Process, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FLIGHT_TIMEOUT", 0.01)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(process.store.snapshot, ["a"])
        wait_until(lambda: gate.asked)
        second = pool.submit(process.store.snapshot, ["a"])
        wait_until(lambda: process.store._next is not None)
        third = pool.submit(process.store.snapshot, ["a"])
        assert isinstance(third.exception(10), Unavailable)
        gate.open.set()
        assert second.result(10) is not first.result(10)


def test_one_read_is_for_a_bounded_number_of_items(
    process: Process, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_ITEMS", 2)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(process.store.snapshot, ["a"])]
        wait_until(lambda: gate.asked)
        for item in "bcd":
            asked.append(pool.submit(process.store.snapshot, [item]))
            wait_until(lambda item=item: process.store._next is not None and item in process.store._next.items)
        gate.open.set()
        for one in asked:
            assert one.result(10).tip == 0
    assert sorted(gate.asked, key=sorted) == [{"a"}, {"b", "c"}, {"d"}]
