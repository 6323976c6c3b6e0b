"""One stream from its first frame to its close reason."""

import orjson
import pytest

from hermes.core.filter import compile_filter
from hermes.core.subscription import Subscription
from hermes.streaming.listener import (
    CONFLATION_EVENTS,
    PIECE_BYTES,
    RECONNECTING,
    STORE_PAUSE,
    CloseReason,
    Pace,
    jittered,
)
from hermes.testing import FakeClock
from tests.unit.events import event
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import EVERYTHING, PACE, Stream, data, words

LANES = pytest.mark.parametrize("direct", [False, True], ids=["portable", "direct"])


# The first frame


def test_connected_says_what_the_stream_is(process: Process, publish: Publish) -> None:
    publish("a")
    stream = Stream(process, "b", "a*", user_id="7", ids=("c1", "c0"))
    (connected, _) = stream.read()
    assert data(connected) == {
        "connection_id": "c1",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "channels": ["b", "a*"],
        "user_id": "7",
        "heartbeat_interval": 30.0,
        "cursor": "e1-1",
        "recovered": None,
    }
    assert connected["id"] is None
    assert stream.parser.retry == 2000


def test_the_first_bytes_are_a_comment_and_connected(process: Process) -> None:
    stream = Stream(process)
    stream.run()
    assert bytes(stream.member.sent).startswith(b":\n\nevent: connected\nretry: ")


# Events


@LANES
def test_events_come_as_they_are_published(process: Process, publish: Publish, direct: bool) -> None:
    stream = Stream(process, "a", direct=direct)
    stream.read()
    publish("a")
    publish("b")
    publish("a")
    assert words(stream.read()) == ["1", "3"]


@LANES
def test_types_and_filters_hold_live_and_in_the_replay(process: Process, publish: Publish, direct: bool) -> None:
    wish = Subscription(["a"], types=["x"], filter=compile_filter({"n": {"gt": 2}}))
    stream = Stream(process, subscription=wish, direct=direct)
    stream.read()
    for type_ in ("x", "y", "x", "y", "x"):
        publish("a", type=type_)
    assert words(stream.read()) == ["3", "5"]
    assert words(Stream(process, subscription=wish, cursor="e1-0").read()) == ["connected", "3", "5", "+5"]


@LANES
def test_envelope(process: Process, publish: Publish, direct: bool) -> None:
    stream = Stream(process, subscription=Subscription(["a"], envelope=True), direct=direct)
    publish("a", key="k")
    publish("a")
    again = Stream(process, subscription=Subscription(["a"], envelope=True))
    seen = [data(frame) for frame in [*stream.read(), *again.read()] if frame["event"] == "message"]
    assert [(one["id"], one["channel"], one["data"]) for one in seen] == [
        ("e1-1", "a", {"n": 1}),
        ("e1-2", "a", {"n": 2}),
        (None, "a", {"n": 1}),
    ]


@LANES
def test_exclude_holds_for_this_connection_and_the_former_one(process: Process, publish: Publish, direct: bool) -> None:
    stream = Stream(process, "a", ids=("c1", "c0"), direct=direct)
    stream.read()
    for exclude in ((), ("c1",), ("c0",), ("c2", "c0"), ("c2",)):
        publish("a", exclude=exclude)
    assert words(stream.read()) == ["1", "5"]
    again = Stream(process, "a", cursor="e1-0", ids=("c3", "c1"))
    assert words(again.read()) == ["connected", "1", "3", "4", "5", "+5"]


def test_a_ttl_ends_the_replay_and_resets_nothing(process: Process, publish: Publish, clock: FakeClock) -> None:
    """Fine print 6."""
    publish("a", ttl=5.0)
    publish("a", ttl=50.0)
    clock.advance(10)
    assert words(Stream(process, "a", cursor="e1-0").read()) == ["connected", "2", "+2"]


