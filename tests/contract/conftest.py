"""The suite runs once for each broker: a test that asks for `broker_factory` or `broker` holds all of them to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hermes.brokers.base import Broker
from tests.contract.database_fixtures import database, databases, postgres, postgres_server
from tests.contract.factories import BrokerFactory, EmbeddedFactory, RedisFactory
from tests.contract.redis_fixtures import open_redis

__all__ = ["database", "databases", "open_redis", "postgres", "postgres_server"]


@pytest.fixture(params=["embedded", "redis"])
def broker_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerFactory]:
    """Makes brokers on one store."""
    if request.param == "embedded":
        factory: BrokerFactory = EmbeddedFactory(tmp_path / "data")
    else:
        factory = RedisFactory(request.getfixturevalue("redis_server"))
    yield factory
    factory.close()


@pytest.fixture
def broker(broker_factory: BrokerFactory) -> Broker:
    """A broker on an empty store, with bounds that no test reaches."""
    return broker_factory()
