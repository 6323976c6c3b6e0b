"""Scenario 4: a server with many streams is told to stop."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.faults.conftest import StartHermes
from tests.support.crowd import Client, Crowd
from tests.support.load import stream_url
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault]

GRACEFUL_TIMEOUT = 25  # the default of HERMES_GRACEFUL_TIMEOUT
STREAMS = 500


@pytest.mark.timeout(120)
def test_4_sigterm_with_500_streams(start_hermes: StartHermes) -> None:
    hermes = start_hermes()
    url = stream_url(hermes, ["a"])
    plans = [Client(f"c{index}", ["a"], [url]) for index in range(STREAMS)]
    with Crowd(plans, headers=hermes.headers) as crowd:
        crowd.wait_open()
        began = time.monotonic()
        hermes.process.signal(signal.SIGTERM)
        code = hermes.process.wait(GRACEFUL_TIMEOUT + 10)
        took = time.monotonic() - began
        wait_until(lambda: crowd.standing().open == 0)
        report = crowd.report()
    closes = [close for client in report.values() for close in client["closes"]]
    due = sorted(close["at"] + close["retry"] for close in closes)
    seconds = [sum(begin <= at < begin + 1 for at in due) for begin in _steps(due)]
    mean = len(due) / len(seconds)
    print(
        f"scenario 4: {STREAMS} streams, exit {code} after {took:.1f} s, {len(closes)} close frames, reconnects due in "
        f"{len(seconds)} s, fullest second {max(seconds)}, mean {mean:.0f}"
    )
    assert code == 0
    assert took < GRACEFUL_TIMEOUT
    assert len(closes) == STREAMS
    assert {(close["reason"], close["reconnect"]) for close in closes} == {("drain", True)}
    assert max(seconds) <= 3 * mean
    assert len(seconds) >= 3, "spread at all"


@pytest.mark.timeout(60)
def test_4_nobody_waits_for_long_polls(start_hermes: StartHermes) -> None:
    """They are answered at once, with where to go on."""
    hermes = start_hermes()
    url = f"{hermes.url}/api/v1/events?channels=public:a&after=earliest&wait=25"
    with ThreadPoolExecutor(5) as pool:
        polls = [pool.submit(requests.get, url, timeout=40) for _ in range(5)]
        time.sleep(0.5)
        began = time.monotonic()
        hermes.process.signal(signal.SIGTERM)
        code = hermes.process.wait(GRACEFUL_TIMEOUT + 10)
        took = time.monotonic() - began
        answers = [poll.result() for poll in polls]
    print(f"scenario 4: 5 long polls, exit {code} after {took:.1f} s")
    assert code == 0
    assert took < 10
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json()["cursor"] for answer in answers)


def _steps(due: list[float]) -> list[float]:
    """The seconds over which they are spread, by their beginnings."""
    return [due[0] + index for index in range(int(due[-1] - due[0]) + 1)] if due else [0.0]
