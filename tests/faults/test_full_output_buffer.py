"""Scenario 10: a process does not read its feed, and Redis cuts it off for that."""

from pathlib import Path

import pytest

from tests.faults.conftest import ROOMY, StartHermes, StartRedis
from tests.support.load import Load
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.live, pytest.mark.fault]


MEGABYTES = 10
SECONDS = 5


def feed_ids(redis: RedisServer) -> set[str]:
    """The ids of the connections that subscribe."""
    return {client["id"] for client in redis.client.client_list(_type="pubsub")}


@pytest.mark.timeout(120)
def test_10_the_feed_overflows(start_hermes: StartHermes, start_redis: StartRedis, tmp_path: Path) -> None:
    redis = start_redis(config={"client-output-buffer-limit": "pubsub 64kb 64kb 0"})
    stopped, other = (start_hermes(tmp_path / "data", redis_url=redis.url, env=ROOMY) for _ in range(2))
    events = MEGABYTES * 1024 // 4
    with Load([stopped], clients=20, publish_to=[other], rate=events / 4, limit=events, pad=4000, batch=8) as load:
        feeds = feed_ids(redis)
        stopped.process.stop()
        load.run(SECONDS)
        cut = len(feeds - feed_ids(redis))
        stopped.process.cont()
        load.publishers.join()
        verdict = load.finish()
    verdict.check("scenario 10", **load.figures(), **{"MB": MEGABYTES, "s stopped": SECONDS, "feeds cut by Redis": cut})
    assert cut >= 1
    assert verdict.acknowledged >= events
    assert verdict.resets.total() == 0, "inside the log"
