"""Scenario 6: the pub/sub links of all processes are cut again and again."""

import pytest

from tests.faults.conftest import ROOMY, StartHermes, StartRedis
from tests.support.load import Load

pytestmark = [pytest.mark.live, pytest.mark.fault]


@pytest.mark.timeout(180)
def test_6_pubsub_is_killed(start_hermes: StartHermes, start_redis: StartRedis, full: bool) -> None:
    redis = start_redis()
    hermes = start_hermes(workers=2, redis_url=redis.url, env=ROOMY)
    kills = 0
    with Load([hermes], clients=100, rate=200) as load:
        for _ in load.every(0.5, 60 if full else 5):
            kills += redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        verdict = load.finish()
    verdict.check("scenario 6", **load.figures(), kills=kills)
    assert kills >= 10
    assert load.figures()["reconnects"] == 0, "streams stay open"
    assert verdict.resets.total() == 0
