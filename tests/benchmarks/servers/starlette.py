"""sse-starlette on uvicorn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from tests.benchmarks.servers.base import http_request
from tests.benchmarks.servers.command import CommandServer, uvicorn


class SseStarlette(CommandServer):
    """One process, a queue for each stream; see `tests/benchmarks/apps/starlette_app.py`."""

    name = "sse-starlette"

    def command(self) -> Sequence[str]:
        return uvicorn("starlette_app:app", self.port, needs=["sse_starlette", "starlette"])

    def stream_path(self, channel: str) -> str:
        return f"/stream?channel={quote(channel)}"

    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        body = json.dumps({"channel": channel, "data": list(data)}).encode()
        return [http_request("/publish", body, {"Content-Type": "application/json"})]
