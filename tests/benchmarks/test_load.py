"""The generator counts exactly, whatever way the bytes come."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import psutil
import pytest

from tests.benchmarks.load import Answer, Load, LoadFailure, merge, percentile
from tests.support.ports import LOOPBACK, free_port
from tests.support.program import require_program
from tests.support.wait import wait_until

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
HELLO = b": hello\n\n"
AGO = time.monotonic_ns()  # when something was published that is on its way
MARKED = b"data: t=%d xxxx\n\n" % AGO


@pytest.fixture(autouse=True, scope="module")
def _compiler() -> None:
    require_program("cc")


class Stub:
    """A server that answers each request with what `answers` has for its path, and then writes what the test says."""

    def __init__(self, answers: Callable[[str], bytes] = lambda _: HEAD + HELLO) -> None:
        self.port = free_port()
        self.requests: list[str] = []
        self.streams: dict[str, socket.socket] = {}  # by path, the last one
        self.peers: list[str] = []
        self._answers = answers
        self._listener = socket.create_server((LOOPBACK, self.port), backlog=100)
        self._open: list[socket.socket] = [self._listener]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends its accept
        self._thread.join(10)
        for one in self._open:
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                stream, peer = self._listener.accept()
                self._open.append(stream)
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._answer(stream, peer[0])

    def _answer(self, stream: socket.socket, peer: str) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n") and (piece := stream.recv(4096)):
            request += piece
        path = request.split()[1].decode()
        self.requests.append(request.decode())
        self.peers.append(peer)
        self.streams[path] = stream
        stream.sendall(self._answers(path))  # last: a stream that is open is known here

    def send(self, data: bytes, *paths: str) -> None:
        """To the streams of these paths, by default to all."""
        for path in paths or self.streams:
            self.streams[path].sendall(data)


def load(stub: Stub, streams: int = 1, paths: int | None = None, **options: object) -> Load:
    """Stream i reads `/i`."""
    names = [f"/{number}" for number in range(paths or streams)]
    return Load(stub.port, names, streams, core=None, seconds=30, **options)  # type: ignore[arg-type]


def marked(age_ms: float = 0) -> bytes:
    return b"data: t=%d xxxx\n\n" % (time.monotonic_ns() - int(age_ms * 1e6))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


FRAMES = {
    "plain": (HEAD, b"id: 1\nevent: message\n" + MARKED),
    "with CRLF": (HEAD, b"id: 1\r\ndata: first\r\ndata: {t=%d}\r\n\r\n" % AGO),
    "chunked": (CHUNKED_HEAD, chunk(b"id: 1\n" + MARKED)),
}


@pytest.mark.parametrize(("head", "frame"), FRAMES.values(), ids=FRAMES)
def test_a_frame_may_be_cut_anywhere(head: bytes, frame: bytes) -> None:
    """Stream i gets its first frame cut behind byte i; the rest comes once all these pieces were read."""
    with Stub(lambda _: head + HELLO) as stub, load(stub, len(frame)) as streams:
        streams.wait_open()
        before = streams.seen().bytes
        for cut in range(len(frame)):
            stub.send(frame[:cut], f"/{cut}")
        pieces = sum(range(len(frame)))
        wait_until(lambda: streams.seen().bytes - before == pieces)
        for cut in range(len(frame)):
            stub.send(frame[cut:] + frame, f"/{cut}")
        seen = streams.wait_events(2)
    assert (seen.events, seen.least, seen.most) == (2 * len(frame), 2, 2)


def test_bytes_may_come_one_by_one() -> None:
    whole = HEAD + HELLO + 20 * MARKED
    with Stub(lambda _: b"") as stub, load(stub) as streams:
        wait_until(lambda: stub.streams)
        for number in range(len(whole)):
            stub.send(whole[number : number + 1])
        seen = streams.wait_events(20)
    assert (seen.open, seen.events, seen.bytes) == (1, 20, len(whole))


def test_joined_events_count_each() -> None:
    burst = chunk(300 * MARKED) + b"".join(chunk(MARKED) for _ in range(300))
    with Stub(lambda _: CHUNKED_HEAD + chunk(HELLO)) as stub, load(stub, 3) as streams:
        streams.wait_open()
        stub.send(burst)
        seen = streams.wait_events(600)
    assert (seen.events, seen.least, seen.most) == (1800, 600, 600)


@pytest.mark.parametrize(
    "line",
    [
        b": t=5",
        b"event: t=5",
        b"id: t=5",
        b" data: t=5",
        b"data: hello",
        b"data: t=",
        b"data: t=x",
        b"data: t-5",
        b"data" + b"x" * 300 + b"data: t=5",
        b"data: " + b"x" * 300 + b"t=5",  # behind what is looked at
    ],
)
def test_what_is_no_marked_event(line: bytes) -> None:
    with Stub(lambda _: HEAD + HELLO) as stub, load(stub) as streams:
        streams.wait_open()
        stub.send(line + b"\n\n" + MARKED)
        assert streams.wait_events(1).events == 1


def test_a_number_that_is_cut_by_the_limit_is_none() -> None:
    """A mark may stand up to the limit; the time behind it is whole or does not count."""
    lines = [b"data: " + b"x" * length + b"t=%d\n\n" % time.monotonic_ns() for length in range(200, 260)]
    counted = sum(len(line.rstrip()) < 256 for line in lines)
    with Stub(lambda _: HEAD + HELLO) as stub, load(stub) as streams:
        streams.wait_open()
        stub.send(b"".join(lines) + MARKED)
        seen = streams.wait_events(counted + 1)
    assert seen.events == counted + 1
    assert seen.max_ms < 60_000


def test_another_mark() -> None:
    with Stub() as stub, load(stub, mark='"sent":') as streams:
        streams.wait_open()
        stub.send(b'data: {"sent":%d}\n\n' % AGO + MARKED)
        stub.send(b'data: {"sent":%d}\n\n' % AGO)
        assert streams.wait_events(2).events == 2


def test_streams_share_the_paths_and_send_the_headers() -> None:
    with Stub() as stub, load(stub, 5, paths=2, headers={"Authorization": "Bearer x", "X-Y": "z"}) as streams:
        streams.wait_open()
    assert sorted(request.split()[1] for request in stub.requests) == ["/0", "/0", "/0", "/1", "/1"]
    assert all("\r\nAuthorization: Bearer x\r\nX-Y: z\r\n" in request for request in stub.requests)
    assert set(stub.peers) == {"127.0.1.1"}


def test_refused_streams() -> None:
    with Stub(lambda path: BUSY if path == "/1" else HEAD + HELLO) as stub, load(stub, 6, paths=3) as streams:
        with pytest.raises(LoadFailure, match="refused=2"):
            streams.wait_open()
        stub.send(MARKED, "/0", "/2")
        seen = streams.seen()
    assert (seen.streams, seen.open, seen.refused, seen.closed, seen.open_s) == (6, 4, 2, 0, None)


def test_a_server_that_is_not_there() -> None:
    nobody = Load(free_port(), ["/"], 3, core=None, seconds=5)
    with nobody, pytest.raises(LoadFailure, match="refused=3"):
        nobody.wait_open()


def test_open_is_a_body_that_began() -> None:
    with Stub(lambda _: HEAD) as stub, load(stub, 2) as streams:
        with pytest.raises(LoadFailure, match="open=0"):
            streams.wait_open(timeout=0.05)
        began = time.monotonic()
        wait_until(lambda: len(stub.streams) == 2)
        stub.send(b":")
        assert 0.05 < streams.wait_open() < 0.05 + time.monotonic() - began + 1


def test_a_stream_that_the_server_closes() -> None:
    """Nobody waits for what cannot come: the failure is there at once."""
    with Stub() as stub, load(stub, 2) as streams:
        streams.wait_open()
        stub.send(MARKED)
        streams.wait_events(1)
        stub.send(2 * MARKED, "/0")
        stub.streams["/1"].shutdown(socket.SHUT_RDWR)
        began = time.monotonic()
        with pytest.raises(LoadFailure, match=r"open=1, refused=0, closed=1.*least=1, most=3"):
            streams.wait_events(3, timeout=20)
        assert time.monotonic() - began < 10


def test_a_stream_that_closes_while_one_waits() -> None:
    with Stub() as stub, load(stub, 2) as streams:
        streams.wait_open()
        closing_later = threading.Timer(0.05, lambda: stub.streams["/1"].shutdown(socket.SHUT_RDWR))
        closing_later.start()
        stub.send(MARKED, "/0")
        began = time.monotonic()
        with pytest.raises(LoadFailure, match="closed=1"):
            streams.wait_events(1, timeout=20)
        assert time.monotonic() - began < 10
        closing_later.join()


def test_data_and_the_end_at_once() -> None:
    """Both are there when the generator next looks, which has been stopped meanwhile."""
    with Stub() as stub, load(stub) as streams:
        streams.wait_open()
        generator = psutil.Process(streams.pids[0])
        generator.suspend()
        wait_until(lambda: generator.status() == psutil.STATUS_STOPPED)
        stub.send(300 * MARKED)
        stub.streams["/0"].shutdown(socket.SHUT_RDWR)
        generator.resume()
        assert streams.wait_events(300).least == 300
        wait_until(lambda: streams.seen().closed, timeout=2)


def test_stalled_streams_read_no_more() -> None:
    """The stream that stalls takes what its buffers hold; the others get all, and they alone are counted."""
    much = 5_000 * MARKED
    with Stub() as stub, load(stub, 3, stalled=1) as streams:
        streams.wait_open()
        stalled = stub.streams["/0"]
        stalled.setblocking(False)
        with suppress(BlockingIOError):
            while stalled.send(much):
                pass
        stub.send(much, "/1", "/2")
        seen = streams.wait_events(5_000)
    assert (seen.open, seen.events, seen.least, seen.most) == (3, 10_000, 5_000, 5_000)


def test_reset_forgets() -> None:
    with Stub() as stub, load(stub, 2) as streams:
        streams.wait_open()
        stub.send(marked(age_ms=5_000))
        assert streams.wait_events(1).max_ms > 5_000
        streams.reset()
        seen = streams.seen()
        assert (seen.open, seen.events, seen.least, seen.bytes, seen.span_s, seen.last_s) == (2, 0, 0, 0, 0.0, None)
        stub.send(marked())
        seen = streams.wait_events(1)
    assert (seen.events, seen.least) == (2, 1)
    assert seen.max_ms < 5_000
    assert seen.open_s is not None


def test_reconnect_sends_the_header_then_none() -> None:
    with Stub() as stub, load(stub, 3, headers={"X-Y": "z"}) as streams:
        streams.wait_open()
        stub.send(MARKED)
        before = streams.wait_events(1).bytes
        stub.send(b"data: a line without its end")
        wait_until(lambda: streams.seen().bytes > before)
        streams.reconnect("Last-Event-ID: 7a-120")
        streams.wait_open()
        assert streams.seen().events == 0
        stub.send(2 * MARKED)
        assert streams.wait_events(2).events == 6
        streams.reconnect()
        streams.wait_open()
    had = [("Last-Event-ID: 7a-120\r\n" in request, "X-Y: z\r\n" in request) for request in stub.requests]
    assert had == [(False, True)] * 3 + [(True, True)] * 3 + [(False, True)] * 3


def test_latencies() -> None:
    with Stub() as stub, load(stub) as streams:
        streams.wait_open()
        stub.send(b"".join(marked(age_ms) for age_ms in range(1000, 101_000, 1000)))
        seen = streams.wait_events(100)
        stub.send(marked(-60_000))  # a clock that is ahead
        assert streams.wait_events(101).p99_ms < 101_000
    assert seen.p50_ms == pytest.approx(50_000, rel=0.005, abs=1000)
    assert seen.p90_ms == pytest.approx(90_000, rel=0.005, abs=1000)
    assert seen.p99_ms == pytest.approx(99_000, rel=0.005, abs=1000)
    assert 100_000 <= seen.max_ms < 101_000


def test_processes_share_the_streams() -> None:
    with Stub() as stub, load(stub, 5, processes=2, stalled=3) as streams:
        assert 0 < streams.wait_open() < 10
        assert sorted(stub.streams) == ["/0", "/1", "/2", "/3", "/4"]
        stub.send(marked(age_ms=1000), "/3")
        stub.send(3 * marked(), "/4")
        seen = streams.wait_events(1)
    assert (seen.streams, seen.open, seen.events, seen.least, seen.most) == (5, 5, 4, 1, 3)
    assert seen.max_ms > 1000 > seen.p50_ms


def answer(**changed: object) -> Answer:
    zero = dict.fromkeys(("open", "refused", "closed", "reading", "least", "most", "events", "bytes", "cpu_ns"), 0)
    times = dict.fromkeys(("began_ns", "opened_ns", "first_ns", "last_ns", "latency_max_ns"), 0)
    return {"streams": 1, "ever_open": 1, "latencies": [], **zero, **times, **changed}


def test_answers_merge() -> None:
    one = answer(
        began_ns=1e9, opened_ns=3e9, reading=1, least=4, most=4, events=4, first_ns=5e9, last_ns=6e9,
        latencies=[[1_000_000, 1], [9_000_000, 3]], latency_max_ns=8_990_000, cpu_ns=1e9,
    )  # fmt: skip
    two = answer(
        began_ns=2e9, opened_ns=2.5e9, reading=2, least=2, most=9, events=6, first_ns=4e9, last_ns=5e9,
        latencies=[[1_000_000, 6]], latency_max_ns=1_001_000, cpu_ns=2e9,
    )  # fmt: skip
    idle = answer(began_ns=2e9, opened_ns=2e9)  # all of its streams are stalled
    seen = merge([one, two, idle])
    assert (seen.streams, seen.open_s, seen.events, seen.least, seen.most) == (3, 2.0, 10, 2, 9)
    assert (seen.span_s, seen.last_s, seen.cpu_s) == (2.0, 5.0, 3.0)
    assert (seen.p50_ms, seen.p90_ms, seen.max_ms) == (1.0, 8.99, 8.99)
    assert merge([one, answer(ever_open=0)]).open_s is None


def test_percentiles() -> None:
    counts = dict.fromkeys(range(1, 101), 1)
    assert [percentile(counts, share) for share in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile({}, 0.5) == 0


def test_the_generator_ends_by_itself() -> None:
    with Stub() as stub, Load(stub.port, ["/0"], 1, core=None, seconds=0.5) as streams:
        streams.wait_open()
        with pytest.raises(LoadFailure, match="ended after its 1 s"):
            streams.wait_events(1, timeout=30)


def test_what_is_no_answer() -> None:
    with Stub() as stub, load(stub, headers={"X": "x" * 5_000}) as streams:  # noqa: SIM117
        with pytest.raises(LoadFailure, match="headers longer than"):
            streams.seen()
