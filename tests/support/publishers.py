"""Publishers that never give up: each event is sent again under its idempotency key until a server says 2xx."""

import http.client
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.hermes_server import HermesServer
from tests.support.oracle import Oracle
from tests.support.ports import LOOPBACK

PAUSE = 0.05  # seconds before an event is sent again: the publisher's own backoff
MAKE = Callable[[str, int], Mapping[str, Any]]


class Try(NamedTuple):
    """One request: when it began and ended (monotonic), and its status, 0 where no answer came."""

    began: float
    ended: float
    status: int


class Publishers:
    """Threads that share the channels (one owner each) and publish `rate` events a second together.

    `pad` makes the payloads so many bytes larger, `batch` puts that many into a call, `keys` > 0 makes them retained
    state of so many keys in turn. `rate` 0 is as fast as it goes; `limit` ends after so many events.
    """

    def __init__(
        self,
        oracle: Oracle,
        servers: Sequence[HermesServer],
        channels: Sequence[str],
        *,
        rate: float = 0.0,
        threads: int = 4,
        batch: int = 1,
        pad: int = 0,
        keys: int = 0,
        limit: int | None = None,
        timeout: float = 15.0,
    ) -> None:
        self.tries: list[Try] = []
        self.refused: list[str] = []  # answers that no retry cures
        self._oracle = oracle
        self._servers = list(servers)
        self._rate = rate / max(1, min(threads, len(channels)))
        self._batch, self._pad, self._keys = batch, "x" * pad, keys
        self._left = limit
        self._timeout = timeout
        self._run_id = secrets.token_hex(4)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        count = min(threads, len(channels))
        self._threads = [
            threading.Thread(target=self._run, args=(list(channels[index::count]), index), daemon=True)
            for index in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def stop(self) -> None:
        """No new events; waits until those under way are acknowledged."""
        self.__exit__(None, None, None)

    def join(self, timeout: float = 120.0) -> None:
        """Waits until `limit` events are acknowledged."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"publishers are not done within {timeout:g} s: {self.statuses()}"

    def statuses(self) -> Counter[int]:
        """How often each status was answered; 0: no answer."""
        return Counter(one.status for one in list(self.tries))

    @property
    def again(self) -> int:
        """How many tries were repeats."""
        return sum(1 for one in list(self.tries) if one.status != 201)

    # --- one thread

    def _run(self, channels: list[str], index: int) -> None:
        link = _Link(self._servers, index, self._timeout)
        try:
            self._publish_all(link, channels)
        finally:
            link.close()

    def _publish_all(self, link: "_Link", channels: list[str]) -> None:
        turn = number = 0
        due = time.monotonic()
        while not self._stopping.is_set() and self._take():
            if self._rate:
                due = max(due + self._batch / self._rate, time.monotonic() - 1)
                self._stopping.wait(max(0.0, due - time.monotonic()))
            channel = channels[turn % len(channels)]
            turn += 1
            payloads = []
            for _ in range(self._batch):
                more = {"key": f"k{number % self._keys}-{channel}"} if self._keys else {}
                number += 1
                payloads.append(self._oracle.issue(channel, **more, **({"pad": self._pad} if self._pad else {})))
            if not self._publish(link, channel, payloads):
                return

    def _take(self) -> bool:
        with self._lock:
            if self._left is None:
                return True
            self._left -= self._batch
            return self._left > -self._batch

    def _publish(self, link: "_Link", channel: str, payloads: list[dict[str, Any]]) -> bool:
        events = [
            {"channel": channel, "type": "tick", "data": payload, **({"key": payload["key"]} if self._keys else {})}
            for payload in payloads
        ]
        body = json.dumps(events if self._batch > 1 else events[0]).encode()
        key = f"{self._run_id}:{channel}:{payloads[0]['n']}"
        give_up_at = None
        while True:
            began = time.monotonic()
            status, text = link.post(body, key)
            self.tries.append(Try(began, time.monotonic(), status))
            if status == 201:
                self._oracle.acknowledge(*payloads)
                return True
            if 400 <= status < 500 and status != 429:
                self.refused.append(f"{status} {text[:300]}")
                return False
            if self._stopping.is_set():
                give_up_at = give_up_at or time.monotonic() + 30
                if time.monotonic() > give_up_at:
                    return False
            time.sleep(PAUSE)


class _Link:
    """A kept connection to one of the servers, and to the next one after a failure."""

    def __init__(self, servers: Sequence[HermesServer], index: int, timeout: float) -> None:
        self._servers, self._index, self._timeout = servers, index, timeout
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, key: str) -> tuple[int, str]:
        server = self._servers[self._index % len(self._servers)]
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, **server.headers}
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(LOOPBACK, server.port, timeout=self._timeout)
            self._connection.request("POST", "/api/v1/events", body, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            self._go_on()
            return 0, ""
        if answer.status >= 500:
            self._go_on()
        return answer.status, text

    def _go_on(self) -> None:
        """The next try goes to another server, if there is one."""
        self.close()
        self._index += 1

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
