"""Scenario 13: the network of idle clients is cut: nobody sends FIN or RST, ever."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.faults.conftest import StartHermes
from tests.support.hermes_server import REPOSITORY, HermesServer
from tests.support.program import require_program
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault]

SEND_TIMEOUT, SPARE, HEARTBEAT = 2.0, 2.0, 1.0
CLIENTS = 100

# Opens streams and stays; argv: host, port, key, how many.
PROGRAM = """
import socket, sys, time
host, port, key, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
links = [socket.create_connection((host, port), timeout=20) for _ in range(count)]
for link in links:
    request = f"GET /api/v1/events/stream?channels=a HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {key}\\r\\n\\r\\n"
    link.sendall(request.encode())
    link.recv(65536)
print("open", flush=True)
time.sleep(600)
"""


class Cable(NamedTuple):
    """A network namespace, and the addresses of its cable's two ends."""

    name: str
    outside: str

    def run(self, *command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )

    def cut(self) -> None:
        ip("-n", self.name, "link", "set", f"{self.name}-in", "down")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A cable to a network of its own; needs root."""
    require_program("ip")
    name = f"hx{os.getpid() % 10_000}"
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root may cut networks")
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr!r}")
    try:
        outside, inside = (f"10.199.{os.getpid() % 200}.{end}" for end in (1, 2))
        ip("link", "add", f"{name}-out", "type", "veth", "peer", "name", f"{name}-in", "netns", name)
        ip("addr", "add", f"{outside}/30", "dev", f"{name}-out")
        ip("link", "set", f"{name}-out", "up")
        ip("-n", name, "addr", "add", f"{inside}/30", "dev", f"{name}-in")
        ip("-n", name, "link", "set", f"{name}-in", "up")
        yield Cable(name, outside)
    finally:
        subprocess.run(["ip", "link", "del", f"{name}-out"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def here(hermes: HermesServer) -> int:
    count: int = hermes.get("/api/v1/events/health").json()["process"]["active_connections"]
    return count


def test_13_the_network_is_cut(start_hermes: StartHermes, cable: Cable) -> None:
    env = {
        "HOST": "0.0.0.0",
        "HERMES_SSE_SEND_TIMEOUT": str(SEND_TIMEOUT),
        "HERMES_SSE_HEARTBEAT_INTERVAL": str(HEARTBEAT),
    }
    hermes = start_hermes(env=env)
    clients = cable.run("python3", "-c", PROGRAM, cable.outside, str(hermes.port), hermes.key, str(CLIENTS))
    try:
        assert clients.stdout is not None
        assert clients.stdout.readline() == "open\n"
        time.sleep(3 * HEARTBEAT + SEND_TIMEOUT + SPARE)  # idle, and all well
        assert here(hermes) == CLIENTS
        began = time.monotonic()
        cable.cut()
        limit = SEND_TIMEOUT + SPARE + HEARTBEAT + 2
        wait_until(lambda: here(hermes) == 0, limit + 5, lambda: f"{here(hermes)} left")
        took = time.monotonic() - began
    finally:
        clients.kill()
        clients.wait()
        if clients.stdout:
            clients.stdout.close()
    print(f"scenario 13: {CLIENTS} idle clients, gone {took:.1f} s after the cut, limit {limit:g} s")
    assert took <= limit
