"""Redis in its own hands: lives, data, and a stall."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.live
Start = Callable[..., RedisServer]


def test_lives(start_redis: Start, tmp_path: Path) -> None:
    server = start_redis()
    server.client.set("a", "1")
    run_id = server.client.info("server")["run_id"]
    server.restart()
    assert server.client.get("a") == "1"
    assert server.client.info("server")["run_id"] != run_id
    snapshot = server.snapshot(tmp_path / "older.rdb")
    server.client.set("a", "2")
    server.kill9()
    assert not server.answers()
    server.start()
    assert server.client.get("a") == "1", "what was on its disk"
    server.client.set("b", "1")
    server.save()
    server.restore(snapshot)
    assert server.client.keys() == ["a"]
    server.restart(keep_data=False)
    assert server.client.dbsize() == 0


def test_appendonly_survives_a_crash(start_redis: Start) -> None:
    server = start_redis(appendonly=True)
    server.client.set("a", "1")
    server.kill9()
    server.start()
    assert server.client.get("a") == "1"


def test_pause(start_redis: Start) -> None:
    server = start_redis()
    quick = server.connect(socket_timeout=0.2)
    server.pause()
    with pytest.raises(redis.TimeoutError):
        quick.ping()
    server.resume()
    assert server.answers()
    quick.close()


def test_settings(start_redis: Start) -> None:
    server = start_redis(maxmemory="20mb", config={"client-output-buffer-limit": "pubsub 64kb 64kb 0"})
    assert server.cli("CONFIG", "GET", "maxmemory") == {"maxmemory": "20971520"}
    assert "pubsub 65536 65536 0" in server.cli("CONFIG", "GET", "client-output-buffer-limit").popitem()[1]


def test_the_shared_one_is_emptied(redis_url: str, redis_server: RedisServer) -> None:
    assert redis_url == redis_server.url
    assert redis_server.client.dbsize() == 0
