"""Scenario 7: Redis stands still and comes back, its connections all open."""

import threading
import time
from collections import Counter

import pytest

from tests.faults.conftest import ROOMY, StartHermes, StartRedis
from tests.support.hermes_server import HermesServer
from tests.support.history import history
from tests.support.load import Load
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault]


class Readiness(threading.Thread):
    """Asks for `/readyz` all the time; every answer with its time."""

    def __init__(self, hermes: HermesServer) -> None:
        super().__init__(daemon=True)
        self._hermes = hermes
        self._ended = threading.Event()
        self.answers: list[tuple[float, int]] = []

    def run(self) -> None:
        while not self._ended.wait(0.1):
            asked = time.monotonic()
            self.answers.append((asked, self._hermes.get("/readyz").status_code))
        self._hermes.hang_up()

    def end(self) -> None:
        self._ended.set()
        self.join()

    def last(self, status: int, begin: float, end: float) -> float:
        """Seconds after `begin` of the last such answer before `end`; 0 for none."""
        return round(
            max((at - begin for at, was in self.answers if was == status and begin <= at < end), default=0.0), 2
        )


@pytest.mark.timeout(120)
def test_7_redis_stands_still(start_hermes: StartHermes, start_redis: StartRedis, full: bool) -> None:
    redis = start_redis()
    hermes = start_hermes(workers=2, redis_url=redis.url, env=ROOMY)
    seconds = 8 if full else 6
    readiness = Readiness(hermes)
    with Load([hermes], clients=100, rate=100) as load:
        readiness.start()
        load.run(1)
        redis.pause()
        paused = time.monotonic()
        load.run(seconds)
        redis.resume()
        resumed = time.monotonic()
        load.run(4)
        readiness.end()
        verdict = load.finish()
    stored = Counter((event["data"]["channel"], event["data"]["n"]) for event in history(hermes, "load:*"))
    keys = sum(load.oracle.issued().values())
    figures = {
        "s paused": seconds,
        "idempotency keys": keys,
        "stored entries": stored.total(),
        "s until not ready": readiness.last(200, paused, resumed),
        "s until ready": readiness.last(503, resumed, float("inf")),
    }
    verdict.check("scenario 7", **load.figures(), **figures)
    assert stored.total() == len(stored) == keys, "stored entries = distinct idempotency keys"
    assert load.publishers.again > 0, "publishers had to try again"
    assert figures["s until not ready"] <= 3
    assert figures["s until ready"] <= 3
    assert load.figures()["cut"] == 0, "streams stay open"
    wait_until(hermes.is_ready)
