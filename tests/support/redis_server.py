"""A Redis of the tests' own, on loopback, that can be killed, stopped, emptied and taken back to an older state."""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.program import require_program

PAUSE_LIMIT = 60.0  # seconds a client of ours waits for an answer


class RedisServer:
    """One `redis-server` in the foreground, on one port for all its lives.

    Without `appendonly` it keeps its data in memory: `kill9()` loses all but the last `save()`. `maxmemory` is written
    as Redis writes it ("50mb"); `config` holds further settings, several words in one string
    (`{"client-output-buffer-limit": "pubsub 64kb 64kb 0"}`, `{"replicaof": "127.0.0.1 6379"}`).
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        appendonly: bool = False,
        maxmemory: str | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        settings = {
            "port": str(self.port),
            "bind": LOOPBACK,
            "dir": str(directory),
            "save": '""',
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": "always",
            "maxmemory": maxmemory or "0",
            "maxmemory-policy": "noeviction",
            "enable-debug-command": "local",
            **(config or {}),
        }
        command = [require_program("redis-server")]
        for name, value in settings.items():
            command += [f"--{name}", *shlex.split(value)]
        self.process = Process(command, log=directory / "redis.log")
        self.client = self.connect()

    # --- life

    def start(self, timeout: float = 15.0) -> Self:
        """Starts it and waits until it answers (data loaded)."""
        self.process.start()
        try:
            self.process.wait_for(self.answers, timeout, f"Redis on port {self.port}")
        except BaseException:
            self.process.kill9()
            raise
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.process.end()

    def stop(self) -> None:
        """Ends it in order (SIGTERM)."""
        self.process.end()

    def kill9(self) -> None:
        """Ends it as a crash does."""
        self.process.kill9()

    def restart(self, *, keep_data: bool = True) -> Self:
        """Back on the same port with the data that it had, or empty. A killed one has what was on its disk."""
        if self.process.is_running:
            if keep_data:
                self.save()
            self.stop()
        if not keep_data:
            self.erase_disk()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        self.process.stop()

    def resume(self) -> None:
        """SIGCONT."""
        self.process.cont()

    # --- data

    @property
    def url(self) -> str:
        """For `REDIS_URL`; database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def connect(self, **options: Any) -> "redis.Redis":
        """A client that tries once and says what it met; `options` are redis-py's."""
        defaults: dict[str, Any] = {
            "host": LOOPBACK,
            "port": self.port,
            "decode_responses": True,
            "socket_timeout": PAUSE_LIMIT,
            "retry": Retry(NoBackoff(), 0),
        }
        return redis.Redis(**(defaults | options))

    def cli(self, *words: str | int | float) -> Any:
        """One command, as `redis-cli` would send it: `cli("CLIENT", "KILL", "TYPE", "pubsub")`."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def answers(self) -> bool:
        """Whether it answers PING now."""
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def empty(self) -> None:
        """Removes all data of all databases."""
        self.client.flushall()

    def save(self) -> None:
        """Writes the snapshot that the next start will read."""
        self.client.save()

    def snapshot(self, to: Path) -> Path:
        """Saves, and keeps a copy of the snapshot at `to`, for `restore()`."""
        self.save()
        return Path(shutil.copy(self.directory / "dump.rdb", to))

    def restore(self, snapshot: Path) -> Self:
        """Comes back with that older state, as an operator who restores a backup."""
        self.kill9()
        self.erase_disk()
        shutil.copy(snapshot, self.directory / "dump.rdb")
        return self.start()

    def erase_disk(self) -> None:
        """Removes what it wrote; only while it is down."""
        (self.directory / "dump.rdb").unlink(missing_ok=True)
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
