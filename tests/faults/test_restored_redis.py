"""Scenario 9: Redis goes back in time: an older snapshot, or a replica that was late, becomes the truth."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.conftest import ROOMY, StartHermes, StartRedis, excuse_in_flight
from tests.support.hermes_server import REPOSITORY, TREE, clean_environment
from tests.support.load import Load
from tests.support.publishers import Publishers
from tests.support.redis_sentinel import RedisSentinel
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault, pytest.mark.timeout(180)]

CLIENTS = 40
NEXT = 50  # events
PAST = 3000  # events that take the new sequence past what the old one had


# In a process of its own, because it must be the Hermes that is tested: tests/faults/test_can_fail.py runs broken ones.
PROGRAM = """
import sys
from hermes import Publisher
with Publisher(redis_url=sys.argv[1]) as publisher:
    for _ in range(int(sys.argv[2]) // 1000):
        publisher.publish_batch([{"channel": "past", "data": None}] * 1000)
"""


def publish_past(url: str) -> None:
    command = [sys.executable, "-c", PROGRAM, url, str(PAST)]
    subprocess.run(command, cwd=os.environ.get(TREE, REPOSITORY), env=clean_environment(), check=True, timeout=60)


def wait_for_resets(load: Load) -> None:
    wait_until(lambda: load.crowd.standing().reset_clients == CLIENTS, 20, lambda: f"resets: {load.crowd.standing()}")


def judge(load: Load, title: str, began: float, issued: dict[str, int], acknowledged: dict[str, int]) -> None:
    """After `issued` everything is owed; before it the reset excuses."""
    after = sum(load.oracle.newest().values()) - sum(issued.values())
    for client in load.crowd.clients:
        load.oracle.forgive(client.name, issued)
    verdict = load.finish()
    excused = excuse_in_flight(verdict, acknowledged, issued)
    resets = [client["resets"] for client in load.report.values()]
    slowest = round(max(reset["at"] for one in resets for reset in one) - began, 2)
    verdict.check(title, **load.figures(), **{"s until reset": slowest, "events after": after, "sent again": excused})
    assert after >= NEXT
    assert [len(one) for one in resets] == [1] * CLIENTS, "one reset for each"
    assert {reset["reason"] for one in resets for reset in one} == {"epoch_changed"}
    assert slowest <= 5
    assert load.figures()["ids decreased"] == 0, "within an epoch"


def test_9_an_older_snapshot(start_hermes: StartHermes, start_redis: StartRedis, tmp_path: Path, full: bool) -> None:
    redis = start_redis()
    hermes = start_hermes(workers=2, redis_url=redis.url, env=ROOMY)
    with Load([hermes], clients=CLIENTS, rate=100) as load:
        load.run(10 if full else 1)
        snapshot = redis.snapshot(tmp_path / "older.rdb")
        load.run(20 if full else 2)
        redis.kill9()
        issued, acknowledged = load.oracle.issued(), load.oracle.newest()
        redis.restore(snapshot)
        began = time.monotonic()
        wait_for_resets(load)
        load.run(10 if full else 2)
        judge(load, "scenario 9 (snapshot)", began, issued, acknowledged)


def test_9_a_replica_that_lags(start_hermes: StartHermes, tmp_path: Path, full: bool) -> None:
    with RedisSentinel(tmp_path / "sentinel") as redis:
        hermes = start_hermes(workers=2, redis_url=redis.url, env=ROOMY)
        with Load([hermes], clients=CLIENTS, rate=100) as load:
            load.run(5 if full else 1)
            redis.lag()
            load.run(5 if full else 2)
            acknowledged = load.oracle.newest()
            redis.fail_over()
            began = time.monotonic()
            issued = load.oracle.issued()  # some of them after the failover
            wait_for_resets(load)
            load.run(10 if full else 2)
            judge(load, "scenario 9 (failover)", began, issued, acknowledged)


def test_9_all_web_processes_restarted_meanwhile(
    start_hermes: StartHermes, start_redis: StartRedis, tmp_path: Path, full: bool
) -> None:
    redis = start_redis()
    hermes = start_hermes(workers=2, redis_url=redis.url, env=ROOMY)
    with Load([hermes], clients=CLIENTS, rate=100) as load:
        load.run(5 if full else 1)
        snapshot = redis.snapshot(tmp_path / "older.rdb")
        load.run(5 if full else 1)
        load.publishers.stop()
        load.crowd.wait_settled(load.oracle.newest())
        issued = load.oracle.issued()
        hermes.stop()
        redis.restore(snapshot)
        publish_past(redis.url)
        hermes.start()
        began = time.monotonic()
        wait_for_resets(load)
        load.crowd.wait_open()
        with Publishers(load.oracle, [hermes], load.channels, rate=200, limit=NEXT) as publishers:
            publishers.join()
        judge(load, "scenario 9 (all restarted)", began, issued, issued)
