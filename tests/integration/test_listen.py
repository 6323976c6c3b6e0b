"""`hermes listen` outlives the server's workers, and says what it waits for."""

import sys
from collections.abc import Callable

import pytest

from tests.support.hermes_server import HermesServer, clean_environment
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process

pytestmark = pytest.mark.live

LISTEN = [sys.executable, "-c", "from hermes.cli import main; main()", "listen", "orders"]


def test_it_goes_on_after_a_killed_worker(start_hermes: Callable[..., HermesServer]) -> None:
    hermes = start_hermes()
    environment = clean_environment(HERMES_URL=hermes.url, HERMES_API_KEY=hermes.key)

    def streams() -> int:
        return int(hermes.get("/api/v1/events/health").json()["process"]["active_connections"])

    with Process(LISTEN, env=environment) as listener:
        listener.wait_for(streams, what="an open stream")
        hermes.publish("orders", {"n": 1})
        listener.wait_for_line(r"orders  message  \{\"n\":1\}$")
        hermes.hang_up()
        hermes.kill9_workers()
        hermes.process.wait_for(hermes.is_ready, 30)
        hermes.publish("orders", {"n": 2})
        listener.wait_for_line(r"orders  message  \{\"n\":2\}$", 20)
        assert listener.is_running
        assert "Traceback" not in listener.output()
        assert listener.output().count("orders  message") == 2


def test_it_says_that_there_is_no_server() -> None:
    url = f"http://{LOOPBACK}:{free_port()}"
    with Process(LISTEN, env=clean_environment(HERMES_URL=url, HERMES_API_KEY="x" * 32)) as listener:
        listener.wait_for_line(rf"^-- {url} cannot be reached: .*; trying again$")
