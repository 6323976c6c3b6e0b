"""Where a stream begins, what it is told first, and which state it gets."""

import pytest

from hermes.core.recovery import ResetReason
from hermes.core.subscription import Subscription
from hermes.errors import Unavailable
from hermes.streaming.opening import Opener, Opening
from hermes.testing import FakeClock
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, data, words


def opening(process: Process, cursor: str | None, *items: str, retained: str = "auto") -> Opening:
    return Opener(process.store, process.hub, Subscription(items or ("a",)), retained).open(cursor)


# Fresh


def test_a_fresh_stream_begins_at_the_tip_with_the_state(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a")
    made = opening(process, None)
    assert made.position.cursor == ("e1", 2)
    assert (made.recovered, made.reset) == (None, None)
    assert words(Stream(process, "a").read()) == ["connected", "~1", "+2"]


def test_nothing_private_is_read_for_a_stranger(process: Process, publish: Publish) -> None:
    """All that is retained anywhere would be read for who asks for everything, and held until it is sent."""
    publish("public:a", key="k")
    publish("private:a", key="k")
    for retained, cursor in (("auto", None), ("1", "e1-0"), ("auto", "unreadable")):
        made = Opener(process.store, process.hub, Subscription(("*",), grants=("public:*",)), retained).open(cursor)
        snapshot = made.snapshot or made.late_snapshot
        assert snapshot is not None
        assert [entry.channels for entry in snapshot.entries] == [("public:a",)]


def test_a_fresh_stream_begins_at_the_stores_tip_ahead_of_its_process(process: Process, publish: Publish) -> None:
    """Fine print 3."""
    publish("a")
    publish("a", arrive=False)
    stream = Stream(process, "a", direct=True)
    assert words(stream.read()) == ["connected", "+2"]
    process.deliver()
    publish("a")
    assert words(stream.read()) == ["3"]


def test_without_state_when_it_is_not_wanted(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    assert words(Stream(process, "a", retained="0").read()) == ["connected", "+1"]


@pytest.mark.parametrize("cursor", [None, "", " "])
def test_no_cursor(process: Process, cursor: str | None) -> None:
    assert opening(process, cursor).recovered is None


# Resume


def test_a_cursor_gives_what_it_has_not_seen(process: Process, publish: Publish) -> None:
    for channel in ("a", "b", "a", "a"):
        publish(channel)
    stream = Stream(process, "a", cursor="e1-1")
    assert stream.opening.recovered is True
    assert words(stream.read()) == ["connected", "3", "4", "+4"]


def test_a_resumed_stream_gets_no_state(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    assert words(Stream(process, "a", cursor="e1-1").read()) == ["connected", "+1"]


def test_with_retained_the_state_comes_after_the_replay_and_before_what_is_newer(
    process: Process, publish: Publish
) -> None:
    """Fine print 4."""
    publish("a", key="k")
    publish("a")
    stream = Stream(process, "a", cursor="e1-0", retained="1")
    publish("a")
    publish("a")
    assert words(stream.read()) == ["connected", "1", "2", "~1", "+2", "3", "4"]


def test_state_that_the_process_has_not_reached_waits_for_it(process: Process, publish: Publish) -> None:
    publish("a")
    publish("a", key="k", arrive=False)
    stream = Stream(process, "a", cursor="e1-0", retained="1", direct=True)
    assert words(stream.read()) == ["connected", "1"]
    assert not stream.member.is_live
    process.deliver()
    assert words(stream.read()) == ["2", "~2", "+2"]
    assert stream.member.is_live


def test_a_cursor_that_is_ahead_of_the_process_waits(process: Process, publish: Publish) -> None:
    """Scenario 31, and fine print 3."""
    publish("a")
    publish("a", arrive=False)
    stream = Stream(process, "a", cursor="e1-2", direct=True)
    assert stream.opening.recovered is True
    assert words(stream.read()) == ["connected", "+2"]
    assert not stream.member.is_live
    process.deliver()
    assert words(stream.read()) == []
    assert stream.member.is_live


# Loss


def test_what_was_removed_is_told_with_the_state_and_the_rest_is_replayed(
    broker: ModelBroker, process: Process, publish: Publish
) -> None:
    publish("a", key="k")
    publish("b")
    publish("a", "b")
    broker.remove_oldest_of("a")
    small = Process(broker, process.clock, tail_size=1).start()
    stream = Stream(small, "a", "b", cursor="e1-0")
    assert stream.opening.recovered is False
    frames = stream.read()
    assert words(frames) == ["connected", "reset a", "~1", "2", "3", "+3"]
    assert data(frames[1]) == {"reason": "history_truncated", "channels": ["a"]}
    assert frames[4]["channel"] == "b"


def test_a_reset_reaches_to_the_stores_tip(broker: ModelBroker, process: Process, publish: Publish) -> None:
    """The state has what is still on its way to this process."""
    for _ in range(3):
        publish("a")
    broker.remove_oldest(2)
    small = Process(broker, process.clock, tail_size=1).start()
    publish("a", key="k")
    stream = Stream(small, "a", cursor="e1-0", direct=True)
    assert words(stream.read()) == ["connected", "reset a", "~4", "+4"]
    publish("a")
    small.deliver()
    small.dispatch()
    assert words(stream.read()) == ["5"]


def test_a_reset_without_state(broker: ModelBroker, process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a")
    broker.remove_oldest(2)
    small = Process(broker, process.clock, tail_size=1).start()
    assert words(Stream(small, "a", cursor="e1-0", retained="0").read()) == ["connected", "reset a", "+2"]


def test_a_reset_and_retained_give_each_state_once(broker: ModelBroker, process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("b", key="l")
    publish("a", "b", key="m")
    broker.remove_oldest_of("a")
    small = Process(broker, process.clock, tail_size=1).start()
    stream = Stream(small, "a", "b", cursor="e1-1", retained="1")
    assert words(stream.read()) == ["connected", "2", "3", "~1", "~2", "~3", "+3"]
    stream = Stream(small, "a", "b", cursor="e1-0", retained="1")
    assert words(stream.read()) == ["connected", "reset a", "~1", "~3", "2", "3", "~2", "+3"]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("junk", ResetReason.UNKNOWN_CURSOR),
        ("e1-99", ResetReason.UNKNOWN_CURSOR),
        ("e0-1", ResetReason.EPOCH_CHANGED),
    ],
)
def test_a_cursor_that_is_worth_nothing(process: Process, publish: Publish, cursor: str, reason: ResetReason) -> None:
    publish("a", key="k")
    publish("a")
    stream = Stream(process, "a", "b", cursor=cursor)
    assert (stream.opening.recovered, stream.opening.reset) == (False, reason)
    assert words(stream.read()) == ["connected", "reset a,b", "~1", "+2"]


def test_a_cursor_of_an_epoch_that_this_process_has_not_begun(
    broker: ModelBroker, process: Process, publish: Publish
) -> None:
    publish("a")
    broker.begin_epoch()
    publish("a", arrive=False)
    stream = Stream(process, "a", cursor="e2-0")
    assert stream.opening.recovered is True
    assert words(stream.read()) == ["connected", "1", "+1"]


@pytest.mark.parametrize("retained", ["auto", "0", "1"])
def test_a_store_in_a_new_epoch_that_this_process_has_not_begun(
    broker: ModelBroker, process: Process, publish: Publish, retained: str
) -> None:
    """The tail does not reach back, and the store has another epoch: the process catches up before it answers."""
    small = Process(broker, process.clock, tail_size=1).start()
    for _ in range(3):
        publish("a")
    small.catch_up()
    broker.begin_epoch(keep_state=False)
    stream = Stream(small, "a", cursor="e1-1", retained=retained)
    assert words(stream.read()) == ["connected", "reset a", "+0"]


# Earliest


def test_earliest_gives_all_that_is_kept(broker: ModelBroker, process: Process, publish: Publish) -> None:
    for channel in ("a", "b", "a", "a"):
        publish(channel)
    broker.remove_oldest()
    small = Process(broker, process.clock, tail_size=1).start()
    stream = Stream(small, "a", cursor="earliest")
    assert (stream.opening.recovered, stream.opening.reset) == (None, None)
    assert words(stream.read()) == ["connected", "3", "4", "+4"]


def test_earliest_passes_over_the_holes(broker: ModelBroker, process: Process, publish: Publish) -> None:
    for channel in ("b", "a", "a"):
        publish(channel)
    broker.remove_oldest_of("a")
    small = Process(broker, process.clock, tail_size=1).start()
    assert words(Stream(small, "*", cursor="earliest").read()) == ["connected", "1", "3", "+3"]


def test_earliest_with_retained_gets_the_state_after_the_replay(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a")
    assert words(Stream(process, "a", cursor="earliest").read()) == ["connected", "1", "2", "+2"]
    stream = Stream(process, "a", cursor="earliest", retained="1")
    assert words(stream.read()) == ["connected", "1", "2", "~1", "+2"]


# The store is away


@pytest.mark.parametrize("cursor", [None, "e1-99", "e0-1", "junk"])
def test_what_needs_the_store_is_refused_while_it_is_away(broker: ModelBroker, process: Process, cursor: str) -> None:
    broker.away = True
    with pytest.raises(Unavailable):
        opening(process, cursor)


@pytest.mark.parametrize("cursor", ["e1-0", "e1-1", "earliest"])
def test_what_the_tail_has_needs_no_store(broker: ModelBroker, process: Process, publish: Publish, cursor: str) -> None:
    publish("a")
    broker.away = True
    assert words(Stream(process, "a", cursor=cursor).read())[-1] == "+1"


def test_a_store_that_begins_an_epoch_between_two_answers(
    broker: ModelBroker, process: Process, publish: Publish, clock: FakeClock
) -> None:
    small = Process(broker, clock, tail_size=1).start()
    for _ in range(3):
        publish("a")
    small.catch_up()
    broker.remove_oldest(2)
    broker.meanwhile.extend([lambda: None, broker.begin_epoch])
    with pytest.raises(Unavailable):
        opening(small, "e1-0")
    assert opening(small, "e1-0").reset is ResetReason.EPOCH_CHANGED
