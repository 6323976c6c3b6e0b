"""Hermes as its users start it, with the embedded store and with Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote

from tests.benchmarks.servers.base import LOAD_CORE, SERVER_CORE, Server, http_request, on_core
from tests.support.hermes_server import KEY, HermesServer
from tests.support.redis_server import RedisServer

PATH = "/api/v1/events"
BATCH = 1000  # events that one call may carry


class Hermes(Server):
    """One worker on the embedded store. Streams and publishers send an API key, and the server checks it."""

    name = "hermes"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        self.limits = dict(self.settings)
        self._stack = ExitStack()
        self._hermes: HermesServer | None = None

    def start(self) -> Self:
        with ExitStack() as starting:
            self._hermes = starting.enter_context(
                HermesServer(
                    self.folder / "data",
                    port=self.port,
                    redis_url=self._redis_url(starting),
                    env=self.settings,
                    prefix=on_core(SERVER_CORE),
                )
            )
            self._stack = starting.pop_all()
        return self

    def stop(self) -> None:
        hermes, self._hermes = self._hermes, None
        if hermes is not None and hermes.process.is_running:
            hermes.kill9()  # a drain would end ten thousand streams one by one
        self._stack.close()

    def pids(self) -> Sequence[int]:
        assert self._hermes is not None, "not started"
        return self._hermes.worker_pids()

    def stream_path(self, channel: str) -> str:
        return f"{PATH}/stream?channels={quote(channel)}"

    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        events = [f'{{"channel":"{channel}","data":{text}}}'.encode() for text in data]
        if len(events) == 1:
            return [self._request(events[0], "application/json")]
        batches = [events[first : first + BATCH] for first in range(0, len(events), BATCH)]
        return [self._request(b"\n".join(batch), "application/x-ndjson") for batch in batches]

    @property
    def stream_headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {KEY}"}

    def _request(self, body: bytes, media_type: str) -> bytes:
        return http_request(PATH, body, {**self.stream_headers, "Content-Type": media_type})

    def _redis_url(self, _stack: ExitStack) -> str | None:
        return None


class HermesRedis(Hermes):
    """One worker on a Redis of its own.

    Redis runs on the load's core: a deployment has it on another machine, and what it uses is none of the worker's CPU.
    """

    name = "hermes-redis"

    def _redis_url(self, stack: ExitStack) -> str:
        redis = RedisServer(self.folder / "redis")
        redis.process.command[:0] = on_core(LOAD_CORE)
        return stack.enter_context(redis).url