@LANES
def test_what_does_not_fit_is_continued_in_the_middle_of_a_frame(
    process: Process, publish: Publish, direct: bool
) -> None:
    stream = Stream(process, "a", direct=direct)
    stream.read()
    stream.member.room = 20
    publish("a")
    publish("a")
    assert words(stream.read()) == []
    stream.member.room = EVERYTHING
    assert words(stream.read()) == ["1", "2"]
    publish("a")
    assert words(stream.read()) == ["3"]


def test_pieces_are_bounded(broker: ModelBroker, process: Process) -> None:
    count = 600
    broker.publish([event(0, data="x" * 1000) for _ in range(count)])
    process.deliver()
    stream = Stream(process, "a", cursor="e1-0")
    sizes = []
    while not stream.member.parked:
        before = len(stream.member.sent)
        stream.turn()
        sizes.append(len(stream.member.sent) - before)
    assert PIECE_BYTES / 2 < max(sizes) < PIECE_BYTES + 2000
    assert words(stream.frames()) == ["connected", *map(str, range(1, count + 1)), f"+{count}"]


def test_lag(process: Process, publish: Publish) -> None:
    stream = Stream(process, "b", direct=True)
    publish("a")
    publish("a")
    assert stream.listener.lag == 2
    stream.read()
    assert stream.listener.lag == 0
    publish("a")
    assert stream.listener.lag == 0


# Heartbeats


@LANES
def test_a_heartbeat_comes_after_an_interval_without_a_frame(
    process: Process, publish: Publish, clock: FakeClock, direct: bool
) -> None:
    stream = Stream(process, "a", direct=direct)
    stream.read()
    clock.advance(20)
    publish("a")
    stream.read()
    clock.advance(20)
    stream.run(timed_out=True)
    assert stream.frames() == []
    assert stream.member.timeout == 10
    clock.advance(10)
    stream.run(timed_out=True)
    frames = stream.frames()
    assert words(frames) == ["+1"]
    assert data(frames[0]) == {"timestamp": "2027-01-15T08:00:50.000Z"}
    assert stream.member.timeout == 30


@LANES
def test_the_heartbeat_of_a_quiet_stream_says_what_it_has_examined(
    process: Process, publish: Publish, clock: FakeClock, direct: bool
) -> None:
    stream = Stream(process, "quiet", direct=direct)
    stream.read()
    for _ in range(3):
        publish("a")
    clock.advance(30)
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["+3"]


def test_a_quiet_live_stream_reads_nothing_again(process: Process, publish: Publish, clock: FakeClock) -> None:
    """Its position after the wait is what was dispatched: it does not look through the log for a heartbeat."""
    small = Process(process.broker, clock, tail_size=2).start()
    stream = Stream(small, "quiet", direct=True)
    stream.read()
    for _ in range(5):
        publish("a")
        small.deliver()
        small.dispatch()
    process.broker.remove_oldest(5)
    process.broker.calls.clear()
    clock.advance(30)
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["+5"]
    assert process.broker.calls == []


def test_the_heartbeat_of_a_stream_that_is_ahead_says_its_own_position(
    process: Process, publish: Publish, clock: FakeClock
) -> None:
    publish("a")
    publish("a", arrive=False)
    stream = Stream(process, "a", cursor="e1-2")
    stream.read()
    clock.advance(30)
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["+2"]


def test_no_heartbeat_between_the_pieces_of_a_page(broker: ModelBroker, process: Process, clock: FakeClock) -> None:
    """Its id would be that of the page's end."""
    broker.publish([event(0, data="x" * 50_000) for _ in range(4)])
    process.deliver()
    stream = Stream(process, "a", cursor="e1-0", latest=True)
    for _ in range(4):
        clock.advance(40)
        stream.turn()
    assert words(stream.frames()) == ["connected", "1", "2", "3", "4", "+4"]


# The end


