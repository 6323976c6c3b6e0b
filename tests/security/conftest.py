"""What the security tests share: servers on both brokers, raw requests, and a browser's session."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import requests

from tests.support.hermes_server import HermesServer
from tests.support.ports import LOOPBACK
from tests.support.redis_server import RedisServer

StartHermes = Callable[..., HermesServer]
StartRedis = Callable[..., RedisServer]

# So that a test may ask as much as it likes from one address.
UNLIMITED = {
    "HERMES_SYSTEM_INTERVAL": "0",
    "HERMES_CONNECTS_PER_ADDRESS": "0",
    "HERMES_MAX_CONNECTIONS_PER_ADDRESS": "0",
    "HERMES_MAX_CONNECTIONS_PER_CLIENT": "0",
}


@pytest.fixture(params=["embedded", "redis"])
def start_on_both(request: pytest.FixtureRequest, start_hermes: StartHermes, start_redis: StartRedis) -> StartHermes:
    """Starts Hermes without limits for one address, once on the embedded store and once on a Redis of its own."""

    def start(**options: object) -> HermesServer:
        env = {**UNLIMITED, **options.pop("env", {})}  # type: ignore[dict-item]
        if request.param == "redis":
            options = {"redis_url": start_redis().url, **options}
        return start_hermes(env=env, **options)

    return start


@contextmanager
def server_on(broker: str, folders: pytest.TempPathFactory, **env: str) -> Iterator[HermesServer]:
    """A server without limits for one address, on the `embedded` store or on a `redis` of its own."""
    with ExitStack() as stack:
        url = stack.enter_context(RedisServer(folders.mktemp("redis"))).url if broker == "redis" else None
        yield stack.enter_context(HermesServer(redis_url=url, env={**UNLIMITED, **env}))


def session_cookie(hermes: HermesServer) -> str:
    """The `Cookie` header of a browser that has signed in to the dashboard."""
    answer = requests.post(
        f"{hermes.url}/dashboard/signin", data={"key": hermes.key}, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 303, answer.text
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in answer.cookies)


def exchange(hermes: HermesServer, request: bytes, timeout: float = 15.0) -> bytes:
    """What the server answers to these bytes, up to the end of the connection or `timeout` seconds of silence."""
    with socket.create_connection((LOOPBACK, hermes.port), timeout=timeout) as link:
        with suppress(OSError):  # a server that refuses what it has read so far may hang up before it has all
            link.sendall(request)
            link.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while piece := link.recv(65_536):
                received += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return received
