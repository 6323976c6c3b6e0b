"""How each broker is made, emptied, opened again and taken down: all that differs between them for the suite."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import redis

from hermes.brokers.base import Bounds, Broker
from hermes.core.clock import SystemClock
from tests.support.redis_server import RedisServer

PLENTY = Bounds()


class BrokerFactory(Protocol):
    """One store, and brokers on it. Brokers that a test leaves open are closed with the factory."""

    def __call__(self, bounds: Bounds = PLENTY) -> Broker:
        """A broker on this store. There is one at a time."""

    def reopen(self, broker: Broker, bounds: Bounds = PLENTY) -> Broker:
        """Close it as a process that ends, and open another one on the same store."""

    def empty(self) -> None:
        """Close what is open, and forget all that was ever stored."""

    def outage(self) -> Iterator[None]:
        """A context in which the store takes nothing."""

    def check_books(self, broker: Broker) -> None:
        """What the store keeps beside the events agrees with them."""

    def close(self) -> None:
        """Close what is open."""


class EmbeddedFactory:
    """The embedded broker, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: list[Broker] = []

    def __call__(self, bounds: Bounds = PLENTY) -> Broker:
        from hermes.brokers.embedded import EmbeddedBroker

        broker = EmbeddedBroker(self._folder, clock=SystemClock(), bounds=bounds)
        broker.open()
        self._opened.append(broker)
        return broker

    def reopen(self, broker: Broker, bounds: Bounds = PLENTY) -> Broker:
        broker.close()
        return self(bounds)

    def empty(self) -> None:
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def outage(self) -> Iterator[None]:
        from hermes.brokers.journal_file import FILE

        intruder = sqlite3.connect(self._folder / FILE, isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            intruder.close()

    def check_books(self, broker: Broker) -> None:
        """Its own tests look into the journal."""

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()


class RedisFactory:
    """The broker on Redis, in database 0 of a server that is the tests' own."""

    def __init__(self, server: RedisServer) -> None:
        from hermes.brokers.redis import RedisBroker

        self._make = RedisBroker
        self._server = server
        self._opened: list[Broker] = []
        self.empty()

    def __call__(self, bounds: Bounds = PLENTY) -> Broker:
        broker = self._make(self._server.url, clock=SystemClock(), bounds=bounds, node="node")
        self._opened.append(broker)
        return broker

    def reopen(self, broker: Broker, bounds: Bounds = PLENTY) -> Broker:
        broker.close()
        return self(bounds)

    def empty(self) -> None:
        self.close()
        self._server.empty()

    @contextmanager
    def outage(self) -> Iterator[None]:
        self._server.pause()
        try:
            yield
        finally:
            self._server.resume()

    def check_books(self, broker: Broker) -> None:
        check_redis_books(self._server.connect())

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()


def check_redis_books(client: redis.Redis, prefix: str = "hermes") -> None:
    """Order, lists, floors and bytes say the same as the log itself; nothing of the log would expire."""
    with client:
        meta = client.hgetall(f"{prefix}:meta")
        if not meta:
            return
        epoch = meta["epoch"]
        log = client.hgetall(f"{prefix}:log:{epoch}")
        assert set(log) == set(client.zrange(f"{prefix}:order:{epoch}", 0, -1))
        lists: dict[str, list[str]] = {}
        size = 0
        for number in sorted(log, key=int):
            head, _, record = log[number].partition("\n")
            size += len(record.encode())
            for channel in head.partition(" ")[2].split(","):
                lists.setdefault(channel, []).append(number)
        assert int(meta["bytes"]) == size
        assert client.smembers(f"{prefix}:lists:{epoch}") == set(lists)
        for channel, expected in lists.items():
            assert client.lrange(f"{prefix}:list:{epoch}:{channel}", 0, -1) == expected
        assert len(client.keys(f"{prefix}:list:{epoch}:*")) == len(lists)
        floors = dict(client.zrange(f"{prefix}:floors:{epoch}", 0, -1, withscores=True))
        assert all(int(meta["floor"]) < floor <= int(meta["number"]) for floor in floors.values())
        expiring = {key for key in client.keys(f"{prefix}:*") if client.ttl(key) != -1}
        assert all(key.startswith((f"{prefix}:once:", f"{prefix}:caller:", f"{prefix}:lease:")) for key in expiring), (
            expiring
        )
        for channel, held in client.hgetall(f"{prefix}:retained").items():
            values = client.hgetall(f"{prefix}:retained:{channel}")
            assert int(held) == sum(len(value.partition("\n")[2].encode()) for value in values.values())
            assert set(values) == set(client.zrange(f"{prefix}:changed:{channel}", 0, -1))