@pytest.mark.parametrize("reason", [reason for reason in CloseReason if reason is not CloseReason.GONE])
def test_every_end_has_a_frame(process: Process, reason: CloseReason) -> None:
    stream = Stream(process)
    stream.read()
    stream.listener.close(reason)
    frames = stream.read()
    assert data(frames[-1]) == {"reason": reason.value, "reconnect": reason in RECONNECTING}
    assert stream.listener.ended
    assert stream.listener.next_piece() is None
    assert frames[-1]["id"] is None
    assert words(frames) == (["error", "close"] if reason is CloseReason.ERROR else ["close"])


def test_a_client_that_left_gets_nothing(process: Process) -> None:
    stream = Stream(process)
    stream.read()
    stream.listener.close(CloseReason.GONE)
    assert stream.read() == []
    assert stream.listener.ended


def test_the_first_reason_wins(process: Process) -> None:
    stream = Stream(process)
    stream.read()
    stream.listener.close(CloseReason.KICKED)
    stream.listener.close(CloseReason.DRAIN)
    assert data(stream.read()[-1])["reason"] == "kicked"


@pytest.mark.parametrize(
    ("reason", "retry", "told"),
    [(CloseReason.DRAIN, 7.5, 7500), (CloseReason.DRAIN, None, 2000), (CloseReason.KICKED, None, None)],
)
def test_how_long_to_wait(process: Process, reason: CloseReason, retry: float | None, told: int | None) -> None:
    stream = Stream(process)
    stream.read()
    stream.parser.retry = None
    stream.listener.close(reason, retry)
    stream.read()
    assert stream.parser.retry == told


@LANES
def test_nothing_comes_after_a_revocation(broker: ModelBroker, process: Process, direct: bool) -> None:
    """Scenario 21: not even what was about to be sent; the client's cursor stands before it."""
    broker.publish([event(0, data="x" * 50_000) for _ in range(6)])
    process.deliver()
    stream = Stream(process, "a", cursor="e1-0", direct=direct)
    stream.turn()
    stream.turn()
    stream.listener.close(CloseReason.REVOKED)
    seen = words(stream.read())
    assert seen[-1] == "close"
    assert len(seen) < 6
    assert stream.parser.last_event_id == f"e1-{seen[-2]}"


@LANES
def test_a_live_stream_is_woken_for_its_end(process: Process, direct: bool) -> None:
    stream = Stream(process, direct=direct)
    stream.read()
    assert stream.member.parked
    stream.listener.close(CloseReason.KICKED)
    assert words(stream.read()) == ["close"]
    assert process.hub.subscribers == 0


@LANES
def test_a_stream_ends_at_its_maximal_age(process: Process, publish: Publish, clock: FakeClock, direct: bool) -> None:
    stream = Stream(process, direct=direct, pace=PACE._replace(max_age=40.0))
    stream.read()
    clock.advance(39)
    publish("a")
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["1"]
    assert stream.member.timeout == 1
    clock.advance(1)
    stream.run(timed_out=True)
    assert words(stream.frames()) == ["close"]
    assert stream.listener.close_reason is CloseReason.MAX_AGE


