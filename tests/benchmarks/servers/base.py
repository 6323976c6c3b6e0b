"""What the bench needs of a server: a start on one core, a stream to read, a request that publishes, and its processes."""

from __future__ import annotations

import resource
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process

SERVER_CORE = 0
LOAD_CORE = 1


class Unavailable(Exception):
    """This server cannot run on this machine; the text says what is missing."""


class Server(ABC):
    """One server under measurement: `with Nchan(folder) as server: ...` starts it, waits until it answers, and ends it.

    `folder` is an empty one that the caller removes afterwards. `settings` are environment variables of Hermes, which
    the others ignore. `limits` are the settings that this bench raised above their defaults, as it prints them.
    """

    name: str
    limits: Mapping[str, str] = {}

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.settings = dict(settings or {})
        self.port = free_port()

    @abstractmethod
    def start(self) -> Self:
        """Start it, pinned to `SERVER_CORE`, and wait until it answers; raises `Unavailable`."""

    @abstractmethod
    def stop(self) -> None:
        """End it and all that it started; also after a start that failed, and twice."""

    @abstractmethod
    def pids(self) -> Sequence[int]:
        """The processes that serve streams: what CPU and memory are counted of."""

    @abstractmethod
    def stream_path(self, channel: str) -> str:
        """Path and query of an event stream of `channel`; a further parameter may follow with `&`."""

    @abstractmethod
    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        """Whole HTTP/1.1 requests (kept alive) that publish these events: one, where the server takes a batch.

        `data` holds JSON without white space, one line an event: a stream's data lines are the same, byte for byte, on
        every server.
        """

    @property
    def stream_headers(self) -> Mapping[str, str]:
        """What a client of a stream sends beside `Accept: text/event-stream`."""
        return {}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()


def on_core(core: int) -> list[str]:
    """Words before a command: it runs on this core, and may open as many files as this machine lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    return ["prlimit", f"--nofile={files}:{files}", "taskset", "--cpu-list", str(core)]


def pinned(command: Sequence[str], core: int = SERVER_CORE, **options: Any) -> Process:
    """A process of `command` that runs on one core."""
    return Process([*on_core(core), *command], **options)


def http_request(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole POST as bytes, for a connection that is kept alive."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {LOOPBACK}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
