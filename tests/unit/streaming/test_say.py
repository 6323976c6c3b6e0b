"""Frames beside the log: to one stream, on either lane, whatever it is doing, and never into another frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.streaming.listener import MOST_SAID, CloseReason
from hermes.testing import FakeClock
from tests.unit.events import event
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, data

FRAME = b'event: hello\ndata: "you"\n\n'
LANES = pytest.mark.parametrize("direct", [True, False])


def types(stream: Stream) -> list[str]:
    return [str(frame["event"]) for frame in stream.read()]


@LANES
def test_a_stream_that_waits(process: Process, direct: bool) -> None:
    stream = Stream(process, direct=direct)
    stream.read()
    assert stream.listener.say(FRAME)
    frames = stream.read()
    assert [(frame["event"], data(frame), frame["id"]) for frame in frames] == [("hello", "you", None)]


@LANES
def test_never_before_the_opening_frame(process: Process, direct: bool) -> None:
    stream = Stream(process, direct=direct)
    assert stream.listener.say(FRAME)
    assert types(stream) == ["connected", "hello", "heartbeat"]


@LANES
def test_the_cursor_stays_where_it_is(process: Process, publish: Publish, direct: bool) -> None:
    stream = Stream(process, direct=direct)
    publish("a")
    stream.read()
    cursor = stream.parser.last_event_id
    stream.listener.say(FRAME)
    stream.read()
    assert stream.parser.last_event_id == cursor
    publish("a")
    assert [frame["id"] for frame in stream.read()] == ["e1-2"]


@LANES
def test_one_that_is_behind_gets_it_between_two_pieces(process: Process, broker: ModelBroker, direct: bool) -> None:
    broker.publish([event(number, "a") for number in range(1, 601)])
    process.deliver()
    stream = Stream(process, cursor="earliest", direct=direct)
    stream.turn()
    stream.listener.say(FRAME)
    frames = stream.read()
    numbers = [frame["id"] for frame in frames if frame["event"] == "message"]
    assert numbers == [f"e1-{number}" for number in range(1, 601)]
    assert [frame["event"] for frame in frames].count("hello") == 1


def test_a_socket_that_takes_little(process: Process, publish: Publish) -> None:
    stream = Stream(process, direct=True)
    stream.read()
    stream.member.room = 10
    publish("a")
    assert stream.member.owed
    stream.listener.say(FRAME)
    seen = []
    for _ in range(200):
        stream.member.room = 3
        stream.run(timed_out=True)
        seen += stream.frames()
    assert [frame["event"] for frame in seen] == ["message", "hello"]


def test_who_ends_takes_nothing(process: Process) -> None:
    stream = Stream(process)
    stream.read()
    stream.listener.close(CloseReason.KICKED)
    assert not stream.listener.say(FRAME)
    assert types(stream) == ["close"]
    assert not stream.listener.say(FRAME)


def test_so_many_may_wait(process: Process) -> None:
    stream = Stream(process)
    stream.read()
    said = [stream.listener.say(FRAME) for _ in range(MOST_SAID + 5)]
    assert said == [True] * MOST_SAID + [False] * 5
    assert types(stream) == ["hello"] * MOST_SAID
    assert stream.listener.say(FRAME)


@given(
    steps=st.lists(st.sampled_from(["publish", "say", "turn", "dispatch", "room"]), max_size=40),
    direct=st.booleans(),
    size=st.integers(1, 60),
)
def test_in_any_order_every_frame_is_whole(steps: list[str], direct: bool, size: int) -> None:
    clock, broker = FakeClock(), ModelBroker()
    process = Process(broker, clock).start()
    stream = Stream(process, direct=direct)
    said = 0
    for step in steps:
        match step:
            case "publish":
                broker.publish([event(broker.last + 1, "a")])
                process.deliver()
            case "say":
                said += stream.listener.say(FRAME)
            case "turn":
                stream.turn(timed_out=True)
            case "dispatch":
                process.dispatch()
            case _:
                stream.member.room = size
    stream.member.room = 10**9
    for _ in range(3):
        process.dispatch()
        stream.run(timed_out=True)
    frames = stream.frames()
    assert [frame["event"] for frame in frames].count("hello") == said
    events = [frame["id"] for frame in frames if frame["event"] == "message"]
    assert events == [f"e1-{number}" for number in range(1, broker.last + 1)]
    assert {str(frame["event"]) for frame in frames} <= {"connected", "heartbeat", "hello", "message"}