def test_what_nobody_thought_of_ends_the_stream_with_a_word(
    process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(process)
    stream.read()
    monkeypatch.setattr(process.store, "page", None)
    publish("a")
    frames = stream.read()
    assert words(frames) == ["error", "close"]
    assert data(frames[0])["code"] == "INTERNAL_ERROR"
    assert data(frames[1]) == {"reason": "error", "reconnect": True}


def test_jitter_is_by_half() -> None:
    spread = [jittered(10) for _ in range(500)]
    assert 5 <= min(spread) < 6
    assert 14 < max(spread) <= 15


# Beginning again


def test_a_loss_in_the_middle_of_a_replay(broker: ModelBroker, process: Process, publish: Publish) -> None:
    """Fine print 5: a floor above the position is a reset, also between two pages."""
    small = Process(broker, process.clock, tail_size=1).start()
    publish("a", key="k")
    for index in range(600):
        publish("a" if index % 2 else "b", data={"n": index, "fill": "x" * 1000})
    small.catch_up()
    stream = Stream(small, "a", "b", cursor="e1-0")
    while len(stream.member.sent) < PIECE_BYTES:
        stream.turn()
    for _ in range(250):
        broker.remove_oldest_of("a")
    seen = words(stream.read())
    cut = seen.index("reset a")
    before, after = seen[1:cut], seen[cut + 2 : -1]
    assert before == [str(number) for number in range(1, int(before[-1]) + 1)]
    assert after == [str(number) for number in range(int(before[-1]) + 1, 602) if number % 2 == 0]
    assert seen[cut + 1] == "~1"
    assert seen[-1] == "+601"


def test_state_that_is_still_to_come_survives_a_loss(broker: ModelBroker, process: Process, publish: Publish) -> None:
    for channel, key in (("a", "k"), ("b", "k"), ("a", None)):
        publish(channel, key=key)
    small = Process(broker, process.clock, tail_size=1).start()
    stream = Stream(small, "a", "b", cursor="e1-0", retained="1")
    broker.remove_oldest_of("a")
    assert words(stream.read()) == ["connected", "reset a", "~1", "2", "~2", "+3"]


def test_state_that_was_to_come_is_void_in_a_new_epoch(broker: ModelBroker, process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a", arrive=False)
    stream = Stream(process, "a", cursor="e1-0", retained="1")
    broker.begin_epoch(keep_state=False)
    process.catch_up()
    assert words(stream.read()) == ["connected", "reset a", "+0"]


@pytest.mark.parametrize("keep_state", [True, False])
@LANES
def test_an_open_stream_goes_on_from_the_beginning_of_a_new_epoch(
    broker: ModelBroker, process: Process, publish: Publish, keep_state: bool, direct: bool
) -> None:
    """Fine print 7."""
    publish("a", key="k")
    stream = Stream(process, "a", "b", direct=direct)
    stream.read()
    broker.begin_epoch(keep_state=keep_state)
    for channel in ("a", "b", "c"):
        publish(channel)
    process.catch_up()
    frames = stream.read()
    assert words(frames) == ["reset a,b", *(["~1"] if keep_state else []), "1", "2", "+3"]
    assert data(frames[0]) == {"reason": "epoch_changed", "channels": ["a", "b"]}
    assert [frame["id"] for frame in frames][-1] == "e2-3"
    publish("a")
    assert words(stream.read()) == ["4"]


def test_a_new_epoch_that_has_already_lost_events(broker: ModelBroker, process: Process, publish: Publish) -> None:
    stream = Stream(process, "a", "b")
    stream.read()
    broker.begin_epoch()
    publish("a", key="k")
    publish("b")
    publish("a")
    broker.remove_oldest_of("a")
    process.catch_up()
    assert words(stream.read()) == ["reset a,b", "~1", "2", "+3"]


def test_a_reconnect_goes_on_from_the_tip_of_a_new_epoch(
    broker: ModelBroker, process: Process, publish: Publish
) -> None:
    """Fine print 7."""
    publish("a")
    broker.begin_epoch()
    publish("a")
    publish("a")
    process.catch_up()
    assert words(Stream(process, "a", cursor="e1-1").read()) == ["connected", "reset a", "+2"]


def test_a_jump_of_the_process_is_healed_by_the_stream_itself(
    broker: ModelBroker, process: Process, publish: Publish
) -> None:
    """The process missed something that is gone; what this stream had of it is not."""
    stream = Stream(process, "a", direct=True)
    stream.read()
    for channel in ("noisy", "a", "noisy"):
        publish(channel, arrive=False)
    broker.remove_oldest_of("noisy")
    process.catch_up()
    assert process.follower.resets == 1
    assert words(stream.read()) == ["2"]
    publish("a")
    assert words(stream.read()) == ["4"]


# The store is away


@LANES
def test_a_stream_outlives_a_store_that_is_away(
    broker: ModelBroker, process: Process, publish: Publish, clock: FakeClock, direct: bool
) -> None:
    small = Process(broker, clock, tail_size=1).start()
    for _ in range(3):
        publish("a")
    small.catch_up()
    stream = Stream(small, "a", cursor="e1-0", direct=direct)
    broker.away = True
    for _ in range(8):
        clock.advance(STORE_PAUSE * 10)
        stream.turn()
    assert words(stream.frames()) == ["connected", "+0"]
    assert stream.member.paused
    assert not stream.listener.ended
    broker.away = False
    assert words(stream.read()) == ["1", "2", "3", "+3"]


def test_an_end_is_heard_while_the_store_is_away(broker: ModelBroker, process: Process, publish: Publish) -> None:
    small = Process(broker, process.clock, tail_size=1).start()
    for _ in range(3):
        publish("a")
    small.catch_up()
    stream = Stream(small, "a", cursor="e1-0")
    broker.away = True
    stream.turn()
    stream.turn()
    stream.listener.close(CloseReason.DRAIN)
    assert words(stream.read()) == ["connected", "close"]


# Conflation


def test_of_keyed_events_that_were_missed_only_the_newest_comes(process: Process, publish: Publish) -> None:
    for channel, key in (("a", "k"), ("a", None), ("a", "l"), ("b", "k"), ("a", "k"), ("a", None), ("a", "k")):
        publish(channel, key=key)
    assert words(Stream(process, "a", "b", cursor="e1-0", latest=True).read()) == [
        *("connected", "2", "3", "4", "6", "7", "+7")
    ]
    assert words(Stream(process, "a", "b", cursor="e1-0").read()) == [
        *("connected", "1", "2", "3", "4", "5", "6", "7", "+7")
    ]


def test_what_is_live_is_not_held_back(process: Process, publish: Publish) -> None:
    stream = Stream(process, "a", latest=True, direct=True)
    stream.read()
    for _ in range(3):
        publish("a", key="k")
    assert words(stream.read()) == ["1", "2", "3"]


def test_a_slow_reader_of_the_latest_gets_less(process: Process, publish: Publish) -> None:
    stream = Stream(process, "a", latest=True, direct=True)
    stream.read()
    stream.member.room = 1
    for _ in range(5):
        publish("a", key="k")
    stream.member.room = EVERYTHING
    assert words(stream.read()) == ["1", "5"]


def test_a_client_that_leaves_in_the_middle_still_gets_the_newest(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a")
    publish("a", key="k", data={"n": 3, "fill": "x" * 100})
    stream = Stream(process, "a", cursor="e1-0", latest=True)
    stream.run()
    seen = stream.frames(limit=bytes(stream.member.sent).index(b"fill"))
    assert words(seen) == ["connected", "2"]
    assert words(Stream(process, "a", cursor="e1-2", latest=True).read()) == ["connected", "3", "+3"]


def test_how_far_conflation_looks_ahead(broker: ModelBroker, process: Process, clock: FakeClock) -> None:
    wide = Process(broker, clock, tail_size=3 * CONFLATION_EVENTS).start()
    for _ in range(12):
        broker.publish([event(0, key="k") for _ in range(1000)])
    wide.deliver()
    seen = words(Stream(wide, "a", cursor="e1-0", latest=True).read())
    assert seen == ["connected", "5000", "10000", "12000", "+12000"]


def test_a_key_that_was_removed_is_told(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a", key="k", data=orjson.Fragment(b"null"))
    frames = Stream(process, "a", cursor="e1-0", latest=True).read()
    assert [frame["data"] for frame in frames[1:-1]] == ["null"]


def test_a_pace_is_in_seconds() -> None:
    assert Pace(30.0, 2.0, 0.0) == PACE
