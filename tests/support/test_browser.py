"""Chromium opens a page, shows its console, and obeys size and colour scheme."""

import socket
from pathlib import Path

import pytest

from tests.support.browser import PHONE, open_chromium
from tests.support.stream_stub import StreamStub

pytestmark = pytest.mark.browser
PAGE = b"""<!doctype html><title>page</title><p>hello</p>
<script>console.log("hi", 1); setTimeout(() => { throw new Error("broken") })</script>"""


def serve(connection: socket.socket, request: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + PAGE)


def test_chromium(tmp_path: Path) -> None:
    with StreamStub(serve) as stub, open_chromium(PHONE, dark=True) as browser:
        tab = browser.tab(stub.url)
        assert tab.evaluate("document.title") == "page"
        assert tab.evaluate("await Promise.resolve([innerWidth, innerHeight])") == list(PHONE)
        assert tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert tab.screenshot(tmp_path / "a" / "page.png").read_bytes().startswith(b"\x89PNG")
        assert ("log", "hi 1") in [(line.kind, line.text) for line in browser.console]
        tab.wait_for("document.body.innerText.includes('hello')")
        assert any("broken" in line.text for line in browser.errors())
        with pytest.raises(AssertionError, match="hello"):
            tab.wait_for("false", timeout=0.1)
