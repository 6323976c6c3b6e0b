"""The proxy configurations of docs/deploy.md, in front of a real server that comes and goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.docs.blocks import blocks
from tests.rules.tree import ROOT
from tests.support.event_parser import EventParser, Frame
from tests.support.hermes_server import HermesServer
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.program import require_program

# What a distribution's own nginx.conf has around the server, in folders that this user may write to.
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{text}
}}
"""
CADDY = "{{\n\tadmin off\n\tauto_https off\n}}\n{text}"


def configuration(language: str, hermes: int, proxy: int) -> str:
    """The block of the document, with free ports in place of 8000 and 8080."""
    (block,) = [block for block in blocks(ROOT / "docs" / "deploy.md") if block.language == language]
    return block.text.replace("8000", str(hermes)).replace("8080", str(proxy))


@contextmanager
def nginx(folder: Path, hermes: int, proxy: int) -> Iterator[None]:
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, text=configuration("nginx", hermes, proxy)))
    with Process([require_program("nginx"), "-p", folder, "-c", path]) as process:
        process.wait_for_port(proxy)
        yield


@contextmanager
def caddy(folder: Path, hermes: int, proxy: int) -> Iterator[None]:
    path = folder / "Caddyfile"
    path.write_text(CADDY.format(text=configuration("caddy", hermes, proxy)))
    with Process([require_program("caddy"), "run", "--adapter", "caddyfile", "--config", path]) as process:
        process.wait_for_port(proxy)
        yield


def read(pieces: Iterator[bytes], until: str) -> list[Frame]:
    """The frames of a stream up to the first of type `until`."""
    parser = EventParser()
    found: list[Frame] = []
    for piece in pieces:
        found += parser.feed(piece)
        if any(frame["event"] == until for frame in found):
            return found
    raise AssertionError(f"ended without {until}: {found}")


@pytest.mark.live
@pytest.mark.parametrize("start", [nginx, caddy])
def test_a_stream_comes_through_and_a_server_that_is_away_is_no_end(
    start: Callable[[Path, int, int], Iterator[None]], tmp_path: Path, start_hermes: Callable[..., HermesServer]
) -> None:
    hermes = start_hermes()
    port = free_port()
    stream = f"http://{LOOPBACK}:{port}/api/v1/events/stream?channels=public:news"
    with start(tmp_path, hermes.port, port):
        with requests.get(stream, stream=True, timeout=10) as response:
            pieces = response.iter_content(None)
            assert [frame["event"] for frame in read(pieces, "heartbeat")] == ["connected", "heartbeat"]
            hermes.publish("public:news", {"n": 1})
            assert read(pieces, "message")[-1]["data"] == '{"n":1}'

        hermes.kill9()
        for path in ("/api/v1/events/stream", "/events", "/events/authenticated"):
            away = requests.get(f"http://{LOOPBACK}:{port}{path}", timeout=10)
            parser = EventParser()
            (error,) = parser.feed(away.content)
            assert away.status_code == 200
            assert away.headers["Content-Type"].startswith("text/event-stream")
            assert error["event"] == "error"
            assert parser.retry in (2000, 3000, 4000, 5000)
        assert requests.post(f"http://{LOOPBACK}:{port}/api/v1/events", timeout=10).status_code == 502

        hermes.restart()
        with requests.get(stream, stream=True, timeout=10) as response:
            assert read(response.iter_content(None), "heartbeat")[0]["event"] == "connected"
