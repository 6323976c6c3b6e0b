"""The connections of one process: what the fleet is told of them, how they are ended, how one of them is sent something."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import orjson
import pytest

from hermes.core.clock import milliseconds
from hermes.core.filter import compile_filter
from hermes.core.subscription import Subscription
from hermes.fleet.base import MOST_RECORD, MOST_SAID
from hermes.fleet.company import Company
from hermes.streaming import connections as connections_module
from hermes.streaming.bearer import Bearer
from hermes.streaming.connections import COUNT, FRESH, ONE, SEND, Connections, sending
from hermes.streaming.listener import CloseReason
from hermes.streaming.poll import Poll
from hermes.streaming.records import DETAIL_CHARACTERS, RECORD_CHARACTERS, detail, record
from hermes.streaming.registry import Registry
from hermes.testing import FakeClock
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, data


class Here:
    """A process with connections."""

    def __init__(self, process: Process, clock: FakeClock) -> None:
        self.process = process
        self.registry = Registry(process.hub, 10_000)
        self.revoked: set[str | None] = set()
        self.connections = Connections(
            self.registry, lambda: milliseconds(clock.now()), lambda *ids: self.revoked.isdisjoint(ids)
        )
        self.company = Company("p1", lambda: None)  # type: ignore[arg-type,return-value]  # nobody else is asked
        self.connections.listen(self.company)

    def open(self, name: str, bearer: Bearer | None = None, *items: str, direct: bool = False, **more: Any) -> Stream:
        stream = Stream(self.process, *items, ids=(name,), direct=direct, **more)
        if bearer is not None:
            stream.listener.bearer = bearer
        self.registry.add(stream.listener)
        stream.read()
        return stream

    def ask(self, name: str, question: Any) -> Any:
        answer = self.company.ask("p1", name, orjson.dumps(question))
        return None if answer is None else orjson.loads(answer)

    def send(self, name: str, data: bytes) -> Any:
        return orjson.loads(self.company.ask("p1", SEND, sending(name, "hello", data)) or b"null")


@pytest.fixture
def here(process: Process, clock: FakeClock) -> Iterator[Here]:
    return Here(process, clock)


def ann(key: str | None = None, token: str | None = None) -> Bearer:
    return Bearer("user:ann", "ann", key, token, "192.0.2.1")


# Records


def test_what_is_told_of_a_stream(here: Here, clock: FakeClock) -> None:
    subscription = Subscription(("a", "b*"), ("tick", "job.*"), compile_filter({"status": "failed"}))
    stream = here.open("c1", ann(), subscription=subscription)
    assert record(stream.listener) == {
        "connection_id": "c1",
        "user_id": "ann",
        "principal": "user:ann",
        "address": "192.0.2.1",
        "channels": ["a", "b*"],
        "types": ["tick", "job.*"],
        "filters": {"status": "failed"},
        "connected_at": "2027-01-15T08:00:00.000Z",
    }


def test_what_is_told_is_bounded(here: Here) -> None:
    names = tuple(f"{number:03}" + "\U0001f600" * 252 for number in range(100))
    stream = here.open("c1", ann(), subscription=Subscription(names, names[:50]))
    for told, characters, most in ((record, RECORD_CHARACTERS, MOST_RECORD), (detail, DETAIL_CHARACTERS, MOST_SAID)):
        for list_ in ("channels", "types"):
            cut = told(stream.listener)[list_]
            assert characters - 255 < sum(map(len, cut)) <= characters
            assert cut == list(names[: len(cut)])
        assert len(orjson.dumps(told(stream.listener))) < most


def test_changes_are_told_once(here: Here) -> None:
    here.open("c1", ann())
    gone = here.open("c2", ann())
    told = here.connections.take_changes()
    assert list(told) == ["c1", "c2"]
    assert orjson.loads(told["c1"] or b"null")["connection_id"] == "c1"
    assert here.connections.take_changes() == {}
    here.registry.remove(gone.listener)
    assert here.connections.take_changes() == {"c2": None}


def test_who_came_and_went_at_once_is_gone(here: Here) -> None:
    here.registry.remove(here.open("c1").listener)
    assert here.connections.take_changes() == {"c1": None}


def test_a_storm_is_told_bit_by_bit(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "CHANGES", 2)
    for number in range(5):
        here.open(f"c{number}")
    assert [len(here.connections.take_changes()) for _ in range(4)] == [2, 2, 1, 0]


def test_all_is_told_again_after_the_store_forgot(here: Here) -> None:
    for number in range(3):
        here.open(f"c{number}")
    told = here.connections.take_changes()
    assert here.connections.all_records() == told


def test_it_reports_how_many(here: Here) -> None:
    for number in range(3):
        here.open(f"c{number}")
    assert here.connections.report() == b"3"
    here.connections.hear({"p2": b"7", "p3": b"0"})
    assert here.connections.others == {"p2": 7, "p3": 0}


# Ends


@pytest.mark.parametrize(
    ("match", "ended"),
    [
        ({"user_id": "ann"}, ["c1", "c2"]),
        ({"connection_id": "c2"}, ["c2"]),
        ({"connection_id": "c2", "user_id": "bob"}, []),
        ({"connection_id": "c9"}, []),
        ({"key_id": "k1"}, ["c1", "c3"]),
        ({"token_id": "t2"}, ["c2"]),
        ({"user_id": "ann", "key_id": "k1"}, ["c1"]),
        ({"user_id": "nobody"}, []),
        ({}, []),
        ({"user_id": None}, []),
        ({"unknown": "x"}, []),
    ],
)
def test_who_is_meant(here: Here, match: dict[str, Any], ended: list[str]) -> None:
    here.open("c1", ann(key="k1"))
    here.open("c2", ann(token="t2"))
    here.open("c3", Bearer("key:k1", None, "k1"))
    assert here.connections.count(match) == len(ended)
    assert here.connections.end(match, CloseReason.KICKED) == len(ended)
    assert [one.connection_id for one in here.registry if one.close_reason] == ended


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("command", ["kick", "revoke"])
def test_a_client_is_told_not_to_come_back(here: Here, command: str, direct: bool) -> None:
    stream = here.open("c1", ann(), direct=direct)
    getattr(here.connections, command)({"user_id": "ann"})
    frames = stream.read()
    reason = {"kick": "kicked", "revoke": "revoked"}[command]
    assert [(frame["event"], data(frame)) for frame in frames] == [("close", {"reason": reason, "reconnect": False})]
    assert stream.listener.ended


# Questions


def test_what_changes_all_along(here: Here, publish: Publish) -> None:
    stream = here.open("c1", direct=True)
    publish("a")
    publish("b")
    stream.read()
    assert here.ask(FRESH, ["c1", "c9"]) == {"c1": {"last_event_id": "e1-2", "lag": 0, "queued": 0}}
    stream.member.room = 20
    publish("a")
    owed = len(stream.member.owed)
    assert owed > 0
    assert here.ask(FRESH, ["c1"])["c1"]["queued"] == owed
    late = here.open("c2", subscription=Subscription(("b",)))
    publish("b")
    assert here.ask(FRESH, ["c2"])["c2"]["lag"] == 1
    late.read()
    assert here.ask(FRESH, ["c2"])["c2"] == {"last_event_id": "e1-4", "lag": 0, "queued": 0}


def test_one_and_how_many(here: Here) -> None:
    here.open("c1", ann())
    assert here.ask(ONE, "c1")["user_id"] == "ann"
    assert here.ask(ONE, "c1")["lag"] == 0
    assert here.ask(ONE, "c9") is None
    assert here.ask(COUNT, {"user_id": "ann"}) == 1
    assert here.ask(COUNT, {}) == 0


# Sending


@pytest.mark.parametrize("direct", [True, False])
def test_to_one_stream(here: Here, direct: bool) -> None:
    stream, other = here.open("c1", direct=direct), here.open("c2", direct=direct)
    assert here.send("c1", '{"é":1}'.encode()) is True
    (frame,) = stream.read()
    assert (frame["event"], data(frame), frame["id"], frame["channel"]) == ("hello", {"é": 1}, None, None)
    assert frame["time"] == "2027-01-15T08:00:00.000Z"
    assert other.read() == []


def test_in_an_envelope(here: Here) -> None:
    stream = here.open("c1", subscription=Subscription(("a",), envelope=True))
    assert here.send("c1", b"7")
    (frame,) = stream.read()
    time = "2027-01-15T08:00:00.000Z"
    assert data(frame) == {"id": None, "channel": None, "type": "hello", "data": 7, "time": time}


def test_nobody_is_there_or_takes_anything(here: Here, publish: Publish) -> None:
    assert here.send("c9", b"1") is False
    stream = here.open("c1", direct=True)
    stream.member.room = 5
    publish("a")
    assert here.send("c1", b"1") is False
    stream.member.room = 10**6
    stream.run(timed_out=True)
    assert here.send("c1", b"1") is True


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("revoked", ["k1", "t1"])
def test_credentials_that_were_revoked_while_the_stream_was_opened(here: Here, revoked: str, direct: bool) -> None:
    """The command came when the stream was in no list yet, and comes no second time."""
    here.revoked.add(revoked)
    late = here.open("c1", ann("k1", "t1"), direct=direct)
    assert late.listener.close_reason is CloseReason.REVOKED
    assert here.open("c2", ann("k2", "t2"), direct=direct).listener.close_reason is None


def test_a_revocation_ends_the_wait_of_long_polls(here: Here) -> None:
    process = here.process
    polls = {
        name: Poll(process.store, process.hub, process.clock, Subscription(("a",)), bearer=ann(*ids))
        for name, ids in {"key": ("k1", "t2"), "token": ("k2", "t1"), "other": ("k2", "t2")}.items()
    }
    with ExitStack() as stack:
        for poll in polls.values():
            stack.enter_context(here.registry.waiting(poll))
        ended = []
        for name, poll in polls.items():
            poll.end = partial(ended.append, name)  # type: ignore[method-assign]
        here.connections.revoke({})
        assert ended == []
        here.connections.revoke({"key_id": "k1"})
        here.connections.revoke({"token_id": "t1"})
        assert ended == ["key", "token"]
