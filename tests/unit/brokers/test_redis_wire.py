"""What goes to the scripts and comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.brokers.redis_wire import decode_answer, decode_message, decode_page, decode_snapshot, encode_call
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.publisher import Once
from hermes.errors import Conflict


def event(data: bytes = b"1", **fields: object) -> Event:
    return Event(("a", "b"), "message", data, 1000, **fields)  # type: ignore[arg-type]


def test_a_call() -> None:
    events = [event(), event(key="k"), event(b"null", key="k")]
    args = encode_call(events, Once("call", "d0"), {1: Once("one", "d1")})
    assert args[:3] == ["call", "d0", 3]
    assert args[3:8] == [events[0].record(), "a,b", "", "", ""]
    assert args[8:13] == [events[1].record(), "a,b", "=k", "one", "d1"]
    assert args[13:] == [events[2].record(), "a,b", "-k", "", ""], "null removes"
    assert encode_call(events[:1], None, None)[:3] == ["", "", 1]


def test_answers() -> None:
    assert decode_answer("e1-7*1") == [Cursor("e1", 7)]
    assert decode_answer("e1-7*3,e0-2*1,e1-10*2") == [
        Cursor("e1", 7), Cursor("e1", 8), Cursor("e1", 9), Cursor("e0", 2), Cursor("e1", 10), Cursor("e1", 11),
    ]  # fmt: skip


def test_conflicts() -> None:
    with pytest.raises(Conflict, match="the idempotency key was"):
        decode_answer("!0")
    with pytest.raises(Conflict, match=r"events\[2\]"):
        decode_answer("!3")


@given(st.lists(st.binary(max_size=50)))
def test_messages_keep_their_bytes(contents: list[bytes]) -> None:
    records = [event(content).record() for content in contents]
    head = " ".join(["epoch1", "42", *(str(len(record)) for record in records)])
    epoch, first, events = decode_message(head.encode() + b"\n" + b"".join(records))
    assert (epoch, first) == ("epoch1", 42)
    assert [one.data for one in events] == contents
    assert [one.number for one in events] == list(range(42, 42 + len(contents)))


@pytest.mark.parametrize("message", [b"", b"e\n", b"e x\n", b"e 1 4\nabc", b"e 1 2\nabc", b"e 1 -1\n"])
def test_a_message_that_is_none(message: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode_message(message)


def test_a_page() -> None:
    record = event(b'"\n"').record()
    page = decode_page([b"e", b"9", b"2", b"7", [b"\xc3\xa9", b"4"], [b"7", b"123 a,b\n" + record]], 3)
    assert (page.epoch, page.after, page.last, page.tip, page.floor) == ("e", 3, 7, 9, 2)
    assert page.floors == {"é": 4}
    assert [(one.number, one.record()) for one in page.events] == [(7, record)]


def test_a_snapshot() -> None:
    old, new = event(key="x").record(), event(b"2", key="y").record()
    answer = [b"e2", b"5", b"a", [b"8 e2 4\n" + new, b"3 e1 900\n" + old], b"b", [b"8 e2 4\n" + new]]
    snapshot = decode_snapshot(answer)
    assert (snapshot.epoch, snapshot.tip) == ("e2", 5)
    assert [(entry.event.number, entry.channels) for entry in snapshot.entries] == [(0, ("a",)), (4, ("a", "b"))]
    assert [entry.event.record() for entry in snapshot.entries] == [old, new]
