"""What administrators are told of limits is the same whichever process answers."""

from typing import Any

import pytest
import requests

from tests.integration.conftest import StartHermes, StartRedis
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/limits"
STREAM = "/api/v1/events/stream?channels=public:a"


def told(hermes: HermesServer) -> dict[str, Any]:
    found: dict[str, Any] = hermes.get(PATH).json()
    return {name: [{**one, "last": ""} for one in found[name]] for name in ("refused", "forwarding")}


def test_two_processes_tell_the_same(start_hermes: StartHermes, start_redis: StartRedis) -> None:
    redis = start_redis()
    env = {"HERMES_SYSTEM_INTERVAL": "0", "HERMES_CONNECTS_PER_ADDRESS": "1"}
    first = start_hermes(redis_url=redis.url, env=env)
    second = start_hermes(first.data_dir, redis_url=redis.url, env=env)
    for hermes in (first, second):
        for _ in range(3):  # each lets one in until it hears of the other
            requests.get(f"{hermes.url}{STREAM}", stream=True, timeout=30).close()
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    requests.get(f"{second.url}{STREAM}", headers=forwarded, stream=True, timeout=30).close()

    wait_until(lambda: sum(one["times"] for one in told(first)["refused"]) >= 4, message=lambda: str(told(first)))
    assert told(first) == told(second)
    (refused,) = told(first)["refused"]
    assert (refused["limit"], refused["who"]) == ("connects_per_address", "127.0.0.1")
    assert [(one["peer"], one["trusted_proxies"]) for one in told(first)["forwarding"]] == [("127.0.0.1", 0)]
