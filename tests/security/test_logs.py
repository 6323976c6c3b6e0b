"""No secret is in any log, at the most talkative level: sent by every carrier, right and wrong, in requests of all kinds."""

import json
import re
import secrets
import socket
import struct
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
import requests

from tests.security.conftest import UNLIMITED, exchange, session_cookie
from tests.support.hermes_server import HermesServer
from tests.support.ports import LOOPBACK
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.live

STREAM, EVENTS = "/api/v1/events/stream", "/api/v1/events"
MARK = "zqx"  # in every secret of this test, and in no word that belongs into a log
REDIS_PASSWORD = f"redis-{secrets.token_hex(12)}-{MARK}"
JWT_SECRET = f"jwt-{secrets.token_hex(20)}-{MARK}"
API_KEY = f"key-{secrets.token_hex(20)}-{MARK}"  # its first letters name it

TALKATIVE = {
    **UNLIMITED,
    "HERMES_DEBUG": "1",
    "HERMES_LOG_LEVEL": "debug",
    "HERMES_API_KEYS": API_KEY,
    "HERMES_JWT_SECRET": JWT_SECRET,
}


def wrong() -> Iterator[str]:
    """Secrets that do not count: a typing error in a right one is as bad to show as the right one."""
    yield f"{MARK}{secrets.token_urlsafe(32)}"
    yield f"{MARK}.{secrets.token_urlsafe(20)}.{secrets.token_urlsafe(20)}"
    yield f"eyJhbGciOiJIUzI1NiJ9{MARK}.eyJzdWIiOiJhIn0{MARK}.{MARK}"
    yield f"{MARK}~+/=={secrets.token_hex(8)}"
    yield f"{MARK}'\"\\{secrets.token_hex(8)}"
    yield f"{MARK} with spaces {MARK}"
    yield f"{MARK}" * 1500  # beyond the longest request line


@pytest.fixture(params=["embedded", "redis"])
def hermes(
    request: pytest.FixtureRequest,
    start_hermes: Callable[..., HermesServer],
    start_redis: Callable[..., RedisServer],
) -> HermesServer:
    options: dict[str, object] = {}
    if request.param == "redis":
        redis = start_redis()
        redis.cli("CONFIG", "SET", "requirepass", REDIS_PASSWORD)
        options["redis_url"] = f"redis://:{REDIS_PASSWORD}@{LOOPBACK}:{redis.port}/0"
    arguments = ("--env", f"A_VARIABLE={MARK}-of-the-command-line")
    server = start_hermes(env=TALKATIVE, app="tests.security.failing_app:app", arguments=arguments, **options)
    server.key = API_KEY
    return server


def in_every_carrier(hermes: HermesServer, secret: str) -> None:
    """Sends it in each place where a caller may put a secret, and in some where it does not belong."""
    quoted = quote(secret, safe="")
    header = re.sub(r"[^\x20-\x7e]", "", secret)
    carriers: list[tuple[str, dict[str, str]]] = [
        ("", {"Authorization": f"Bearer {header}"}),
        ("", {"Authorization": f"bearer   {header}"}),
        ("", {"Authorization": f"Basic {header}"}),
        ("", {"Authorization": header}),
        ("", {"X-API-Key": header}),
        ("", {"Cookie": f"hermes_session={header}; hermes_token={header}"}),
        ("", {"Referer": f"{hermes.url}/dashboard?code={quoted}"}),
        (f"?token={quoted}", {}),
        (f"?channels=public:a&token={quoted}", {}),
        (f"?token={secret}", {}),
        (f"?access_token={quoted}&key={quoted}&api_key={quoted}&code={quoted}", {}),
    ]
    paths = [STREAM, EVENTS, "/events", "/events/authenticated", "/dashboard", "/fails", "/fails/outside", "/nowhere"]
    for query, headers in carriers:
        for path in paths:
            ask(hermes, "GET", path + query, headers)
        ask(hermes, "POST", EVENTS + query, headers, b'{"channel": "a"}')
        ask(hermes, "POST", EVENTS + query, headers, b"not json")
        ask(hermes, "DELETE", "/api/v1/tokens/x" + query, headers)
    ask(hermes, "GET", f"/dashboard?code={quoted}", {})
    ask(
        hermes,
        "POST",
        "/dashboard/signin",
        {"Content-Type": "application/x-www-form-urlencoded"},
        f"key={quoted}".encode(),
    )
    ask(hermes, "POST", EVENTS, {"X-API-Key": header}, json.dumps({"channel": "a", "token": secret}).encode())


