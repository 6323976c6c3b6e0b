"""The wire format: the parser against the standard's own words, whatever the bytes and wherever they are cut."""

import time
from itertools import pairwise

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermes.core.sse import MAX_FRAME, Frame, Parser, control_frame, heartbeat_frame
from tests.unit.core.whatwg import Outcome, interpret

TOKENS = [
    *(b"data", b"id", b"event", b"retry", b"channel", b":", b": ", b"data: x", b"id: 7", b"retry: 10", b"event: t"),
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r",
        b" ",
        b"\0",
        b"1",
        "é".encode(),
        "²".encode(),
        "\u2028".encode(),
    ),
    *(b"\xef\xbb\xbf", b"\xff", b"\xe2\x80", b"\x85"),
]
streams = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3)), max_size=25).map(b"".join)


def parse(pieces: list[bytes]) -> Outcome:
    parser = Parser()
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    events = [(frame.type, frame.text, frame.id) for frame in frames]
    return Outcome(events, parser.last_event_id, parser.retry_ms)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place <= len(stream)), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(edges)]


@given(streams, st.lists(st.integers(0, 60), max_size=10))
@example(b"data: x\r\n\ndata: y\n\n", [8, 9])
@example(b"data: x\r\n\n", [8, 8, 9])
@example(b"\xef\xbb\xbfdata: x\n\n", [1, 2])
@example(b"data: \xe2\x80\xa8\n\n", [7, 8])
def test_as_the_standard_says(stream: bytes, places: list[int]) -> None:
    assert parse(cut(stream, places)) == interpret(stream)


@given(streams)
def test_byte_by_byte(stream: bytes) -> None:
    assert parse([stream[place : place + 1] for place in range(len(stream))]) == interpret(stream)


def test_further_fields_are_kept() -> None:
    stream = b"channel: a\nretained: 1\ndata: x\n\ndata: y\n\n"
    assert [frame.fields for frame in Parser().feed(stream)] == [{"channel": "a", "retained": "1"}, {}]


def test_the_data_of_a_frame() -> None:
    assert Frame("t", '{"a":[1]}', "").data == {"a": [1]}
    with pytest.raises(ValueError, match="unexpected end"):
        _ = Frame("t", "{", "").data


def test_a_stream_of_single_bytes_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        parser = Parser()
        begun = time.process_time()
        for _ in range(size):
            list(parser.feed(b"x"))
        return time.process_time() - begun

    seconds(1000)
    small = min(seconds(20_000) for _ in range(3))
    assert seconds(200_000) < 40 * small  # 100 times if each byte cost the length of the line


@pytest.mark.parametrize(
    "piece",
    [b"x" * 1000, b"data: " + b"x" * 1000 + b"\n", b"data\n" * 200, b"a: 1\n" * 200, b"retry: 1\n" * 200],
    ids=["one line", "data", "empty data", "other fields", "retry"],
)
def test_a_frame_without_end_is_refused(piece: bytes) -> None:
    with pytest.raises(ValueError, match="a frame is over"):
        parse([piece] * (3 * MAX_FRAME // 1000))


def test_comments_and_frames_have_no_end() -> None:
    parser = Parser()
    for _ in range(3 * MAX_FRAME // 1000):
        list(parser.feed(b":" + b"x" * 998 + b"\n"))
    for _ in range(3 * MAX_FRAME // 1000):
        assert len(list(parser.feed(b"data: " + b"x" * 992 + b"\n\n"))) == 1


@pytest.mark.parametrize("digits", [1, 4, 5000])
def test_no_retry_is_an_error(digits: int) -> None:
    parser = Parser()
    list(parser.feed(b"retry: 5\nretry: " + b"9" * digits + b"\n"))
    assert parser.retry_ms == (5 if digits > 12 else int("9" * digits))


# What the server writes itself


def test_the_first_frame() -> None:
    frame = control_frame("connected", {"a": 1}, retry_ms=2000)
    assert frame == b'event: connected\nretry: 2000\ndata: {"a":1}\n\n'


def test_a_frame_with_an_id() -> None:
    assert control_frame("close", {}, cursor="e-7") == b"event: close\nid: e-7\ndata: {}\n\n"


def test_a_heartbeat() -> None:
    frame = heartbeat_frame("e-7", "2026-11-20T19:18:04.123Z")
    assert frame == b'event: heartbeat\nid: e-7\ndata: {"timestamp":"2026-11-20T19:18:04.123Z"}\n\n'
    assert orjson.loads(frame.split(b"data: ")[1])
