"""Two servers on two ports, two workers each, on one Redis: one hub."""

from collections import Counter

import psutil
import pytest

from tests.integration.conftest import StartHermes, StartRedis
from tests.support.load import Load
from tests.support.wait import wait_until

pytestmark = pytest.mark.live


def test_published_at_one_seen_at_the_other(start_hermes: StartHermes, start_redis: StartRedis) -> None:
    redis = start_redis()
    first = start_hermes(workers=2, redis_url=redis.url)
    second = start_hermes(first.data_dir, workers=2, redis_url=redis.url)
    with Load([second], publish_to=[first], clients=40, rate=100) as load:
        load.run(2)
        names = Counter(client["name"] for client in redis.client.client_list() if client["name"])
        links = {
            pid: sum(
                1 for link in psutil.Process(pid).net_connections() if link.raddr and link.raddr.port == redis.port
            )
            for server in (first, second)
            for pid in server.worker_pids()
        }
        verdict = load.finish()
    verdict.check("two servers", **load.figures(), **{"connections by process": links})
    assert verdict.acknowledged > 50
    assert len(links) == 4
    assert max(links.values()) <= 3, "at most three Redis connections for each process"
    assert set(names) == {"hermes-feed", "hermes-ask", "hermes-publish"}
    assert sum(names.values()) == sum(links.values())


def test_the_fleet_counts_its_streams(start_hermes: StartHermes, redis_url: str) -> None:
    first = start_hermes(redis_url=redis_url)
    second = start_hermes(first.data_dir, redis_url=redis_url)
    with Load([first], clients=3, rate=1), Load([second], clients=4, rate=1):
        for server in (first, second):
            wait_until(lambda server=server: server.get("/api/v1/events/health").json()["active_connections"] == 7)  # type: ignore[misc]
