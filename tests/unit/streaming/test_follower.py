"""A process at the store's tip: what it takes of the feed, what it notices, how it heals."""

from collections.abc import Callable

import pytest

from hermes.core.hub import Hub
from hermes.core.log import Tail
from hermes.errors import Unavailable
from hermes.streaming import follower as follower_module
from hermes.streaming.follower import STALE_AFTER, Follower
from hermes.testing import FakeClock
from tests.support.wait import wait_until
from tests.unit.events import event, numbers
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process


def held(process: Process, after: int = 0) -> list[int]:
    """The numbers that a process has in its tail above `after`."""
    page = process.hub.page(after, 10_000, 10**9)
    assert page is not None
    return numbers(page.events)


def fill(broker: ModelBroker, count: int, *channels: str) -> None:
    broker.publish([event(0, *channels) for _ in range(count)])


# The start


def test_the_tail_is_filled_before_it_starts(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 5)
    process = Process(broker, clock).start()
    assert held(process) == [1, 2, 3, 4, 5]
    assert process.hub.last == 5
    assert process.follower.answering


def test_the_tail_is_filled_in_pages(broker: ModelBroker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "PAGE_EVENTS", 2)
    fill(broker, 5)
    assert held(Process(broker, clock).start()) == [1, 2, 3, 4, 5]
    assert broker.calls.count("read") == 3


def test_no_more_is_read_than_the_tail_holds(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 9)
    process = Process(broker, clock, tail_size=3).start()
    assert held(process, 6) == [7, 8, 9]
    assert process.hub.page(5, 1, 1) is None


def test_a_log_that_has_lost_its_beginning(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 5)
    broker.remove_oldest(3)
    process = Process(broker, clock).start()
    assert held(process, 3) == [4, 5]
    assert process.hub.page(2, 1, 1) is None


def test_an_empty_log_that_once_had_events(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 5)
    broker.remove_oldest(5)
    process = Process(broker, clock).start()
    assert process.hub.last == 5
    assert held(process, 5) == []


def test_holes_are_remembered(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 1, "b")
    fill(broker, 2, "a", "c")
    fill(broker, 1, "b")
    broker.remove_oldest_of("a")
    process = Process(broker, clock).start()
    page = process.hub.page(0, 10, 10**9)
    assert page is not None
    assert numbers(page.events) == [1, 3, 4]
    assert page.floors == {"a": 2, "c": 2}


def test_what_is_published_while_it_starts_is_not_missed(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 3)
    process = Process(broker, clock)
    broker.meanwhile.extend([lambda: None, lambda: fill(broker, 2)])
    process.start()
    process.deliver()
    assert held(process) == [1, 2, 3, 4, 5]


def test_a_new_epoch_while_it_starts(broker: ModelBroker, clock: FakeClock) -> None:
    fill(broker, 3)
    process = Process(broker, clock)
    broker.meanwhile.extend([lambda: None, broker.begin_epoch])
    process.start()
    assert process.follower.wants_to_heal
    process.follower.heal()
    assert process.hub.epoch == "e2"


def test_a_store_that_is_away_stops_the_start(broker: ModelBroker, clock: FakeClock) -> None:
    broker.away = True
    with pytest.raises(Unavailable):
        Process(broker, clock).start()


# The feed


def test_what_continues_the_log_is_taken(process: Process, publish: Publish) -> None:
    publish("a")
    publish("a")
    assert held(process) == [1, 2]
    assert process.follower.new.is_set()
    assert not process.follower.wants_to_heal


def test_what_is_here_already_is_passed_over(process: Process, publish: Publish) -> None:
    publish("a", arrive=False)
    process.link.repeat()
    process.link.repeat()
    process.deliver()
    assert held(process) == [1]
    assert not process.follower.wants_to_heal


def test_of_what_overlaps_the_new_part_is_taken(process: Process, broker: ModelBroker) -> None:
    fill(broker, 4)
    events = broker.ever["e1"]
    process.follower.accept("e1", 1, events[:2])
    process.follower.accept("e1", 2, events[1:4])
    assert held(process) == [1, 2, 3, 4]


