"""The keys of an identity provider, from a real HTTP server: when they are fetched, what of it counts, and how it fails."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from hermes.access import jwks as module
from hermes.access.jwks import FETCH_INTERVAL, FRESH, KEPT, MAX_BYTES, Jwks
from hermes.access.jwt import Verifier
from hermes.errors import SettingsError, Unauthorized, Unavailable
from hermes.settings import load_settings
from hermes.testing import FakeClock
from tests.security.jwt_corpus import OWN_SECRET, jwk, private_key
from tests.support.key_server import KeyServer, respond
from tests.support.ports import LOOPBACK, free_port
from tests.support.wait import wait_until


@pytest.fixture
def provider() -> Iterator[KeyServer]:
    with KeyServer([jwk(private_key("p256"), "a")]) as server:
        yield server


@pytest.fixture
def jwks(provider: KeyServer, clock: FakeClock) -> Jwks:
    return Jwks.at(provider.url, clock)


def kids(jwks: Jwks) -> set[str | None]:
    return {key.kid for key in jwks.find("ES256", None)}


# When


def test_nothing_is_fetched_before_it_is_needed(provider: KeyServer, jwks: Jwks) -> None:
    assert provider.asked == []
    assert [key.kid for key in jwks.find("ES256", "a")] == ["a"]
    assert provider.asked == ["/keys.json"]


def test_a_set_counts_for_ten_minutes(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    for _ in range(3):
        jwks.find("ES256", "a")
    clock.advance(FRESH - 1)
    jwks.find("ES256", "a")
    assert len(provider.asked) == 1
    clock.advance(1)
    jwks.find("ES256", "a")
    assert len(provider.asked) == 2


def test_an_unknown_key_is_asked_for_once_in_30_seconds(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    jwks.find("ES256", "a")
    for number in range(200):
        with pytest.raises(Unauthorized, match="kid"):
            jwks.find("ES256", f"x{number}")
    assert len(provider.asked) == 1
    clock.advance(FETCH_INTERVAL)
    for number in range(200):
        with pytest.raises(Unauthorized, match="kid"):
            jwks.find("ES256", f"x{number}")
    assert len(provider.asked) == 2


def test_keys_rotate(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    jwks.find("ES256", "a")
    version = jwks.version
    provider.keys = [jwk(private_key("p256-2"), "b")]
    clock.advance(FETCH_INTERVAL)
    assert [key.kid for key in jwks.find("ES256", "b")] == ["b"]
    with pytest.raises(Unauthorized):
        jwks.find("ES256", "a")
    assert jwks.version != version


def test_an_old_key_goes_without_a_new_one_being_used(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    """One that was taken out because it leaked must not count for as long as nobody shows another."""
    jwks.find("ES256", "a")
    provider.keys = []
    clock.advance(FRESH)
    with pytest.raises(Unauthorized):
        jwks.find("ES256", "a")


def test_the_same_set_is_no_other_version(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    jwks.find("ES256", "a")
    version = jwks.version
    clock.advance(FRESH)
    jwks.find("ES256", "a")
    assert len(provider.asked) == 2
    assert jwks.version == version


# Which


def test_a_key_is_found_by_its_id_and_its_kind(provider: KeyServer, jwks: Jwks) -> None:
    provider.keys.append(jwk(private_key("rsa"), "b"))
    assert [key.kid for key in jwks.find("RS256", "b")] == ["b"]
    assert jwks.find("ES256", "b") == ()


def test_a_token_may_leave_out_the_only_key(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    provider.keys = [jwk(private_key("p256"), None), jwk(private_key("rsa"), "b")]
    assert len(jwks.find("ES256", None)) == 1
    provider.keys.append(jwk(private_key("p256-2"), "c"))
    clock.advance(FRESH)
    with pytest.raises(Unauthorized, match="several"):
        jwks.find("ES256", None)


def test_members_that_are_no_keys_are_passed_over(provider: KeyServer, jwks: Jwks) -> None:
    provider.keys += [{"kty": "oct", "k": "AAAA", "kid": "o"}, {"kty": "x"}, jwk(private_key("rsa"), "b", use="enc")]
    assert kids(jwks) == {"a"}
    for kid in ("o", "b"):
        with pytest.raises(Unauthorized):
            jwks.find("HS256", kid)


def test_a_token_with_a_key_of_the_set(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    checked = Verifier(load_settings(), lambda: OWN_SECRET, clock, jwks)
    said = {"sub": "7", "exp": clock.now() + 60}
    claims = checked.verify(jwt.encode(said, private_key("p256"), "ES256", headers={"kid": "a"}))
    assert claims.subject == "7"
    assert claims.good_until == clock.monotonic() + FRESH
    for key, kid in ((private_key("p256-2"), "a"), (private_key("p256"), "b")):
        with pytest.raises(Unauthorized):
            checked.verify(jwt.encode(said, key, "ES256", headers={"kid": kid}))
    with pytest.raises(Unauthorized):
        checked.verify(jwt.encode(said, "s" * 32, "HS256", headers={"kid": "a"}))
    assert len(provider.asked) == 1


# Away


def away(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 503, b"")


def test_a_provider_that_is_away(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    jwks.find("ES256", "a")
    provider.reply = away
    for _ in range(20):
        clock.advance(FRESH)
        assert len(jwks.find("ES256", "a")) == 1, "its last set goes on"
    assert len(provider.asked) == 21
    with pytest.raises(Unavailable, match="at present"):
        jwks.find("ES256", "b")
    clock.advance(KEPT)
    with pytest.raises(Unavailable):
        jwks.find("ES256", "a")
    provider.reply = None
    clock.advance(FETCH_INTERVAL)
    assert len(jwks.find("ES256", "a")) == 1


def test_nobody_waits_for_one_that_is_away_more_than_once_in_30_seconds(
    provider: KeyServer, jwks: Jwks, clock: FakeClock
) -> None:
    provider.reply = away
    for _ in range(20):
        with pytest.raises(Unavailable):
            jwks.find("ES256", "a")
    assert len(provider.asked) == 1
    assert jwks.good_until == clock.monotonic() + FETCH_INTERVAL


def test_a_provider_that_was_never_there(clock: FakeClock) -> None:
    jwks = Jwks.at(f"http://{LOOPBACK}:{free_port()}/", clock)
    with pytest.raises(Unavailable):
        jwks.find("ES256", "a")


def redirect(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 302, b"", Location="/elsewhere")


def too_much(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 200, json.dumps({"keys": [], "more": "x" * MAX_BYTES}).encode())


def too_many(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 200, json.dumps({"keys": [jwk(private_key("p256"), "b")] * 101}).encode())


def compressed(handler: BaseHTTPRequestHandler) -> None:
    import gzip

    respond(handler, 200, gzip.compress(b" " * 50_000_000 + b'{"keys":[]}', 1), Content_Encoding="gzip")


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 200, b'{"keys":', Content_Length="5000")


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\0\1\2\3\r\n\r\n")


def of(body: bytes) -> Any:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        respond(handler, 200, body)

    return reply


BAD = [redirect, too_much, too_many, compressed, cut_off, no_http]
BODIES = [b"", b"{}", b"[]", b"null", b'{"keys":{}}', b'{"keys":null}', b"<html>", b"\xff", b"[" * 5000, b'{"keys":["']


@pytest.mark.parametrize("reply", [*BAD, *map(of, BODIES)], ids=[*(one.__name__ for one in BAD), *map(str, BODIES)])
def test_a_bad_answer_leaves_what_is_there(provider: KeyServer, jwks: Jwks, clock: FakeClock, reply: Any) -> None:
    jwks.find("ES256", "a")
    provider.reply = reply
    clock.advance(FRESH)
    assert len(jwks.find("ES256", "a")) == 1
    assert provider.asked == ["/keys.json"] * 2, "nothing else was asked"
    with pytest.raises(Unavailable):
        jwks.find("ES256", "b")


def test_a_chunked_answer(provider: KeyServer, jwks: Jwks) -> None:
    body = json.dumps({"keys": provider.keys}).encode()

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for piece in (body[:50], body[50:]):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    provider.reply = reply
    assert kids(jwks) == {"a"}


def test_one_that_drips(provider: KeyServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece is in time, and all of it never would be."""
    monkeypatch.setattr(module, "BODY_TIMEOUT", 0.3)
    ended = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not ended.wait(0.02):
                handler.wfile.write(b" ")
        except OSError:
            ended.set()

    provider.reply = drip
    with pytest.raises(Unavailable, match="did not answer within"):
        module.fetch(provider.url)
    assert ended.wait(10), "it was left"


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password of this machine's user, for every host."""
    path = tmp_path / "netrc"
    path.write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("netrc")
