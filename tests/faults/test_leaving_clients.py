"""Scenario 14: whoever leaves, and however, leaves nothing behind."""

import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.conftest import StartHermes
from tests.support.hermes_server import HermesServer
from tests.support.ports import LOOPBACK
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault]

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
AT_ONCE = 20


def connect(hermes: HermesServer, method: str = "GET") -> socket.socket:
    link = socket.create_connection((LOOPBACK, hermes.port), timeout=20)
    head = f"Host: x\r\nAuthorization: Bearer {hermes.key}\r\n"
    link.sendall(f"{method} /api/v1/events/stream?channels=a HTTP/1.1\r\n{head}\r\n".encode())
    return link


def read_until(link: socket.socket, mark: bytes) -> None:
    received = b""
    while mark not in received:
        piece = link.recv(65_536)
        assert piece, received
        received += piece


def close(hermes: HermesServer) -> None:
    with connect(hermes) as link:
        read_until(link, b"event: heartbeat")


def reset(hermes: HermesServer) -> None:
    with connect(hermes) as link:
        read_until(link, b"event: connected")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


def head(hermes: HermesServer) -> None:
    with connect(hermes, "HEAD") as link:
        read_until(link, b"\r\n\r\n")


def abort(hermes: HermesServer) -> None:
    """Gone before the first byte of the answer."""
    with connect(hermes) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


WAYS: list[Callable[[HermesServer], None]] = [close, reset, head, abort]
WATCHED = ("descriptors", "greenlets", "subscribers", "streams")


def inside(hermes: HermesServer) -> dict[str, Any]:
    figures = hermes.get("/inside").json()
    return {name: figures[name] for name in WATCHED}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("direct", ["true", "false"])
def test_14_leaving_leaves_nothing(start_hermes: StartHermes, full: bool, direct: str) -> None:
    hermes = start_hermes(app="tests.support.inspected_app:app", env={"HERMES_DIRECT_LANE": direct})
    times = 1000 if full else 100
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda way: way(hermes), WAYS * 5))  # what is made once, is made
        inside(hermes)
        before = wait_until(lambda: _at_rest(hermes), 10, lambda: str(inside(hermes)))
        list(pool.map(lambda way: way(hermes), WAYS * times))
    after = before

    def is_back() -> bool:
        nonlocal after
        after = inside(hermes)
        return all(after[name] <= before[name] for name in WATCHED)

    try:
        wait_until(is_back, 2, lambda: f"before {before}, after {after}")
    finally:
        print(f"scenario 14 (direct {direct}): {times} x {len(WAYS)} ways to leave; before {before}, after {after}")


def _at_rest(hermes: HermesServer) -> dict[str, Any] | None:
    figures = inside(hermes)
    return figures if figures["streams"] == 0 and figures["subscribers"] == 0 else None
