"""The fine print of the design, line by line: each was a way to lose or repeat an event.

These tests are short and say what each line means. The models (`core/test_hub_model.py`, `streaming/test_streams_model.py`)
hold the same lines under every order of what can happen.
"""

from pathlib import Path

import pytest

from hermes.brokers.base import Bounds
from hermes.brokers.embedded import EmbeddedBroker
from hermes.core.subscription import Subscription
from hermes.streaming.listener import PIECE_BYTES
from hermes.streaming.query import parse_query, subscription_of
from hermes.testing import FakeClock
from tests.unit.events import event, numbers
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, data, words


def publish(broker: ModelBroker, *channels: str, **more: object) -> None:
    broker.publish([event(broker.last + 1, *channels, **more)])


def small(process: Process) -> Process:
    """Another process on the same store, whose tail holds one event."""
    return Process(process.broker, process.clock, tail_size=1).start()


# 1. The hub's number advances when an event enters the tail, before dispatch. A dispatch is a range; it skips, for each
#    stream, the numbers at or below the one at which that stream parked.


def test_fine_print_1_a_dispatch_skips_what_a_stream_had_read_before_it_parked(
    broker: ModelBroker, process: Process
) -> None:
    early = Stream(process, "a", direct=True)
    early.read()
    for _ in range(3):
        publish(broker, "a")
    process.deliver()
    assert (process.hub.last, process.hub.finished) == (3, 0)
    late = Stream(process, "a", cursor="e1-1", direct=True)
    assert words(late.read()) == ["connected", "2", "3", "+3"]
    assert late.member.is_live
    publish(broker, "a")
    process.deliver()
    process.dispatch()
    assert words(early.read()) == ["1", "2", "3", "4"]
    assert words(late.read()) == ["4"]


# 2. A heartbeat's id is what this stream has examined (behind), or the last range that was finished for it (live): never
#    simply the hub's number.


def test_fine_print_2_a_heartbeat_in_the_middle_of_a_dispatch(
    broker: ModelBroker, process: Process, clock: FakeClock
) -> None:
    first, second = Stream(process, "a", direct=True), Stream(process, "a", "b", direct=True)
    for stream in (first, second):
        stream.read()
    publish(broker, "a")
    process.deliver()
    steps = process.hub.dispatch()
    next(steps)
    assert words(first.read()) == ["1"]
    assert process.hub.last == 1
    assert process.hub.examined(second.member) == 0
    clock.advance(30)
    second.run(timed_out=True)
    assert words(second.frames()) == ["1"], "it reads what it had not seen before it says so"
    list(steps)
    second.run()
    assert words(second.frames()) == []


def test_fine_print_2_a_heartbeat_of_a_stream_that_nothing_was_for(
    broker: ModelBroker, process: Process, clock: FakeClock
) -> None:
    stream = Stream(process, "quiet", direct=True)
    stream.read()
    publish(broker, "a")
    process.deliver()
    assert process.hub.examined(stream.member) == 0
    process.dispatch()
    clock.advance(30)
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["+1"]


# 3. A position above the hub's waits: it is in no group, its heartbeats carry its own position, it becomes live when the
#    hub reaches it. A fresh stream starts at the store's tip, which may be ahead of its process.


@pytest.mark.parametrize("cursor", [None, "e1-2"])
def test_fine_print_3_a_position_above_the_hubs_waits(
    broker: ModelBroker, process: Process, clock: FakeClock, cursor: str | None
) -> None:
    for _ in range(2):
        publish(broker, "a")
    stream = Stream(process, "a", cursor=cursor, direct=True)
    assert words(stream.read()) == ["connected", "+2"]
    process.deliver(1)
    process.dispatch()
    clock.advance(30)
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["+2"]
    assert stream.member.group is None
    process.deliver(1)
    process.dispatch()
    assert words(stream.read()) == []
    assert stream.member.is_live


# 4. After a snapshot with tip T, events up to T are skipped for the channels that are fresh or were reset, and for no
#    others: an event that also matched a replayed channel is sent. With `retained=1` on a resume the snapshot is sent when
#    the position has reached T. An event retained in several channels comes once.


def test_fine_print_4_events_up_to_the_snapshot_are_skipped_for_reset_channels_alone(
    broker: ModelBroker, process: Process
) -> None:
    publish(broker, "a", key="k")
    for channels in (("a",), ("b",), ("a", "b"), ("a",)):
        publish(broker, *channels)
    broker.remove_oldest_of("a")
    stream = Stream(small(process), "a", "b", cursor="e1-0")
    frames = stream.read()
    assert words(frames) == ["connected", "reset a", "~1", "3", "4", "+5"]
    assert [frame["channel"] for frame in frames if frame["id"] in ("e1-3", "e1-4")] == ["b", "b"]


