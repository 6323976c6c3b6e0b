"""Scenario 31: clients come from a process that is up to date to one whose feed is late, and back."""

from pathlib import Path

import pytest

from tests.faults.conftest import ROOMY, StartHermes
from tests.support.load import Load
from tests.support.redis_server import RedisServer
from tests.support.slow_feed import SlowFeed

pytestmark = [pytest.mark.live, pytest.mark.fault]

DELAY = 2.0


@pytest.mark.timeout(120)
def test_31_a_cursor_is_ahead_of_its_process(
    start_hermes: StartHermes, redis_url: str, redis_server: RedisServer, tmp_path: Path, full: bool
) -> None:
    with SlowFeed(redis_server.port, DELAY) as relay:
        prompt = start_hermes(tmp_path / "data", redis_url=redis_url, env=ROOMY)
        late = start_hermes(tmp_path / "data", redis_url=f"redis://127.0.0.1:{relay.port}/0", env=ROOMY)
        with Load([prompt, late], clients=60, rate=100, churn=(0.1, 3.0), publish_to=[prompt]) as load:
            load.run(60 if full else 6)
            verdict = load.finish()
    verdict.check("scenario 31", **load.figures(), **{"feed late by s": DELAY, "feeds delayed": relay.delayed})
    assert relay.delayed == 1
    assert load.figures()["ids decreased"] == 0
    assert verdict.resets.total() == 0
    assert load.figures()["resumed"] >= 50
