"""django-eventstream on uvicorn."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from tests.benchmarks.servers.base import http_request
from tests.benchmarks.servers.command import CommandServer, uvicorn


class DjangoEventstream(CommandServer):
    """One process without storage; see `tests/benchmarks/apps/django_app.py`.

    A request an event: a stream that has ten events waiting drops the next, and a batch would be more than that.
    """

    name = "django-eventstream"

    def command(self) -> Sequence[str]:
        return uvicorn("django_app:application", self.port, needs=["django", "django_eventstream"])

    def stream_path(self, channel: str) -> str:
        return f"/stream?channel={quote(channel)}"

    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        path = f"/publish?channel={quote(channel)}"
        return [http_request(path, text.encode(), {"Content-Type": "application/json"}) for text in data]
