"""Every server that the bench measures: it starts on its core, serves and publishes as the contract says, and ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.publisher import Publisher, PublishError
from tests.benchmarks.servers import SERVERS
from tests.benchmarks.servers.base import LOAD_CORE, SERVER_CORE, Server, Unavailable
from tests.support.ports import LOOPBACK, is_listening
from tests.support.sse_client import StandardClient

pytestmark = pytest.mark.live

PROCESSES = {  # what the command of a process that serves holds
    "hermes": "gunicorn",
    "hermes-redis": "gunicorn",
    "nchan": "nginx: worker process",
    "sse-starlette": "uvicorn starlette_app",
    "django-eventstream": "uvicorn django_app",
    "floor": "floor",
}


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = SERVERS[request.param](tmp_path_factory.mktemp(request.param))
    try:
        server.start()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with ExitStack() as stack:
        stack.callback(server.stop)
        yield server


def opened(server: Server, channel: str) -> StandardClient:
    """A client whose opening is over: it has got an event of its own channel."""
    url = f"http://{LOOPBACK}:{server.port}{server.stream_path(channel)}"
    return StandardClient(url, headers=server.stream_headers).open()


def received(client: StandardClient, last: str) -> list[str]:
    """The data of our own events until this one."""
    frames = client.read_until(lambda frame: frame["data"] == last)
    return [frame["data"] for frame in frames if frame["data"].startswith('"t=')]


def test_batch_one_by_one_and_at_once(server: Server) -> None:
    texts = [json.dumps(f"t={number} {'.' * 50}") for number in range(9)]
    with opened(server, "a") as client, opened(server, "b") as other, Publisher(server.port) as publisher:
        publisher.send(server.requests("a", texts[:2]))
        assert received(client, texts[1]) == texts[:2]
        publisher.send(server.requests("a", texts[2:3]))
        assert received(client, texts[2]) == texts[2:3]
        publisher.pipeline([request for text in texts[3:8] for request in server.requests("a", [text])])
        assert received(client, texts[7]) == texts[3:8]
        publisher.send(server.requests("b", texts[8:]))
        assert received(other, texts[8]) == (texts if server.name == "floor" else texts[8:])


def test_flood(server: Server) -> None:
    (request,) = server.requests("flooded", ['"t=1"'])
    with Publisher(server.port, connections=4) as publisher:
        assert 0 < publisher.flood(request, 50) < 10


def test_a_refused_publish_raises(server: Server) -> None:
    if server.name == "floor":
        pytest.skip("the floor refuses nothing")
    with Publisher(server.port) as publisher, pytest.raises(PublishError, match=r"^HTTP/1.1 4\d\d "):
        publisher.send([b"POST /no/such/path HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"])


def test_processes(server: Server) -> None:
    pids = server.pids()
    assert len(pids) == 1
    for pid in pids:
        process = psutil.Process(pid)
        assert PROCESSES[server.name] in " ".join(process.cmdline())
        assert process.cpu_affinity() == [SERVER_CORE]


def test_redis_is_on_the_core_of_the_load(tmp_path: Path) -> None:
    with SERVERS["hermes-redis"](tmp_path):
        redis = [child for child in psutil.Process().children() if "redis" in child.name()]
        assert [process.cpu_affinity() for process in redis] == [[LOAD_CORE]]


@pytest.mark.parametrize("name", list(SERVERS))
def test_stop_leaves_nothing(name: str, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    server = SERVERS[name](tmp_path)
    server.stop()  # that never started
    try:
        server.start()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with opened(server, "a"):
        server.stop()
    server.stop()
    assert set(psutil.Process().children(recursive=True)) <= before
    assert not is_listening(server.port)