def test_what_is_on_this_machine_is_asked_without_a_proxy(
    provider: KeyServer, jwks: Jwks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{LOOPBACK}:{free_port()}")
    jwks.find("ES256", "a")
    sent = {name.lower(): value for name, value in provider.headers[0].items()}
    assert sent["accept-encoding"] == "identity", "what is compressed has no bound"
    assert {"authorization", "cookie"} & set(sent) == set()


@pytest.mark.usefixtures("netrc")
def test_no_password_goes_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[requests.PreparedRequest] = []

    def send(_adapter: object, request: requests.PreparedRequest, **_: Any) -> None:
        sent.append(request)
        raise requests.ConnectionError

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with pytest.raises(Unavailable):
        module.fetch("https://id.example/keys.json")
    assert [request.headers.get("Authorization") for request in sent] == [None]


# Together


def test_those_who_come_at_once_ask_once(provider: KeyServer, jwks: Jwks) -> None:
    answered, go = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        answered.set()
        go.wait(10)
        respond(handler, 200, json.dumps({"keys": provider.keys}).encode())

    provider.reply = slow
    with ThreadPoolExecutor(20) as pool:
        found = [pool.submit(jwks.find, "ES256", "a") for _ in range(20)]
        assert answered.wait(10)
        assert not any(one.done() for one in found)
        go.set()
        assert all(len(one.result(10)) == 1 for one in found)
    assert len(provider.asked) == 1


def test_who_needs_no_fetch_waits_for_none(provider: KeyServer, jwks: Jwks, clock: FakeClock) -> None:
    jwks.find("ES256", "a")
    answered, go = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        answered.set()
        go.wait(10)
        away(handler)

    provider.reply = slow
    clock.advance(FETCH_INTERVAL)
    with ThreadPoolExecutor(1) as pool:
        unknown = pool.submit(jwks.find, "ES256", "b")
        assert answered.wait(10)
        assert len(jwks.find("ES256", "a")) == 1
        assert not unknown.done()
        go.set()
        with pytest.raises(Unavailable):
            unknown.result(10)


def test_waiting_is_bounded(provider: KeyServer, jwks: Jwks, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never answers is waited for, and then given up; what it says afterwards does not count."""
    monkeypatch.setattr(module, "FETCH_WAIT", 0.1)
    go, late = threading.Event(), [jwk(private_key("p256-2"), "late")]

    def stuck(handler: BaseHTTPRequestHandler) -> None:
        go.wait(10)
        respond(handler, 200, json.dumps({"keys": late}).encode())

    provider.reply = stuck
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        jwks.find("ES256", "a")
    assert time.monotonic() - begun < 5
    provider.reply = None
    monkeypatch.setattr(module, "FETCH_WAIT", 10)
    clock.advance(FETCH_INTERVAL)
    assert len(jwks.find("ES256", "a")) == 1
    go.set()
    wait_until(lambda: not any(thread.name == "jwks" for thread in threading.enumerate()))
    assert kids(jwks) == {"a"}


def test_an_error_of_ours_is_no_end(clock: FakeClock) -> None:
    answers = [RuntimeError("a mistake"), ()]

    def fetch() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    jwks = Jwks(fetch, clock)
    with pytest.raises(Unavailable):
        jwks.find("ES256", "a")
    clock.advance(FETCH_INTERVAL)
    with pytest.raises(Unauthorized):
        jwks.find("ES256", "a")


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/keys.json",
        "http://10.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://2130706433/",
        "http:///keys.json",
        "https://",
        "https:keys.json",
        "ftp://id.example/",
        "file:///etc/passwd",
        "keys.json",
        "//id.example/",
        "https://user:hunter22@id.example/",
        "https://hunter22@id.example/",
        "https://id.example:http/",
        "https://id.example:99999/",
        "https://[id.example/",
    ],
)
def test_addresses_that_nobody_should_trust(clock: FakeClock, url: str) -> None:
    with pytest.raises(SettingsError, match=r"^HERMES_JWKS_URL: [^\n]*\.$") as error:
        Jwks.at(url, clock)
    assert "hunter22" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example/keys.json?a=b",
        "https://id.example:8443/",
        "http://localhost:8080/",
        "http://127.0.0.1/",
        "http://127.8.8.8/",
        "http://[::1]:80/",
        "HTTPS://id.example/",
    ],
)
def test_addresses_that_are_right(clock: FakeClock, url: str) -> None:
    Jwks.at(url, clock)
