"""A primary, a replica that can be made to lag, and three Sentinels that fail over within a few seconds."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.support.ports import LOOPBACK, free_port, is_listening
from tests.support.process import Process
from tests.support.program import require_program
from tests.support.redis_server import RedisServer
from tests.support.tcp_relay import TcpRelay
from tests.support.wait import wait_until

SERVICE = "hermes"
COUNT = 3


class RedisSentinel:
    """`url` for `REDIS_URL`; `primary` and `replica` are what they were at the start, whoever leads now.

    with RedisSentinel(tmp_path) as redis:
        redis.lag()
        ... publish what the replica will never have ...
        redis.fail_over()
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        quick = {"repl-diskless-sync-delay": "0"}
        self.primary = RedisServer(directory / "primary", config=quick)
        self._wire = TcpRelay(self.primary.port)
        self.replica = RedisServer(
            directory / "replica", config={**quick, "replicaof": f"{LOOPBACK} {self._wire.port}"}
        )
        self.ports = [free_port() for _ in range(COUNT)]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for part in (self.primary, self._wire, self.replica):
                stack.enter_context(part)
            # A Sentinel that meets a replica without its link waits long before it trusts it.
            wait_until(self._is_linked, 20, "the replica's link")
            for port in self.ports:
                stack.enter_context(self._sentinel(port))
            wait_until(self._agree, 20, "the Sentinels' agreement")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The Sentinels, the service's name and the database."""
        return f"redis+sentinel://{','.join(f'{LOOPBACK}:{port}' for port in self.ports)}/{SERVICE}/0"

    def lag(self) -> None:
        """From now on the replica gets nothing, and does not know it."""
        self._wire.stall()

    def fail_over(self, timeout: float = 20.0) -> None:
        """Kills the primary and waits until every Sentinel names the replica as the new one."""
        self.primary.kill9()
        self._wire.cut(reset=True)
        wait_until(self._is_ordered, timeout, "a replica that may lead")
        wait_until(lambda: set(map(self._primary_of, self.ports)) == {self.replica.port}, timeout, "the failover")
        wait_until(lambda: self.replica.client.info("replication")["role"] == "master", timeout, "the promotion")

    def _sentinel(self, port: int) -> Process:
        folder = self._directory / f"sentinel-{port}"
        folder.mkdir()
        settings = folder / "sentinel.conf"  # Sentinel writes what it learns into it
        settings.write_text(
            f"port {port}\nbind {LOOPBACK}\ndir {folder}\n"
            f"sentinel monitor {SERVICE} {LOOPBACK} {self.primary.port} 2\n"
            # Both long: the test gives the order, since an election can be a draw; and a Sentinel would soon take a
            # replica off the relay and back to its primary.
            f"sentinel down-after-milliseconds {SERVICE} 30000\n"
            f"sentinel failover-timeout {SERVICE} 60000\n"
        )
        return Process([require_program("redis-server"), settings, "--sentinel"], log=folder / "log")

    def _is_linked(self) -> bool:
        return bool(self.replica.client.info("replication").get("master_link_status") == "up")

    def _agree(self) -> bool:
        for port in self.ports:
            if not is_listening(port):
                return False
            with self.primary.connect(port=port) as sentinel:
                state = sentinel.sentinel_master(SERVICE)
            if (state["num-slaves"], state["num-other-sentinels"]) != (1, COUNT - 1):
                return False
        return True

    def _is_ordered(self) -> bool:
        with self.primary.connect(port=self.ports[0]) as sentinel:
            try:
                return bool(sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE))
            except redis.ResponseError:  # no good replica yet
                return False

    def _primary_of(self, port: int) -> int:
        with self.primary.connect(port=port) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name(SERVICE)[1])
