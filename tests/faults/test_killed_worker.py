"""Scenario 2: web workers die, one after another, while the others and the store go on."""

import os
import signal

import pytest

from tests.faults.conftest import ROOMY, StartHermes, slowest_return
from tests.support.load import Load

pytestmark = [pytest.mark.live, pytest.mark.fault]


@pytest.mark.timeout(180)
def test_2_a_worker_is_killed(start_hermes: StartHermes, redis_url: str, full: bool) -> None:
    hermes = start_hermes(workers=2, redis_url=redis_url, env=ROOMY)
    kills = 0
    with Load([hermes], clients=100, rate=100) as load:
        for _ in load.every(*((5, 60) if full else (2.5, 6))):
            os.kill(hermes.worker_pids()[0], signal.SIGKILL)
            kills += 1
        verdict = load.finish()
    slowest = slowest_return(load)
    verdict.check("scenario 2", **load.figures(), kills=kills, **{"s beyond retry at most": slowest})
    assert kills >= 2
    assert load.figures()["cut"] >= 50, "the kills cut streams"
    assert slowest <= 2