def test_a_gap_is_healed(process: Process, publish: Publish) -> None:
    publish("a")
    publish("a", arrive=False)
    process.link.lose()
    publish("a")
    assert held(process) == [1]
    assert process.follower.wants_to_heal
    process.follower.heal()
    assert held(process) == [1, 2, 3]
    assert process.follower.resets == 0


@pytest.mark.parametrize("first", [1, 2])
def test_a_number_of_another_epoch_is_never_the_next(process: Process, publish: Publish, first: int) -> None:
    """Fine print 8."""
    publish("a")
    process.follower.accept("e2", first, [event(first)])
    assert (process.hub.last, process.hub.epoch) == (1, "e1")
    assert process.follower.wants_to_heal


def test_a_late_message_of_a_former_epoch_is_passed_over(
    broker: ModelBroker, process: Process, publish: Publish
) -> None:
    publish("a")
    broker.begin_epoch()
    publish("b", arrive=False)
    process.catch_up()
    process.follower.accept("e1", 2, [event(2, "late")])
    assert [one.channels for one in process.hub.page(0, 9, 10**6).events] == [("b",)]


def test_an_announced_number_is_read(process: Process, broker: ModelBroker) -> None:
    """An event that does not fit into a message of the feed."""
    fill(broker, 2)
    process.link.lose()
    process.follower.announce("e1", 2)
    process.follower.heal()
    assert held(process) == [1, 2]


def test_healing_goes_on_until_what_was_heard_is_here(process: Process, broker: ModelBroker) -> None:
    fill(broker, 2)
    process.follower.announce("e1", 3)
    broker.meanwhile.extend([lambda: None, lambda: fill(broker, 1)])
    process.follower.heal()
    assert held(process) == [1, 2, 3]


def test_what_arrives_during_a_heal_is_taken_once(process: Process, broker: ModelBroker) -> None:
    fill(broker, 3)
    broker.meanwhile.append(process.deliver)
    process.follower.heal()
    assert held(process) == [1, 2, 3]


# Heals that cannot be complete


@pytest.mark.parametrize("loss", ["log", "channel"])
def test_what_cannot_be_healed_moves_the_process_to_the_tip(
    process: Process, broker: ModelBroker, publish: Publish, loss: str
) -> None:
    publish("a")
    for _ in range(3):
        publish("a", arrive=False)
    if loss == "log":
        broker.remove_oldest(2)
    else:
        broker.remove_oldest_of("a")
        broker.remove_oldest_of("a")
    process.catch_up()
    assert (process.hub.last, process.follower.resets) == (4, 1)
    assert process.hub.page(3, 1, 1) is None
    publish("a")
    assert held(process, 4) == [5]


def test_what_was_removed_below_is_no_matter(process: Process, broker: ModelBroker, publish: Publish) -> None:
    publish("a")
    publish("a", arrive=False)
    broker.remove_oldest_of("a")
    process.catch_up()
    assert process.follower.resets == 0
    assert held(process) == [1, 2]


def test_a_new_epoch_is_followed_from_its_beginning(process: Process, broker: ModelBroker, publish: Publish) -> None:
    publish("a")
    broker.begin_epoch()
    for _ in range(3):
        publish("a", arrive=False)
    process.catch_up()
    assert (process.hub.epoch, process.hub.last) == ("e2", 3)
    assert held(process) == [1, 2, 3]


def test_a_new_epoch_that_has_lost_events_already(process: Process, broker: ModelBroker, publish: Publish) -> None:
    broker.begin_epoch()
    for _ in range(3):
        publish("a", arrive=False)
    broker.remove_oldest(2)
    process.catch_up()
    assert (process.hub.epoch, process.hub.last) == ("e2", 3)
    assert process.hub.page(0, 1, 1) is None


def test_two_epochs_at_once(process: Process, broker: ModelBroker, publish: Publish) -> None:
    broker.begin_epoch()
    broker.meanwhile.extend([lambda: None, broker.begin_epoch])
    process.catch_up()
    process.catch_up()
    assert process.hub.epoch == "e3"


