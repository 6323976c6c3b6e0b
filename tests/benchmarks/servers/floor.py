"""The floor: the send loop of `tests/benchmarks/native`, which does nothing but what every server must do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tests.benchmarks.native import program
from tests.benchmarks.servers.base import Unavailable, http_request
from tests.benchmarks.servers.command import CommandServer


class Floor(CommandServer):
    """Every GET is a stream, and every stream gets every event: it knows no channels."""

    name = "floor"

    def command(self) -> Sequence[str]:
        if shutil.which("cc") is None:
            raise Unavailable("a C compiler is not installed: Debian's packages gcc and libc6-dev")
        return [str(program("floor")), str(self.port)]

    def stream_path(self, channel: str) -> str:
        return f"/stream?channel={channel}"

    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        return [http_request("/publish", "\n".join(data).encode())]
