"""Redis is down: publishing says so, streams stay open, and all recovers by itself."""

import pytest

from tests.integration.conftest import StartHermes, StartRedis, code, opened
from tests.support.wait import wait_until

pytestmark = pytest.mark.live


def test_down_and_back(start_hermes: StartHermes, start_redis: StartRedis) -> None:
    redis = start_redis(appendonly=True)
    hermes = start_hermes(
        workers=2,
        redis_url=redis.url,
        env={"HERMES_SSE_HEARTBEAT_INTERVAL": "0.5", "HERMES_SYSTEM_INTERVAL": "0", "HERMES_SSE_RETRY": "0.2"},
    )
    cursor = hermes.publish("d", 0)
    with opened(hermes, "d") as client:
        redis.kill9()
        answer = hermes.post("/api/v1/events", json={"channel": "d", "data": 1}, headers={"Idempotency-Key": "once"})
        assert code(answer) == (503, "UNAVAILABLE")
        assert answer.headers["Retry-After"]
        wait_until(lambda: hermes.get("/readyz").status_code == 503, 5)
        assert hermes.get("/healthz").status_code == 200
        assert hermes.get("/api/v1/events/health").status_code == 200
        beats = [frame for frame in client.read_for(2) if frame["event"] == "heartbeat"]
        assert len(beats) >= 3, "streams stay open"
        assert code(hermes.get("/api/v1/events?channels=d"))[0] == 503
        # From the tail a resume needs no store; a fresh stream does, and is refused in a way that EventSource survives.
        with opened(hermes, "d", cursor=cursor) as resumed:
            assert [frame["event"] for frame in resumed.frames] == ["connected", "heartbeat"]
        assert code(hermes.get("/api/v1/events/stream?channels=d", headers={"Accept": "application/json"}))[0] == 503
        redis.start()
        wait_until(hermes.is_ready, 5)
        answer = hermes.post("/api/v1/events", json={"channel": "d", "data": 1}, headers={"Idempotency-Key": "once"})
        assert answer.status_code == 201
        frames = client.read_until(lambda frame: frame["data"] == "1")
        assert [frame["event"] for frame in frames if frame["event"] != "heartbeat"] == ["reset", "message"]
        assert client.opened == 1