# The tip


def test_a_tip_that_stays_ahead_is_healed(process: Process, publish: Publish) -> None:
    publish("a", arrive=False)
    process.link.lose()
    process.follower.look_at_tip()
    assert not process.follower.wants_to_heal
    process.follower.look_at_tip()
    assert process.follower.wants_to_heal


def test_a_tip_that_the_feed_reaches_is_left_alone(process: Process, publish: Publish) -> None:
    for _ in range(3):
        publish("a", arrive=False)
        process.follower.look_at_tip()
        process.deliver()
    assert not process.follower.wants_to_heal


def test_a_tip_of_another_epoch_is_healed_at_once(process: Process, broker: ModelBroker) -> None:
    broker.begin_epoch()
    process.follower.look_at_tip()
    assert process.follower.wants_to_heal


def test_the_tip_forgets_what_is_too_old(broker: ModelBroker, clock: FakeClock) -> None:
    process = Process(broker, clock, age=100).start()
    fill(broker, 1)
    process.deliver()
    clock.advance(101)
    process.follower.look_at_tip()
    assert process.hub.page(0, 1, 1) is None


def test_a_process_whose_store_is_silent_is_not_ready(process: Process, broker: ModelBroker, clock: FakeClock) -> None:
    process.follower.look_at_tip()
    clock.advance(STALE_AFTER - 0.1)
    assert process.follower.answering
    clock.advance(0.2)
    assert not process.follower.answering
    broker.away = True
    with pytest.raises(Unavailable):
        process.follower.look_at_tip()
    assert not process.follower.answering
    broker.away = False
    process.follower.look_at_tip()
    assert process.follower.answering


# With its own threads


@pytest.fixture
def running(broker: ModelBroker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Follower]:
    """Starts a follower as it is; it ends with the test."""
    for name in ("TIP_INTERVAL", "RETRY_PAUSE"):
        monkeypatch.setattr(follower_module, name, 0.01)
    hub = Hub(Tail(100, 10**9), clock.monotonic)
    follower = Follower(broker, hub, clock, history_age=10**6, tail_size=100)

    def start() -> Follower:
        follower.start(lambda: 3)
        return follower

    yield start
    follower.close()


def test_what_the_feed_never_brings_is_read_soon(broker: ModelBroker, running: Callable[[], Follower]) -> None:
    follower = running()
    fill(broker, 2)
    wait_until(lambda: follower._hub.last == 2)
    assert follower.new.is_set()


def test_it_goes_on_when_the_store_is_back(broker: ModelBroker, running: Callable[[], Follower]) -> None:
    follower = running()
    broker.away = True
    follower.announce("e1", 0)
    wait_until(lambda: follower.heals > 1)
    broker.ever["e1"].append(event(1))
    broker.away = False
    wait_until(lambda: follower._hub.last == 1)


def test_a_stream_can_wait_for_an_epoch(broker: ModelBroker, running: Callable[[], Follower]) -> None:
    follower = running()
    broker.begin_epoch()
    assert follower.reach("e2")
    assert follower.reach("e2")
    assert not follower.reach("e9", timeout=0.01)


def test_a_mistake_in_a_heal_does_not_end_the_healing(
    broker: ModelBroker, running: Callable[[], Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = running()

    def mistake() -> None:
        raise KeyError("nobody thought of this")

    broker.meanwhile.append(mistake)
    follower.announce("e1", 0)
    wait_until(lambda: not broker.meanwhile)
    broker.ever["e1"].append(event(1))
    wait_until(lambda: follower._hub.last == 1)


def test_the_fleet_hears_of_its_streams(broker: ModelBroker, running: Callable[[], Follower]) -> None:
    follower = running()
    wait_until(lambda: follower.fleet_streams == 3)


def test_it_can_be_closed_twice(running: Callable[[], Follower]) -> None:
    follower = running()
    follower.close()
    follower.close()
    assert not any(thread.is_alive() for thread in follower._threads)
