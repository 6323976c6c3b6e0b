"""Scenarios 16 and 17: every slot taken, slow headers, slow bodies: who only wants an answer gets it in time."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
import requests

from tests.security.conftest import UNLIMITED, StartHermes, exchange
from tests.security.slow_clients import (
    GreedyClients,
    Kind,
    SlowClients,
    silent,
    slow_body,
    slow_body_for_nothing,
    slow_body_of_a_get,
    slow_body_of_a_stranger,
    slow_chunks,
    slow_form,
    slow_head,
    slow_second_head,
)
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.ports import LOOPBACK
from tests.support.sse_client import StandardClient
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

LIMIT = 10.0  # seconds that headers may take, and that a body may take
MARGIN = 1.5
HEALTH = 1.0
STREAM = "/api/v1/events/stream"
READS_STATUSES = {"Accept": "application/json, text/event-stream"}
LATENCY = 0.5  # seconds for one event in spite of all; it takes a few milliseconds

HEADS: list[Kind] = [silent, slow_head, slow_second_head]
BODIES: list[Kind] = [slow_body, slow_chunks, slow_body_of_a_stranger, slow_body_for_nothing, slow_form]


def health(hermes: HermesServer) -> float:
    """Seconds that a new connection takes to be told that all is well."""
    began = time.monotonic()
    answer = requests.get(f"{hermes.url}/healthz", timeout=5)
    assert answer.status_code == 200
    return time.monotonic() - began


class Bystanders:
    """A stream, a publisher to it, and a prober of health; they note how long everything takes."""

    def __init__(self, hermes: HermesServer) -> None:
        self.hermes = hermes
        self.latencies: list[float] = []
        self.health: list[float] = []
        self.published = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._client = StandardClient(
            stream_url(hermes, ["public:calm"]), on_frame=self._heard, keep_frames=False, reconnect=False
        )

    def _heard(self, frame: dict[str, str]) -> None:
        if frame["event"] == "message":
            self.latencies.append(time.monotonic() - json.loads(frame["data"]))

    def _work(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self.hermes.publish("public:calm", time.monotonic())
                self.published += 1
                self.health.append(health(self.hermes))
            except Exception as error:
                self.failed.append(repr(error))
                return

    @contextmanager
    def watched(self) -> Iterator["Bystanders"]:
        """While they stand by."""
        with self._client:
            self._client.start()
            worker = threading.Thread(target=self._work)
            worker.start()
            try:
                yield self
                wait_until(lambda: len(self.latencies) == self.published, 5, lambda: f"{self.published} published")
            finally:
                self._stop.set()
                worker.join(20)

    def check(self) -> str:
        """Nobody was harmed; the figures."""
        assert not self.failed
        assert self._client.opened == 1
        assert len(self.latencies) == self.published > 10
        worst, slowest = max(self.latencies), max(self.health)
        assert worst <= LATENCY, f"{worst:.2f} s for an event"
        assert slowest <= HEALTH, f"{slowest:.2f} s for /healthz"
        return f"{self.published} events, {worst * 1000:.0f} ms at most; /healthz {slowest * 1000:.0f} ms at most"


@pytest.mark.parametrize("direct", ["true", "false"], ids=["direct", "portable"])
def test_16_every_slot_for_a_stream_is_taken(start_on_both: StartHermes, direct: str) -> None:
    slots = 60
    hermes = start_on_both(env={"HERMES_SSE_MAX_CONNECTIONS": str(slots), "HERMES_DIRECT_LANE": direct})
    with ExitStack() as stack:
        for _ in range(slots):
            stack.enter_context(StandardClient(stream_url(hermes, ["public:a"]), reconnect=False))
        refused = hermes.get("/api/v1/events/stream?channels=public:a", headers={"Accept": "application/json"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "MAX_CONNECTIONS")
        answer = exchange(hermes, b"GET /api/v1/events/stream?channels=public:a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in answer
        assert b"MAX_CONNECTIONS" in answer
        assert b"retry: " in answer
        took = [health(hermes) for _ in range(20)]
        assert hermes.get("/readyz").status_code == 200
        hermes.publish("public:a", "still here")
    print(f"scenario 16: {slots} streams open, /healthz within {max(took) * 1000:.0f} ms")
    assert max(took) <= HEALTH


def health_beside(hermes: HermesServer, kinds: list[Kind], each: int) -> list[float]:
    """The seconds that `/healthz` takes, ten times, beside so many clients of each of these kinds."""
    crowd = SlowClients(hermes.port, hermes.key, kinds, each)
    try:
        with ThreadPoolExecutor(1) as pool:
            probed = pool.submit(lambda: [health(hermes) for _ in range(10)])
            crowd.run(probed.done, 20)
            return probed.result(20)
    finally:
        crowd.close()


def test_16_connections_on_which_nothing_is_asked_take_no_slot_from_health(start_hermes: StartHermes) -> None:
    """The server accepts so many connections and no more; those that ask nothing must give way."""
    hermes = start_hermes(env={**UNLIMITED, "HERMES_SSE_MAX_CONNECTIONS": "50"})
    took = health_beside(hermes, [silent, slow_head], 100)
    print(f"scenario 16: 200 connections that ask nothing, room for 150; /healthz within {max(took) * 1000:.0f} ms")
    assert max(took) <= HEALTH


@pytest.mark.parametrize("kind", [slow_form, slow_body, slow_chunks, slow_body_of_a_stranger])
def test_16_bodies_that_never_end_take_no_slot_from_health(start_hermes: StartHermes, kind: Kind) -> None:
    """Each would be waited for for ten seconds, and the sign-in asks nobody who he is."""
    hermes = start_hermes(env={**UNLIMITED, "HERMES_SSE_MAX_CONNECTIONS": "50"})
    took = health_beside(hermes, [kind], 200)
    print(f"scenario 16: 200 x {kind.__name__}, room for 150; /healthz within {max(took) * 1000:.0f} ms")
    assert max(took) <= HEALTH
    assert "Traceback" not in hermes.process.log.read_text()


def test_16_long_polls_take_the_slots_of_streams(start_on_both: StartHermes) -> None:
    """A client that waits for events holds a connection, whichever way it waits."""
    hermes = start_on_both(env={"HERMES_SSE_MAX_CONNECTIONS": "50", "HERMES_MAX_CONNECTIONS_PER_ADDRESS": "40"})
    ask = "GET /api/v1/events?channels=public:a&after=earliest&wait=25 HTTP/1.1\r\nHost: a\r\n{}\r\n"
    with ExitStack() as stack:
        links = [stack.enter_context(socket.create_connection((LOOPBACK, hermes.port), 10)) for _ in range(200)]
        for link in links:
            link.sendall(ask.format("").encode())
        took = [health(hermes) for _ in range(10)]
        assert sum(_is_refused(link) for link in links) == 200 - 40, "as many as its address may hold"
        for _ in range(10):
            link = stack.enter_context(socket.create_connection((LOOPBACK, hermes.port), 10))
            link.sendall(ask.format(f"X-API-Key: {hermes.key}\r\n").encode())
        wait_until(lambda: hermes.get(f"{STREAM}?channels=public:a", headers=READS_STATUSES).status_code == 503)
        page = hermes.get("/api/v1/events?channels=public:a&after=earliest")
        assert page.status_code == 200, "who does not wait needs no slot"
        took += [health(hermes) for _ in range(10)]
    print(f"scenario 16: 50 long polls of 210, /healthz within {max(took) * 1000:.0f} ms")
    assert max(took) <= HEALTH

    def is_free() -> bool:
        with requests.get(f"{hermes.url}{STREAM}?channels=public:a", headers=READS_STATUSES, stream=True) as answer:
            return answer.status_code == 200

    hermes.publish("public:a", "all are answered")
    wait_until(is_free)


def _is_refused(link: socket.socket) -> bool:
    """Whether it was told that there are too many; else it waits."""
    link.settimeout(0.1)
    try:
        received = link.recv(65_536)
    except TimeoutError:
        return False
    assert not received or (b" 503 " in received and b"MAX_CONNECTIONS" in received), received
    return True


def test_17_slow_requests_are_cut_and_others_unharmed(start_on_both: StartHermes, full: bool) -> None:
    count = 100 if full else 40
    hermes = start_on_both()
    with Bystanders(hermes).watched() as bystanders:
        crowd = SlowClients(hermes.port, hermes.key, HEADS + BODIES, count)
        try:
            crowd.run(lambda: False, LIMIT + 3)
        finally:
            left = {client.kind.__name__ for client in crowd.open}
            crowd.close()
    figures = bystanders.check()
    lasted: dict[str, list[float]] = {}
    for client in crowd.clients:
        lasted.setdefault(client.kind.__name__, []).append(client.lasted)
    text = ", ".join(f"{name} {min(times):.1f}-{max(times):.1f} s" for name, times in lasted.items())
    print(f"scenario 17: {len(crowd.clients)} slow clients cut: {text}; {figures}")
    assert not left, f"not cut within {LIMIT + 3:g} s: {left}"
    assert max(client.lasted for client in crowd.clients) <= LIMIT + MARGIN, text
    for client in crowd.clients:  # and not for being slow for a moment
        if client.kind not in (slow_body_of_a_stranger, slow_body_for_nothing, slow_form):
            assert client.lasted >= LIMIT - MARGIN, (client.kind.__name__, client.lasted, bytes(client.heard))
    assert all(b" 400 " in client.heard for client in crowd.clients if client.kind in (slow_body, slow_chunks))


def test_17_a_stream_whose_request_has_a_body_that_never_ends(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env=UNLIMITED)
    with Bystanders(hermes).watched() as bystanders:
        crowd = SlowClients(hermes.port, hermes.key, [slow_body_of_a_get], 50)
        try:
            crowd.run(lambda: len(bystanders.latencies) > 30, 20)
        finally:
            crowd.close()
    print(f"scenario 17: 50 streams whose requests go on and on; {bystanders.check()}")
    wait_until(lambda: hermes.get("/api/v1/events/health").json()["process"]["active_connections"] == 0)


def test_17_answers_that_nobody_takes(start_hermes: StartHermes) -> None:
    """What a client does not read fills the kernel's buffers, and then holds a slot for as long as it likes."""
    timeout = 2.0
    hermes = start_hermes(env={**UNLIMITED, "HERMES_SSE_SEND_TIMEOUT": str(timeout)})
    with Bystanders(hermes).watched() as bystanders:
        crowd = GreedyClients(hermes.port, 50)
        try:
            took = crowd.run(30)
        finally:
            crowd.close()
    print(f"scenario 17: 50 clients that read nothing cut within {took:.1f} s; {bystanders.check()}")
    assert not crowd.links
    assert "Traceback" not in hermes.process.output()
