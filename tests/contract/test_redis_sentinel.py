"""Redis with Sentinel: a failover moves every link to the new primary, and is a new epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermes.errors import StoreError, Unavailable
from tests.contract.helpers import Recorder, event, events
from tests.contract.redis_fixtures import OpenRedis
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.skipif(sys.platform == "win32", reason="no Redis there")]
StartRedis = Callable[..., RedisServer]


@pytest.fixture
def fleet(start_redis: StartRedis, tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, int]]:
    """A primary, its replica, and the port of a Sentinel that alone decides."""
    primary = start_redis()
    replica = start_redis(config={"replicaof": f"{LOOPBACK} {primary.port}"})
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind {LOOPBACK}\ndir {tmp_path}\n"
        f"sentinel monitor hub {LOOPBACK} {primary.port} 1\n"
        "sentinel down-after-milliseconds hub 500\nsentinel failover-timeout hub 2000\n"
    )
    with Process(["redis-server", str(settings), "--sentinel"]) as sentinel:
        sentinel.wait_for_port(port)
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", 20)
        watcher = primary.connect(port=port)

        def knows_the_replica() -> bool:
            return len(watcher.execute_command("SENTINEL", "REPLICAS", "hub")) == 1

        wait_until(knows_the_replica, 20)
        yield primary, replica, port
        watcher.close()


def test_a_failover(fleet: tuple[RedisServer, RedisServer, int], open_redis: OpenRedis) -> None:
    primary, replica, port = fleet
    url = f"redis+sentinel://{LOOPBACK}:{free_port()},{LOOPBACK}:{port}/hub/0"
    broker = open_redis(url)
    feed = Recorder()
    broker.feed(feed)
    before = broker.publish(events("a", 5))[0].epoch
    feed.wait_for(5)
    primary.kill9()

    def published() -> object:
        try:
            return broker.publish([event("a")])
        except Unavailable:
            return None

    (cursor,) = wait_until(published, 30)  # type: ignore[misc]
    assert (cursor.epoch != before, cursor.number) == (True, 1)
    assert replica.client.info("replication")["role"] == "master"
    wait_until(lambda: ("", 0) in feed.announced, 20)
    wait_until(lambda: (cursor.epoch, broker.publish([event("a")])[0].number, 1) in feed.calls, 20)


def test_a_url_that_leads_to_the_sentinel_itself(
    fleet: tuple[RedisServer, RedisServer, int], open_redis: OpenRedis
) -> None:
    broker = open_redis(f"redis://{LOOPBACK}:{fleet[2]}/0")
    with pytest.raises(StoreError, match=r"redis\+sentinel"):
        broker.feed(Recorder())


def test_a_service_that_the_sentinels_do_not_know(
    fleet: tuple[RedisServer, RedisServer, int], open_redis: OpenRedis, caplog: pytest.LogCaptureFixture
) -> None:
    broker = open_redis(f"redis+sentinel://{LOOPBACK}:{fleet[2]}/other/0")
    with pytest.raises(Unavailable):
        broker.tip()
    assert "No master found for 'other'" in caplog.text
