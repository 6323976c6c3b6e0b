"""Streams opened by clients that we did not write: curl, and httpx-sse from PyPI."""

import json
import threading
from collections.abc import Iterator

import httpx
import httpx_sse
import pytest

from tests.integration.conftest import StartHermes
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.process import Process
from tests.support.program import require_program
from tests.support.wait import wait_until

pytestmark = pytest.mark.live


@pytest.fixture
def server(start_hermes: StartHermes) -> HermesServer:
    return start_hermes(env={"HERMES_SYSTEM_INTERVAL": "0", "HERMES_SSE_HEARTBEAT_INTERVAL": "1"})


def curl(server: HermesServer, *more: str) -> Process:
    url = stream_url(server, ["c"])
    command = [require_program("curl"), "-sN", "-i", "-H", f"Authorization: Bearer {server.key}", *more, url]
    return Process(command)


def test_curl(server: HermesServer) -> None:
    with curl(server) as stream:
        stream.wait_for_line("^event: heartbeat")
        output = stream.output().replace("\r\n", "\n")
        assert output.startswith("HTTP/1.1 200 OK\n")
        assert "\nContent-Type: text/event-stream\n" in output
        first, second = server.publish("c", {"n": 1}, type="tick"), server.publish("c", {"n": 2}, type="tick")
        stream.wait_for_line(f'^id: {second}\nevent: tick\nchannel: c\ntime: [0-9T:.-]+Z\ndata: {{"n":2}}\n\n')
    with curl(server, "-H", f"Last-Event-ID: {first}") as stream:
        stream.wait_for_line("^event: heartbeat")
        assert f"id: {second}\n" in stream.output()
        assert f"id: {first}\n" not in stream.output()
        assert '"recovered":true' in stream.output()
        server.terminate()
        stream.wait_for_line(r'^event: close\nretry: \d+\ndata: {"reason":"drain","reconnect":true}')
        assert stream.wait(10) == 0, "a whole response"


class Reader(threading.Thread):
    """httpx-sse in a thread: what it read, and how it ended."""

    def __init__(self, server: HermesServer, cursor: str | None = None) -> None:
        super().__init__(daemon=True)
        self.seen: list[httpx_sse.ServerSentEvent] = []
        self.error: Exception | None = None
        self._headers = {**server.headers, **({"Last-Event-ID": cursor} if cursor else {})}
        self._url = stream_url(server, ["c"])
        self.start()

    def run(self) -> None:
        try:
            with (
                httpx.Client(trust_env=False, timeout=10) as client,
                httpx_sse.connect_sse(client, "GET", self._url, headers=self._headers) as source,
            ):
                for event in source.iter_sse():
                    self.seen.append(event)
        except Exception as error:
            self.error = error

    def wait_for(self, kind: str) -> httpx_sse.ServerSentEvent:
        found: Iterator[httpx_sse.ServerSentEvent]
        wait_until(
            lambda: any(event.event == kind for event in self.seen), 10, lambda: f"{kind}: {self.seen} {self.error}"
        )
        found = (event for event in self.seen if event.event == kind)
        return next(found)


def test_httpx_sse(server: HermesServer) -> None:
    reader = Reader(server)
    connected = reader.wait_for("connected")
    assert connected.id == ""
    assert connected.retry is not None
    reader.wait_for("heartbeat")
    text = "line\none\r\nU+2028 \u2028 é"
    first = server.publish("c", {"text": text}, type="tick")
    tick = reader.wait_for("tick")
    assert (tick.id, tick.json()) == (first, {"text": text})
    second = server.publish("c", 2, type="tock")
    reader.wait_for("tock")

    again = Reader(server, first)
    again.wait_for("heartbeat")
    assert [(event.event, event.id) for event in again.seen if event.event in ("tick", "tock")] == [("tock", second)]
    assert json.loads(again.seen[0].data)["recovered"] is True
    server.terminate()
    for one in (reader, again):
        assert json.loads(one.wait_for("close").data) == {"reason": "drain", "reconnect": True}
        one.join(10)
        assert not one.is_alive()
        assert one.error is None, "a whole response"
