"""An identity provider's address of public keys, on loopback: what it publishes can be changed, spoiled and held up."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.ports import LOOPBACK

PATH = "/keys.json"


class KeyServer:
    """Serves `keys` as a JWK Set and counts who asks; `reply` answers in its place when it is set.

    with KeyServer([jwk]) as provider:
        start_hermes(env={"HERMES_JWKS_URL": provider.url})
    """

    def __init__(self, keys: list[Mapping[str, Any]] | None = None) -> None:
        self.keys: list[Mapping[str, Any]] = list(keys or [])
        self.reply: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked: list[str] = []  # the path of each request
        self.headers: list[Mapping[str, str]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                provider.headers.append(dict(self.headers))
                if provider.reply is not None:
                    provider.reply(self)
                else:
                    respond(self, 200, json.dumps({"keys": provider.keys}).encode())

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="key-server")

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}{PATH}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def respond(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """A whole answer; `Content_Type="..."` is a header."""
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
