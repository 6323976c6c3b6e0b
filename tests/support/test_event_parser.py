"""The parser against the standard's own examples (section 9.2.6) and its fine print, whole and byte by byte."""

import pytest

from tests.support.event_parser import EventParser

CASES = {
    "one event": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", None)]),
    "comment, ids, an incomplete last event": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        [("message", "first event", "1"), ("message", "second event", "")],
    ),
    "empty data": (b"data\n\ndata\ndata\n\ndata:", [("message", "", None), ("message", "\n", None)]),
    "one space is taken": (b"data:test\n\ndata: test\n\n", [("message", "test", None)] * 2),
    "an event type without data": (b"event: a\n\ndata: b\n\n", [("message", "b", None)]),
    "line ends": (b"data: a\r\rdata: b\r\n\r\ndata: c\n\n", [("message", c, None) for c in "abc"]),
    "BOM once": (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [("message", "a", None)]),
    "other line separators are data": ("data: a\u2028b\x85c\n\n".encode(), [("message", "a\u2028b\x85c", None)]),
    "an id with NUL is ignored": (b"id: a\0b\ndata: x\n\n", [("message", "x", None)]),
    "bad UTF-8": (b"data: \xff\n\n", [("message", "\ufffd", None)]),
    "the last of each": (b"event: a\nevent: b\nid: 1\nid: 2\ndata: x\n\n", [("b", "x", "2")]),
}


@pytest.mark.parametrize("piece", [1, 2, 3, 10_000])
@pytest.mark.parametrize("name", CASES)
def test_standard(name: str, piece: int) -> None:
    text, wanted = CASES[name]
    parser = EventParser()
    frames = [frame for i in range(0, len(text), piece) for frame in parser.feed(text[i : i + piece])]
    assert [(frame["event"], frame["data"], frame["id"]) for frame in frames] == wanted


def test_last_event_id_is_kept_and_moves_only_with_a_whole_event() -> None:
    parser = EventParser("7")
    parser.feed(b"data: a\n\nid: 8\n\nid: 9\ndata: b\n")
    assert parser.last_event_id == "8"
    parser.feed(b"\n")
    assert parser.last_event_id == "9"
    parser.feed(b"id\ndata: c\n\n")
    assert parser.last_event_id == ""


@pytest.mark.parametrize(("line", "retry"), [("300", 300), ("3s", None), ("-1", None), ("", None), ("٣", None)])
def test_retry_is_ascii_digits(line: str, retry: int | None) -> None:
    parser = EventParser()
    parser.feed(f"retry: {line}\n".encode())
    assert parser.retry == retry


def test_extra_lines() -> None:
    (frame,) = EventParser().feed(b"channel: c\ntime: t\nretained: 1\ndata: x\n\n")
    assert (frame["channel"], frame["time"], frame["retained"]) == ("c", "t", True)
