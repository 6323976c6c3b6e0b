"""Scenario 32: a large retained state goes to many fresh streams on slow links, and changes all the while."""

import contextlib
from collections import Counter

import pytest

from tests.faults.conftest import StartHermes
from tests.support.crowd import Client, Crowd
from tests.support.history import retained
from tests.support.load import stream_url
from tests.support.oracle import Oracle
from tests.support.publishers import Publishers
from tests.support.wait import WaitTimeout

pytestmark = [pytest.mark.live, pytest.mark.fault]

BYTES = 950  # of each key's payload, about
MOST_OPENINGS = 3


@pytest.mark.timeout(400)
def test_32_slow_openings(start_on_both: StartHermes, full: bool, request: pytest.FixtureRequest) -> None:
    keys, streams, rate, updates, spread = (3000, 500, 64_000, 15, 10) if full else (800, 60, 150_000, 50, 2)
    hermes = start_on_both(app="tests.support.inspected_app:app", env={"HERMES_HISTORY_SIZE": "1000"})
    oracle = Oracle()
    with Publishers(oracle, [hermes], ["board"], keys=keys, pad=BYTES, batch=200, limit=keys) as filling:
        filling.join()
    size = sum(len(str(data)) for data in retained(hermes, "board").values())
    url = stream_url(hermes, ["board"])
    plans = [
        Client(f"c{index}", ["board"], [url], rate=rate, receive_buffer=4096, delay=spread * index / streams)
        for index in range(streams)
    ]
    resting = hermes.get("/inside").json()["rss"]
    with Crowd(plans, headers=hermes.headers) as crowd:
        with Publishers(oracle, [hermes], ["board"], keys=keys, pad=BYTES, rate=updates) as updating:
            with contextlib.suppress(WaitTimeout):  # the figures say more
                crowd.wait_open(240)
            most = hermes.get("/inside").json()["rss"]
            updating.stop()
        crowd.wait_settled(oracle.newest(), 120)
        report = crowd.report()
    fresh = {key: data["n"] for key, data in retained(hermes, "board").items()}
    differ = [name for name, client in report.items() if client["state"] != fresh]
    openings = [client["openings"] + len(client["resets"]) for client in report.values()]
    again = sum((Counter(client["endings"]) for client in report.values()), Counter())
    again += Counter(reset["reason"] for client in report.values() for reset in client["resets"])
    again += Counter(close["reason"] for client in report.values() for close in client["closes"])
    during = len(oracle.newest()) and oracle.newest()["board"] - keys
    print(
        f"scenario 32 ({request.node.callspec.id}): {len(fresh)} keys, {size / 1e6:.1f} MB, {streams} streams at "
        f"{rate // 1000} kB/s, {during} updates meanwhile, {sum(client['retained'] for client in report.values())} retained "
        f"frames, {len(differ)} differ from a fresh snapshot, openings at most {max(openings)}, in all {sum(openings)}, "
        f"memory +{(most - resting) / 1e6:.0f} MB, why again: {dict(again)}"
    )
    assert len(fresh) == keys
    assert not differ, (differ[:5], report[differ[0]] if differ else None)
    assert max(openings) <= MOST_OPENINGS
    assert all(client["is_open"] and not client["stopped"] for client in report.values())
    for client in report.values():
        numbers = client["seen"].get("board", [])
        assert numbers == sorted(set(numbers)), "once and in order"
