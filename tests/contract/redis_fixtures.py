"""What the tests of Redis alone share: brokers on any server, closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hermes.brokers.base import Bounds
from hermes.brokers.redis import RedisBroker
from hermes.core.clock import SystemClock
from tests.support.redis_server import RedisServer

OpenRedis = Callable[..., RedisBroker]


@pytest.fixture
def open_redis() -> Iterator[OpenRedis]:
    """Opens a broker on a server or a URL: `open_redis(server, prefix="p")`; it is closed with the test."""
    with ExitStack() as stack:

        def open_broker(where: RedisServer | str, *, bounds: Bounds | None = None, **options: Any) -> RedisBroker:
            url = where if isinstance(where, str) else where.url
            options = {"node": "node", **options}
            broker = RedisBroker(url, clock=SystemClock(), bounds=bounds or Bounds(), **options)
            stack.callback(broker.close)
            return broker

        yield open_broker
