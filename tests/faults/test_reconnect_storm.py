"""Scenario 1: clients that come and go all the time, while events flow."""

import pytest

from tests.faults.conftest import StartHermes
from tests.support.load import Load

pytestmark = [pytest.mark.live, pytest.mark.fault]


@pytest.mark.timeout(300)
def test_1_reconnect_storm(start_on_both: StartHermes, full: bool, request: pytest.FixtureRequest) -> None:
    hermes = start_on_both()
    with Load([hermes], clients=200, channels=20, rate=200, threads=20, batch=2, churn=(0.05, 0.5)) as load:
        load.run(60 if full else 6)
        verdict = load.finish()
    verdict.check(f"scenario 1 ({request.node.callspec.id})", **load.figures())
    assert verdict.resets.total() == 0
    assert load.figures()["ids decreased"] == 0
    assert load.figures()["reconnects"] > (1000 if full else 100)
