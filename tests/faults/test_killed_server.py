"""Scenario 3: the only process dies, with its embedded store, and comes back."""

import pytest

from tests.faults.conftest import ROOMY, StartHermes
from tests.support.load import Load

pytestmark = [pytest.mark.live, pytest.mark.fault]


@pytest.mark.timeout(180)
def test_3_the_only_process_is_killed(start_hermes: StartHermes, full: bool) -> None:
    hermes = start_hermes(env=ROOMY)
    kills = 0
    with Load([hermes], clients=100, rate=200) as load:
        for _ in load.every(*((4, 60) if full else (2.5, 6))):
            hermes.kill9()
            hermes.restart()
            kills += 1
        verdict = load.finish()
    verdict.check("scenario 3", **load.figures(), kills=kills)
    assert kills >= 2
    assert load.figures()["resumed"] >= 100 * kills
    assert verdict.resets.total() == 0, "clients resume without reset"
