"""Scenario 20: no token of the corpus lets anybody in, however the keys are configured, and nobody is asked for a key by one."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from hermes.access.claims import json_object
from hermes.access.jwks import Jwks
from hermes.access.jwt import Verifier
from hermes.access.verification_key import VerificationKey, jwk_key
from hermes.errors import Unauthorized
from hermes.settings import load_settings
from hermes.testing import FakeClock
from tests.security.conftest import server_on
from tests.security.jwt_corpus import (
    AUDIENCE,
    ELSEWHERE_PORT,
    ISSUER,
    OWN_SECRET,
    SECRET,
    Case,
    Issuer,
    accepted,
    cases,
    issuers,
    jwk,
    pem,
    private_key,
)
from tests.support.hermes_server import HermesServer
from tests.support.key_server import KeyServer
from tests.support.ports import LOOPBACK
from tests.support.wait import wait_until

CASES, ISSUERS = list(cases()), issuers()


@pytest.fixture
def nobody_connects(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any connection that this process opens fails the test."""
    opened: list[Any] = []

    def connect(_socket: socket.socket, address: Any) -> None:
        opened.append(address)
        raise AssertionError(f"somebody connects to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **_: connect(None, name))  # type: ignore[arg-type]
    yield
    assert opened == []


def verifier(issuer: Issuer, clock: FakeClock) -> Verifier:
    settings = load_settings(**dict(issuer.settings))
    published: list[VerificationKey | None] = []
    if issuer.by_jwks:
        published = [jwk_key(jwk(issuer.key)), jwk_key(jwk(private_key("p384"), "another"))]
    jwks = Jwks(lambda: tuple(key for key in published if key is not None), clock) if published else None
    return Verifier(settings, lambda: OWN_SECRET, clock, jwks)


NOW = FakeClock().now()
VERIFIERS = [(issuer, verifier(issuer, FakeClock())) for issuer in ISSUERS]


def refusal(checked: Verifier, token: str) -> str | None:
    try:
        checked.verify(token)
    except Unauthorized as error:
        return error.message
    return None


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len(CASES) > 300
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.usefixtures("nobody_connects")
def test_refused(case: Case) -> None:
    tried = 0
    for issuer, checked in VERIFIERS:
        token = case.make(issuer, NOW)
        if token is None:
            continue
        tried += 1
        message = refusal(checked, token)
        assert message is not None, f"{issuer.name}: taken"
        assert re.search(case.reason, message), f"{issuer.name}: {message}"
        assert len(message) < 300
        parts = [part for part in re.split(r"\W+", token) if len(part) > 8]
        assert not any(part in message for part in parts), "a token is in no error"
    assert tried


@pytest.mark.parametrize("change", accepted().items(), ids=lambda item: item[0])
@pytest.mark.usefixtures("nobody_connects")
def test_accepted(change: Any) -> None:
    for issuer, checked in VERIFIERS:
        token = change[1](issuer, NOW)
        if token is not None:
            assert checked.verify(token).expires_at > NOW, issuer.name


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_what_is_too_long_is_not_looked_at(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("somebody looked")

    for name in ("json_object", "_FORM", "_decoded"):
        monkeypatch.setattr(f"hermes.access.jwt.{name}", fail)
    with pytest.raises(Unauthorized):
        VERIFIERS[0][1].verify("A" * size)


def test_a_payload_is_not_read_before_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading(text: bytes, part: str) -> dict[str, Any]:
        read.append(part)
        return json_object(text, part)

    monkeypatch.setattr("hermes.access.jwt.json_object", reading)
    for issuer, checked in VERIFIERS:
        with pytest.raises(Unauthorized):
            checked.verify(issuer.valid(NOW)[:-8] + "AAAAAAAA")
    assert set(read) == {"header"}


# Live


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[socket.socket]:
    """Listens where the tokens point to."""
    with socket.create_server((LOOPBACK, ELSEWHERE_PORT)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def provider() -> Iterator[KeyServer]:
    with KeyServer([jwk(private_key("p256"))]) as server:
        yield server


@pytest.fixture(scope="module", params=["embedded", "redis"])
def hermes(
    request: pytest.FixtureRequest, provider: KeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HermesServer]:
    env = {
        "HERMES_JWT_SECRET": SECRET,
        "HERMES_JWT_PUBLIC_KEY": pem(private_key("rsa")),
        "HERMES_JWKS_URL": provider.url,
        "HERMES_JWT_AUDIENCE": AUDIENCE,
        "HERMES_JWT_ISSUER": ISSUER,
    }
    with server_on(request.param, tmp_path_factory, **env) as server:
        yield server


def live_issuer(name: str, hermes: HermesServer) -> Issuer:
    """That issuer, as this server knows it."""
    if name == "own":
        return Issuer("own", "HS256", Path(hermes.data_dir, "token.key").read_text().strip(), kid="hermes.own")
    return next(issuer for issuer in ISSUERS if issuer.name == name)


def asked(hermes: HermesServer, carrier: str, token: str) -> requests.Response:
    """What a stream's poll answers to a token that comes by that way."""
    carriers: dict[str, dict[str, Any]] = {
        "header": {"headers": {"Authorization": f"Bearer {token}"}},
        "cookie": {"headers": {"Cookie": f"hermes_token={token}"}},
        "query": {"params": {"token": token}},
    }
    url = f"{hermes.url}/api/v1/events/stream?channels=news&poll=1"
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=10, **carriers[carrier])


def can_travel(token: str) -> bool:
    """Whether HTTP takes it as a credential at all: an empty one is none, and gunicorn bounds what a line may hold."""
    return token.isascii() and token.isprintable() and " " not in token and '"' not in token and 0 < len(token) < 3800


@pytest.mark.live
@pytest.mark.parametrize("carrier", ["header", "cookie", "query"])
@pytest.mark.parametrize("name", ["own", "secret", "pem RS256", "jwks ES256"])
def test_live(hermes: HermesServer, elsewhere: socket.socket, provider: KeyServer, name: str, carrier: str) -> None:
    issuer = live_issuer(name, hermes)
    good = asked(hermes, carrier, issuer.valid(time.time()))
    assert good.status_code == 200, good.text
    sent, wrong = 0, []
    for case in CASES:
        token = case.make(issuer, time.time())
        if token is None or not can_travel(token):
            continue
        sent += 1
        answer = asked(hermes, carrier, token)
        if (answer.status_code, answer.json()["error"]["code"]) != (401, "UNAUTHORIZED"):
            wrong.append((case.name, answer.status_code, answer.text[:200]))
    print(json.dumps({"scenario": 20, "issuer": name, "carrier": carrier, "tokens": sent, "let in": len(wrong)}))
    assert wrong == []
    assert sent > 250
    with pytest.raises(BlockingIOError):
        elsewhere.accept()
    assert set(provider.asked) <= {"/keys.json"}
    assert hermes.is_ready()
    assert "Traceback" not in hermes.process.output()


@pytest.mark.live
@pytest.mark.full  # an unknown key is asked for once in 30 s
def test_live_rotation(hermes: HermesServer, provider: KeyServer) -> None:
    """New keys count and old ones do not, without a restart."""
    old = live_issuer("jwks ES256", hermes)
    new = Issuer("new", "ES256", private_key("p256-2"), kid="2026-12")
    assert asked(hermes, "header", old.valid(time.time())).status_code == 200
    before = list(provider.keys)
    provider.keys = [jwk(new.key, new.kid)]
    try:
        wait_until(lambda: asked(hermes, "header", new.valid(time.time())).status_code == 200, 40)
        assert asked(hermes, "header", old.valid(time.time())).status_code == 401
    finally:
        provider.keys = before
