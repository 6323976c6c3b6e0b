"""The direct lane on real sockets; greenlets that it starts run when the test lets them."""

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from hermes.streaming import direct, listener
from hermes.streaming.departures import Departures
from hermes.streaming.direct import SPARE, DirectLane, DirectMember, DirectStream
from hermes.streaming.listener import PIECE_EVENTS, CloseReason, Listener, Pace
from hermes.streaming.opening import Opener
from hermes.streaming.rounds import Rounds
from hermes.streaming.sockets import SocketRules
from hermes.testing import FakeClock
from tests.unit.events import event
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process

HEADERS = b"HTTP/1.1 200 OK\r\n\r\n"
SEND_TIMEOUT = 0.3
PACE = Pace(heartbeat=30.0, retry=2.0, max_age=0.0)
EVENT = b'data: {"n":1}\n\n'
RST = struct.pack("ii", 1, 0)


class Wire:
    """Both ends of one stream's connection, and the stream."""

    def __init__(
        self, process: Process, clock: FakeClock, *, chunked: bool, pace: Pace = PACE, cursor: str | None = None
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client = socket.socket()
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.client.connect(server.getsockname())
            self.own, _ = server.accept()
        self.own.setblocking(False)
        self.ended: list[Listener] = []
        subscription = Subscription(["a"])
        opener = Opener(process.store, process.hub, subscription, "auto")
        opening = opener.open(cursor)
        now = clock.monotonic()
        self.member = DirectMember(subscription, opening.position, ("me",), now, chunked=chunked)
        self.listener = Listener(
            self.member, opening, opener, store=process.store, hub=process.hub, clock=clock, pace=pace
        )
        self.rounds = Rounds(clock.monotonic)
        self.departures = Departures()
        self.lane = DirectLane(process.hub, SocketRules(4096, SEND_TIMEOUT), self.rounds, self.departures)
        self.stream = DirectStream(self.listener, self.member, self.ended.append, self.lane)

    def begin(self) -> None:
        self.stream.begin(self.own, HEADERS)

    def received(self, mark: bytes) -> bytes:
        """What the client gets up to `mark`; greenlets of the stream have their turns meanwhile."""
        self.client.setblocking(False)
        data = b""
        with gevent.Timeout(5):
            while mark not in data:
                try:
                    piece = self.client.recv(65_536)
                    assert piece, data
                    data += piece
                except BlockingIOError:
                    gevent.sleep(0.001)
        return data

    def wait_end(self) -> None:
        with gevent.Timeout(5):
            while not self.ended:
                gevent.sleep(0.001)


@pytest.fixture(autouse=True)
def rounds_go_when_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rounds, "_run", lambda _self: None)


@pytest.fixture
def make_wire(process: Process, clock: FakeClock) -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(*, chunked: bool = False, **options: Any) -> Wire:
        made.append(Wire(process, clock, chunked=chunked, **options))
        return made[-1]

    yield make
    for wire in made:
        wire.client.close()
        wire.own.close()
        wire.lane.close()


@pytest.fixture(params=[False, True], ids=["plain", "chunked"])
def wire(request: pytest.FixtureRequest, make_wire: Callable[..., Wire]) -> Wire:
    return make_wire(chunked=request.param)


def test_the_opening_leaves_with_the_headers_and_the_stream_is_live(wire: Wire, process: Process) -> None:
    wire.begin()
    opening = wire.client.recv(65_536)
    assert opening.startswith(HEADERS)
    assert b"event: connected" in opening
    assert b"event: heartbeat" in opening
    assert wire.member.parked
    assert wire.member.group is not None
    assert process.hub.subscribers == 1


def test_an_event_is_written_by_the_hub_and_starts_nothing(wire: Wire, publish: Publish) -> None:
    wire.begin()
    publish("a")
    assert wire.member.parked
    assert EVENT in wire.received(EVENT)


def test_what_does_not_fit_is_owed_and_comes_whole_and_in_order(wire: Wire, publish: Publish) -> None:
    wire.begin()
    wire.received(b"event: heartbeat")
    count = 0
    while wire.member.parked:
        publish("a", data="x" * 30_000)
        count += 1
        assert count < 1000
    publish("a", data="the end")
    data = wire.received(b"the end")
    assert data.count(b"event: message") == count + 1
    with gevent.Timeout(5):
        while not wire.member.parked:
            gevent.sleep(0.001)


def test_a_visit_sends_the_heartbeat_when_it_is_due(wire: Wire, clock: FakeClock) -> None:
    wire.begin()
    wire.received(b"event: heartbeat")
    clock.advance(PACE.heartbeat / 2)
    wire.rounds.go()
    assert wire.member.parked
    clock.advance(PACE.heartbeat)
    wire.rounds.go()
    assert wire.member.parked, "nothing was started for it"
    wire.received(b"event: heartbeat")
    clock.advance(PACE.heartbeat + 1)
    wire.rounds.go()
    wire.received(b"event: heartbeat")


def test_an_event_puts_the_heartbeat_off(wire: Wire, clock: FakeClock, publish: Publish) -> None:
    wire.begin()
    wire.received(b"event: heartbeat")
    clock.advance(PACE.heartbeat - 1)
    publish("a")
    clock.advance(2)
    wire.rounds.go()
    assert b"heartbeat" not in wire.received(EVENT)