def ask(hermes: HermesServer, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> None:
    """One request on a connection of its own, as it is: nothing in it is repaired on the way."""
    lines = [f"{method} {path} HTTP/1.1", "Host: a", "Connection: close", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    exchange(hermes, "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + (body or b""), timeout=1)


def malformed(secret: bytes) -> Iterator[bytes]:
    """Requests that no server can read, with the secret where it hurts."""
    target = b"/api/v1/events/stream?token=" + secret
    end = b"\r\nHost: a\r\n\r\n"
    yield b"GET " + target + b" x HTTP/1.1" + end
    yield b"GET " + target + b" HTTP/9.9" + end
    yield b"GET " + target + b" HTTP/1.1\r\nHost a " + secret + b"\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\nX-API-Key " + secret + b"\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\nX-API-Key : " + secret + b"\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\nX-API-Key: a\x00" + secret + b"\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\nX-API-Key: a\r\n " + secret + b"\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\n" + secret + b": a\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\n" + secret + b"(: a\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\nAuthorization: Bearer " + secret * 300 + b"\r\n\r\n"
    yield b"GET " + target * 200 + b" HTTP/1.1" + end
    yield secret + b" / HTTP/1.1" + end
    yield secret + b"\r\n\r\n"
    yield secret
    yield b"{" + secret + b"}" + end
    yield b"GET http://user:" + secret + b"@host/ HTTP/1.1" + end
    yield b"GET /%zz" + target + b"\xff\xfe HTTP/1.1" + end
    yield b"GET " + target + b"\n\n"
    yield b"POST " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: " + secret + b"\r\n\r\n"
    yield b"POST " + target + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + secret + b"\r\n\r\n"
    yield b"POST " + target + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + b"\r\n\r\n"
    yield b"POST /api/v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na" + secret + b"\r\n"
    yield b"POST " + target + b" HTTP/1.1\r\nHost: a\r\nExpect: " + secret + b"\r\n\r\n"
    yield b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nUpgrade: " + secret + b"\r\nConnection: Upgrade\r\n\r\n"
    # A body that is longer than it says: its rest is read as a request.
    yield b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}" + secret + b" / HTTP/1.1" + end
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + secret
    yield b"\x16\x03\x01" + secret


def gone_in_the_middle(hermes: HermesServer, request: bytes) -> None:
    """Sends half of a request, and leaves with a reset."""
    with socket.create_connection((LOOPBACK, hermes.port), timeout=5) as link:
        link.sendall(request)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def rights(hermes: HermesServer) -> list[str]:
    """Everything that counts: the key, a session, a new key, tokens."""
    key = hermes.post("/api/v1/keys", json={"name": "ops", "subscribe": ["*"], "publish": ["*"], "tokens": True})
    assert key.status_code == 201, key.text
    token = hermes.post("/api/v1/tokens", json={"user_id": "7", "subscribe": ["*"], "publish": ["*"], "ttl": 600})
    assert token.status_code == 201, token.text
    cookie = session_cookie(hermes).partition("=")[2]
    return [API_KEY, key.json()["key"], token.json()["token"], cookie]


def pieces(secret: str) -> list[str]:
    """The secret, and what is enough of it to do harm: the parts of a token, any half of a key."""
    parts = [part for part in secret.split(".") if len(part) >= 16]
    half = len(secret) // 2
    return [secret, secret[:half], secret[half:], *parts]


@pytest.mark.timeout(300)
def test_26_no_secret_is_in_any_log(hermes: HermesServer) -> None:
    counting = rights(hermes)
    for secret in [*counting, *wrong()]:
        in_every_carrier(hermes, secret)
    marked = f"{MARK}{secrets.token_hex(16)}".encode()
    for secret in (marked, counting[1].encode(), counting[2].encode()):
        for request in malformed(secret):
            exchange(hermes, request, timeout=1)
            gone_in_the_middle(hermes, request)
            gone_in_the_middle(hermes, request.partition(b"\r\n\r\n")[0])
    code = re.search(r"code=(\S+)", hermes.process.output())
    assert code is not None
    requests.get(f"{hermes.url}/dashboard?code={code[1]}", timeout=10)
    audited = hermes.get("/api/v1/audit?limit=1000").json()["items"]
    assert hermes.is_ready()
    hermes.stop()

    log = hermes.process.output()
    print(f"scenario 26: {len(log.splitlines())} lines of log, {len(audited)} entries of the audit")
    # It was talkative, and what was sent did get there.
    for said in ("Invalid request from ip=", "request failed", "Error handling request", "asked for", "Traceback"):
        assert said in log, said
    assert audited
    for name, text in (("log", log), ("audit", json.dumps(audited))):
        found = [line for line in text.splitlines() if MARK in line]
        assert not found, (name, found[:3])
        for secret in counting:
            for piece in pieces(secret):
                assert piece not in text, f"a secret is in the {name}: {_around(text, piece)}"
    assert log.count(code[1]) == 1, "only the banner shows the code"


def _around(text: str, piece: str) -> str:
    at = text.index(piece)
    return text[max(0, at - 200) : at + 200]
