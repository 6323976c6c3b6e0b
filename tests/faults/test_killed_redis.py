"""Scenario 8: Redis dies while publishers are busy, and comes back with its data or without."""

import time

import pytest

from tests.faults.conftest import ROOMY, StartHermes, StartRedis, excuse_in_flight
from tests.support.history import retained
from tests.support.load import Load
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("persistent", [True, False])
def test_8_redis_is_killed(start_hermes: StartHermes, start_redis: StartRedis, full: bool, persistent: bool) -> None:
    redis = start_redis(appendonly=persistent)
    hermes = start_hermes(workers=2, redis_url=redis.url, env=ROOMY)
    mine = {f"k{index}": {"level": index} for index in range(20)}
    for key, data in mine.items():
        hermes.publish("board", data, key=key)
    wait_until(lambda: retained(hermes, "data:system"))
    sampled = retained(hermes, "data:system")["system"]["timestamp"]
    with Load([hermes], clients=40, rate=0) as load:
        load.run(5 if full else 2)
        redis.kill9()
        killed, issued, stored = time.monotonic(), load.oracle.issued(), load.oracle.newest()
        load.run(5 if full else 1.5)
        starting = time.monotonic()
        redis.start()
        back = time.monotonic()
        load.run(5 if full else 4)
        for client in load.crowd.clients:
            load.oracle.forgive(client.name, issued)
        verdict = load.finish()
    if not persistent:
        excuse_in_flight(verdict, stored, issued)
    first_2xx = min(one.ended for one in load.publishers.tries if one.status == 201 and one.ended > starting)
    at_once = [
        one for one in load.publishers.tries if one.status == 201 and killed <= one.began and one.ended < starting
    ]
    resets = [client["resets"] for client in load.report.values()]
    figures = {
        "2xx while down": len(at_once),
        "s until published": round(first_2xx - back, 2),
        "s until reset": round(max(reset["at"] for one in resets for reset in one) - back, 2) if any(resets) else -1,
    }
    verdict.check(f"scenario 8 (persistent: {persistent})", **load.figures(), **figures)
    assert [len(one) for one in resets] == [1] * 40, "one reset for each client"
    assert all(one[0]["reason"] == "epoch_changed" for one in resets)
    assert load.figures()["cut"] == 0, "streams stayed open"
    assert figures["2xx while down"] == 0
    assert figures["s until published"] <= 5
    assert figures["s until reset"] <= 5
    assert retained(hermes, "data:system")["system"]["timestamp"] > sampled
    assert retained(hermes, "board") == (mine if persistent else {}), "as far as the store kept it"