def test_the_greatest_age_ends_it(make_wire: Callable[..., Wire], process: Process, clock: FakeClock) -> None:
    wire = make_wire(pace=PACE._replace(max_age=10.0))
    wire.begin()
    clock.advance(11)
    wire.rounds.go()
    assert b"event: close" in wire.received(b'"max_age"')
    wire.wait_end()
    assert process.hub.subscribers == 0


def test_a_client_that_leaves_ends_it(wire: Wire, process: Process) -> None:
    wire.begin()
    wire.client.close()
    wire.wait_end()
    assert wire.listener.close_reason is CloseReason.GONE
    assert process.hub.subscribers == 0
    assert wire.own.fileno() == -1


def test_a_stream_that_is_told_to_end_says_so_and_ends_the_body(wire: Wire) -> None:
    wire.begin()
    wire.received(b"event: heartbeat")
    wire.listener.close(CloseReason.KICKED)
    wire.wait_end()
    wire.client.setblocking(True)
    rest = b""
    while piece := wire.client.recv(4096):
        rest += piece
    assert b"event: close" in rest
    assert b'"kicked"' in rest
    assert rest.endswith(b"0\r\n\r\n") is wire.member.chunked


def test_an_end_that_meets_a_dead_socket_is_over_at_once(wire: Wire) -> None:
    """It span until the send timeout: closed for another reason, it never was seen to be gone."""
    wire.begin()
    wire.received(b"event: heartbeat")
    wire.listener.close(CloseReason.DRAIN)
    wire.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    wire.client.close()
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    watched = gevent.get_hub().loop.prepare()
    watched.start(count)
    try:
        wire.wait_end()
    finally:
        watched.stop()
        watched.close()
    assert turns < 20


def test_a_reader_that_takes_nothing_is_slow(wire: Wire, publish: Publish) -> None:
    wire.begin()
    while wire.member.parked:
        publish("a", data="x" * 30_000)
    wire.wait_end()
    assert wire.listener.close_reason is CloseReason.SLOW


def test_a_client_that_has_vanished_is_noticed_though_it_is_idle(
    wire: Wire, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a heartbeat and the patience: the heartbeat itself is what it leaves unacknowledged."""
    wire.begin()
    sent_at: list[float] = []

    def stalled(_self: object) -> float | None:
        if clock.monotonic() < begun + PACE.heartbeat:
            return None
        if wire.member.touched > begun and not sent_at:
            sent_at.append(clock.monotonic())
        return clock.monotonic() - sent_at[0] if sent_at else None

    begun = clock.monotonic()
    monkeypatch.setattr("hermes.streaming.sockets.Progress.stalled", stalled)
    clock.advance(PACE.heartbeat + 0.3)
    wire.rounds.go()
    assert wire.listener.close_reason is None
    clock.advance(SEND_TIMEOUT + SPARE + 0.3)
    wire.rounds.go()
    wire.wait_end()
    assert wire.listener.close_reason is CloseReason.GONE


def test_a_socket_that_cannot_be_watched_ends_it_whole(
    wire: Wire, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def register(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

        unregister = register

    monkeypatch.setattr(wire.departures, "_epoll", Full())
    wire.begin()
    monkeypatch.undo()
    assert len(wire.ended) == 1
    assert wire.own.fileno() == -1
    assert wire.rounds._by_round == {}


def test_a_stream_that_is_behind_lets_others_have_their_turn(
    make_wire: Callable[..., Wire],
    process: Process,
    clock: FakeClock,
    broker: ModelBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though all pages are in memory and its filter lets next to nothing through."""
    cursor = f"{process.hub.epoch}-{process.hub.last}"
    for number in range(1, 5001):
        made = event(number, "a" if number % 500 == 0 else "b", time=int(clock.now() * 1000))
        broker.publish([made])
    process.deliver()
    wire = make_wire(cursor=cursor)
    turns = 0

    def others() -> None:
        nonlocal turns
        while not wire.member.parked:
            turns += 1
            gevent.sleep(0)

    for module in (direct, listener):
        monkeypatch.setattr(module.time, "sleep", gevent.sleep)
    gevent.spawn(others)
    wire.begin()
    with gevent.Timeout(5):
        while not wire.member.parked:
            gevent.sleep(0)
    assert turns >= 5000 // PIECE_EVENTS - 1


def test_nobody_hands_the_socket_over(wire: Wire, publish: Publish) -> None:
    """A middleware wraps the answer, so the server iterates it: the portable lane serves."""
    assert b"connected" in next(wire.stream)
    assert b"heartbeat" in next(wire.stream)
    publish("a")
    assert EVENT in next(wire.stream)
    wire.stream.close()
    wire.stream.close()
    assert len(wire.ended) == 1


def test_a_stream_ahead_of_its_process_waits_and_is_not_live(
    make_wire: Callable[..., Wire], process: Process, clock: FakeClock
) -> None:
    wire = make_wire()
    wire.member.position = Position(process.hub.epoch, process.hub.last + 5)
    wire.begin()
    assert wire.member.group is None
    assert wire.member.parked
    clock.advance(PACE.heartbeat + 1)
    wire.rounds.go()
    assert f"id: {process.hub.epoch}-{process.hub.last + 5}".encode() in wire.received(b"event: heartbeat\nid")
