"""A failover to a replica that lags loses what it had not."""

from pathlib import Path

import pytest

from tests.support.redis_sentinel import RedisSentinel
from tests.support.wait import wait_until

pytestmark = pytest.mark.live


def test_fail_over_to_a_replica_that_lags(tmp_path: Path) -> None:
    with RedisSentinel(tmp_path) as redis:
        redis.primary.client.set("a", "1")
        wait_until(lambda: redis.replica.client.get("a") == "1", 5)
        redis.lag()
        redis.primary.client.set("a", "2")
        redis.fail_over()
        assert redis.replica.client.get("a") == "1"
        redis.replica.client.set("a", "3")
