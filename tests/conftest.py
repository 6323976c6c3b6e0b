"""Fixtures and options of all tests; what they stand on lives in tests/support."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import end_browsers
from tests.support.hermes_server import HermesServer
from tests.support.redis_server import RedisServer
from tests.support.tcp_relay import TcpRelay

TESTS = Path(__file__).parent
ALONE = {"benchmarks", "faults"}  # folders whose tests keep figures: of time, of CPU, of load


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="scenarios at full length, and tests marked full")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--full"):
        os.environ["HERMES_TEST_FULL"] = "1"
    signal.signal(signal.SIGTERM, _end_in_order)


def pytest_sessionfinish() -> None:
    end_browsers()


def _end_in_order(_number: int, _frame: object) -> None:
    """A run that is told to stop ends the servers it started."""
    pytest.exit("terminated", returncode=143)


@pytest.hookimpl(tryfirst=True)  # before -m selects by markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in ALONE and not item.get_closest_marker("beside"):
            item.add_marker(pytest.mark.alone)
    if os.environ.get("HERMES_TEST_FULL") != "1":
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(pytest.mark.skip(reason="only with --full"))


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether scenarios run at full length: `seconds = 60 if full else 5`."""
    return os.environ.get("HERMES_TEST_FULL") == "1"


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for all tests that only use it; a test that hurts Redis starts its own with `start_redis`."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty database on the shared Redis."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts a Redis of the test's own: `start_redis(appendonly=True)`; it ends with the test."""
    with ExitStack() as stack:
        count = 0

        def start(**options: Any) -> RedisServer:
            nonlocal count
            count += 1
            return stack.enter_context(RedisServer(tmp_path / f"redis-{count}", **options))

        yield start


@pytest.fixture
def start_hermes(tmp_path: Path) -> Iterator[Callable[..., HermesServer]]:
    """Starts Hermes: `start_hermes(workers=2, redis_url=..., env={...})`; it ends with the test.

    Each has a data folder of its own, unless `data_dir` says otherwise.
    """
    with ExitStack() as stack:
        count = 0

        def start(data_dir: Path | None = None, **options: Any) -> HermesServer:
            nonlocal count
            count += 1
            return stack.enter_context(HermesServer(data_dir or tmp_path / f"hermes-{count}", **options))

        yield start


@pytest.fixture
def start_relay() -> Iterator[Callable[[int], TcpRelay]]:
    """Starts a relay in front of a port: `start_relay(hermes.port)`; it ends with the test."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(TcpRelay(port))