def test_fine_print_4_state_after_the_replay(broker: ModelBroker, process: Process) -> None:
    publish(broker, "a", key="k")
    publish(broker, "a")
    process.deliver()
    stream = Stream(process, "a", cursor="e1-1", retained="1")
    publish(broker, "a")
    process.deliver()
    assert words(stream.read()) == ["connected", "2", "~1", "+2", "3"]


def test_fine_print_4_state_of_several_channels_comes_once(broker: ModelBroker, process: Process) -> None:
    publish(broker, "a", "b", key="k")
    process.deliver()
    assert words(Stream(process, "b", "a", "*").read()) == ["connected", "~1", "+1"]


# 5. A page from the store is one atomic read of a range of the log with the floors. The position becomes the last number
#    examined; a floor above the former position is a `reset` of that channel, also in the middle of a replay.


def test_fine_print_5_a_position_is_the_last_number_examined(broker: ModelBroker, process: Process) -> None:
    publish(broker, "a")
    for _ in range(3):
        publish(broker, "other")
    stream = Stream(small(process), "a", cursor="e1-0")
    assert words(stream.read()) == ["connected", "1", "+4"]
    assert stream.parser.last_event_id == "e1-4"


def test_fine_print_5_a_loss_in_the_middle_of_a_replay(broker: ModelBroker, process: Process) -> None:
    large = {"fill": "x" * (PIECE_BYTES // 2)}
    for _ in range(6):
        publish(broker, "a", data={"n": broker.last + 1, **large})
    stream = Stream(small(process), "a", cursor="e1-0")
    while not words(seen := stream.frames()):
        stream.turn()
    stream.turn()
    seen += stream.frames()
    broker.remove_oldest(5)
    seen += stream.read()
    assert words(seen) == ["connected", "1", "reset a", "+6"]
    assert data(seen[2])["reason"] == "history_truncated"


# 6. An event of several channels goes when the first of them lets it go, and raises the floors of all. An event's `ttl`
#    ends its replay, and raises no floor. (That no key of the log expires in Redis: tests/contract.)


def test_fine_print_6_an_event_of_several_channels_goes_for_all(tmp_path: Path, clock: FakeClock) -> None:
    store = EmbeddedBroker(tmp_path, clock=clock, bounds=Bounds(per_channel=1))
    store.open()
    try:
        for channels in (("a", "b"), ("b",), ("a",)):
            store.publish([event(0, *channels)])
        store.tip()
        page = store.read(0, 10, 10**6)
        assert numbers(page.events) == [2, 3]
        assert (page.floor, dict(page.floors)) == (0, {"a": 1, "b": 1})
    finally:
        store.close()


def test_fine_print_6_a_ttl_raises_no_floor(broker: ModelBroker, process: Process, clock: FakeClock) -> None:
    publish(broker, "a", ttl=5.0)
    publish(broker, "a")
    process.deliver()
    clock.advance(6)
    assert words(Stream(process, "a", cursor="e1-0").read()) == ["connected", "2", "+2"]


# 7. `reset` names the affected of `connected.channels`, which lists all that is subscribed, the implicit ones too. After
#    `epoch_changed` an open stream goes on from number 0 of the new epoch, a reconnect from the tip.


def test_fine_print_7_the_implicit_channels_are_named_too(process: Process) -> None:
    query = parse_query({"channels": "a,b*"}, None, 100)
    wish: Subscription = subscription_of(query, ("a", "b*"), everything=False, defaults=(), own="user:7")
    connected, reset, *_ = Stream(process, subscription=wish, cursor="junk").read()
    assert data(connected)["channels"] == ["a", "b*", "user:7"]
    assert data(reset) == {"reason": "unknown_cursor", "channels": ["a", "b*", "user:7"]}


def test_fine_print_7_an_open_stream_from_the_beginning_and_a_reconnect_from_the_tip(
    broker: ModelBroker, process: Process
) -> None:
    publish(broker, "a")
    process.deliver()
    stream = Stream(process, "a")
    stream.read()
    broker.begin_epoch()
    for _ in range(2):
        publish(broker, "a")
    process.catch_up()
    assert words(stream.read()) == ["reset a", "1", "2", "+2"]
    assert words(Stream(process, "a", cursor="e1-1").read()) == ["connected", "reset a", "+2"]


# 8. A feed message of another epoch is never taken as the next number.


@pytest.mark.parametrize("epoch", ["e0", "e2"])
def test_fine_print_8_a_message_of_another_epoch_is_never_the_next(process: Process, epoch: str) -> None:
    process.follower.accept(epoch, 1, [event(1, "a")])
    assert process.hub.last == 0
    assert process.follower.wants_to_heal
