"""Many requests on one connection: each is answered for itself, whatever came before it on the same connection."""

import http.client
import json
from contextlib import closing
from typing import Any

import pytest

from tests.support.hermes_server import KEY, HermesServer
from tests.support.ports import LOOPBACK

PATH = "/api/v1/events"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


@pytest.fixture
def connection(hermes: HermesServer) -> Any:
    made = http.client.HTTPConnection(LOOPBACK, hermes.port, timeout=20)
    yield made
    made.close()


def ask(connection: http.client.HTTPConnection, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    connection.request("POST", PATH, body, HEADERS | {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(content)


def event(number: int) -> bytes:
    return json.dumps({"channel": "kept", "data": "x" * number}).encode()


def test_each_request_is_its_own(hermes: HermesServer, connection: http.client.HTTPConnection) -> None:
    first = ask(connection, event(1))
    for number in range(2, 20):
        status, headers, body = ask(connection, event(number))
        assert (status, sorted(headers)) == (201, sorted(first[1]))
        assert headers["connection"] == "keep-alive"
        assert int(body["id"].partition("-")[2]) > int(first[2]["id"].partition("-")[2])
    page = hermes.get(PATH, params={"channels": "kept", "after": first[2]["id"]}).json()
    assert [len(found["data"]) for found in page["events"]] == list(range(2, 20))


def test_a_right_is_asked_for_each_time(hermes: HermesServer, connection: http.client.HTTPConnection) -> None:
    for _ in range(3):
        assert ask(connection, event(1))[0] == 201
        assert ask(connection, event(1), Authorization="Bearer wrong")[0] == 401
        assert ask(connection, b"{")[0] == 400
        assert ask(connection, event(1), Idempotency_Key="k" * 256)[0] == 400


def test_a_refused_body_is_taken_and_the_connection_goes_on(
    hermes: HermesServer, connection: http.client.HTTPConnection
) -> None:
    for _ in range(3):
        assert ask(connection, event(1))[0] == 201
        assert ask(connection, b"x" * 3_000_000)[0] == 413


def test_the_client_ends_it_when_it_likes(hermes: HermesServer, connection: http.client.HTTPConnection) -> None:
    for _ in range(3):
        for _ in range(3):
            assert ask(connection, event(1))[1]["connection"] == "keep-alive"
        assert ask(connection, event(1), Connection="close")[1]["connection"] == "close"


def test_a_stream_may_come_after_publishing(hermes: HermesServer, connection: http.client.HTTPConnection) -> None:
    for _ in range(3):
        ask(connection, event(1))
    connection.request("GET", f"{PATH}/stream?channels=kept", headers=HEADERS)
    with connection.getresponse() as answer:
        assert answer.getheader("Content-Type", "").startswith("text/event-stream")
        assert answer.readline().startswith((b"retry", b"event", b"id", b":"))


def test_the_server_ends_what_is_idle_when_it_stops() -> None:
    with HermesServer() as server, closing(http.client.HTTPConnection(LOOPBACK, server.port, timeout=20)) as connection:
        for _ in range(3):
            assert ask(connection, event(1))[0] == 201
        assert server.stop() == 0
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(connection, event(1))


def test_an_access_log_has_every_request(tmp_path: Any) -> None:
    log = tmp_path / "access.log"
    with (
        HermesServer(arguments=("--access-logfile", str(log))) as server,
        closing(http.client.HTTPConnection(LOOPBACK, server.port, timeout=20)) as connection,
    ):
        for _ in range(5):
            assert ask(connection, event(1))[0] == 201
    assert sum(f"POST {PATH}" in line for line in log.read_text().splitlines()) == 5
