"""What cannot work is refused at start, with one sentence that says what to do, and no traceback."""

import sys
from pathlib import Path

import pytest

from tests.integration.conftest import StartHermes, StartRedis
from tests.support.hermes_server import REPOSITORY, HermesServer, clean_environment
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process

pytestmark = pytest.mark.live


def refused(data_dir: Path, env: dict[str, str], timeout: float = 20) -> str:
    """What the server says, which must not start."""
    settings = {"HERMES_DATA_DIR": str(data_dir), "HOST": LOOPBACK, "PORT": str(free_port())}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:hermes.gunicorn_conf", "app:app"]
    with Process(command, env=clean_environment(**(settings | env)), cwd=REPOSITORY) as process:
        code = process.wait(timeout)
        output = process.output()
    assert code != 0, output
    assert "Traceback" not in output, output
    return output


BAD = [
    ({"WEB_CONCURRENCY": "2"}, ["WEB_CONCURRENCY", "REDIS_URL"]),
    ({"HERMES_API_KEYS": "short"}, ["HERMES_API_KEYS", "32 characters"]),
    ({"PORT": "http"}, ["PORT"]),
    ({"PORT": "70000"}, ["PORT"]),
    ({"HERMES_SSE_HEARTBEAT_INTERVAL": "-1"}, ["HERMES_SSE_HEARTBEAT_INTERVAL"]),
    ({"HERMES_SSE_MAX_CONNECTIONS": "many"}, ["HERMES_SSE_MAX_CONNECTIONS"]),
    ({"HERMES_ENABLE_SSE": "perhaps"}, ["HERMES_ENABLE_SSE"]),
    ({"HERMES_LOG_LEVEL": "loud"}, ["HERMES_LOG_LEVEL"]),
    ({"HERMES_REDIS_PREFIX": "a b"}, ["HERMES_REDIS_PREFIX"]),
    ({"REDIS_URL": "http://localhost"}, ["REDIS_URL", "redis://"]),
    ({"HERMES_ALLOWED_ORIGINS": "*", "HERMES_ALLOW_CREDENTIALS": "true"}, ["HERMES_ALLOWED_ORIGINS"]),
    ({"HERMES_DATA_DIR": "/proc/nowhere"}, ["/proc/nowhere", "HERMES_DATA_DIR"]),
]


@pytest.mark.parametrize(("env", "words"), BAD, ids=[",".join(f"{k}={v}" for k, v in env.items()) for env, _ in BAD])
def test_bad_settings(tmp_path: Path, env: dict[str, str], words: list[str]) -> None:
    output = refused(tmp_path / "data", env)
    assert all(word in output for word in words), output


@pytest.mark.full  # a reload may take so long: it waits a minute for the folder
def test_a_second_process_on_the_same_folder(start_hermes: StartHermes, tmp_path: Path) -> None:
    hermes = start_hermes(tmp_path / "data")
    output = refused(tmp_path / "data", {}, timeout=100)
    assert str(tmp_path / "data") in output
    assert f"process {hermes.worker_pids()[0]}" in output
    assert "REDIS_URL" in output
    assert hermes.is_ready()


def test_a_cluster_is_refused(start_redis: StartRedis, tmp_path: Path) -> None:
    output = refused(tmp_path / "data", {"REDIS_URL": start_redis(config={"cluster-enabled": "yes"}).url})
    assert "Redis Cluster" in output


def test_eviction_is_refused(start_redis: StartRedis, tmp_path: Path) -> None:
    redis = start_redis(maxmemory="50mb", config={"maxmemory-policy": "allkeys-lru"})
    output = refused(tmp_path / "data", {"REDIS_URL": redis.url})
    assert "noeviction" in output


def test_a_wrong_password_is_refused(start_redis: StartRedis, tmp_path: Path) -> None:
    redis = start_redis()
    redis.cli("CONFIG", "SET", "requirepass", "secret")
    redis.client.connection_pool.connection_kwargs["password"] = "secret"
    output = refused(tmp_path / "data", {"REDIS_URL": f"redis://:hunter22@{LOOPBACK}:{redis.port}/0"})
    assert "password" in output
    assert "hunter22" not in output, "a password is in no log"


def test_a_redis_that_is_away_is_waited_for(start_redis: StartRedis, tmp_path: Path) -> None:
    redis = start_redis()
    redis.kill9()
    hermes = HermesServer(tmp_path / "data", redis_url=redis.url)
    hermes.process.start()
    try:
        hermes.process.wait_for_line("away", 20)
        redis.start()
        hermes.wait_ready(20)
    finally:
        hermes.process.end()
    assert "Traceback" not in hermes.process.output()
