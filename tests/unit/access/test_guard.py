"""The guard: whose request it is, and which routes it may call."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from hermes.access.guard import ADMIN, ANYONE, OPEN, Guard, guarded
from hermes.access.keys import ApiKeys
from hermes.access.principal import Principal, anonymous
from hermes.access.signin import COOKIE, SignIn
from hermes.errors import Forbidden, Unauthorized

KEY = "k" * 32
NOBODY = anonymous(("public:*",))


def request(method: str = "GET", cookie: str | None = None, **headers: str) -> Request:
    """A request to http://hermes.example:8000/; `X_API_Key="..."` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie is not None:
        named["Cookie"] = f"{COOKIE}={cookie}"
    builder = EnvironBuilder(base_url="http://hermes.example:8000/", method=method, headers=named)
    return Request(builder.get_environ())


@pytest.fixture
def guard(signin: SignIn) -> Guard:
    return Guard(ApiKeys((KEY,)), signin, ("public:*",))


@pytest.fixture(scope="module")
def shared_guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    from hermes.testing import FakeClock

    folder: Path = tmp_path_factory.mktemp("data")
    return Guard(ApiKeys((KEY,)), SignIn(folder, FakeClock()), ("public:*",))


# Who


def test_without_credentials_nobody(guard: Guard) -> None:
    assert guard.principal(request()) == NOBODY


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY} "},
        {"X_API_Key": KEY},
        {"X_API_Key": KEY, "Authorization": "Basic eDp5"},
    ],
)
def test_a_key(guard: Guard, headers: dict[str, str]) -> None:
    assert guard.principal(request(**headers)).admin


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"X_API_Key": "wrong"},
        {"X_API_Key": ""},
        {"Authorization": "Bearer wrong", "X_API_Key": KEY},
    ],
)
def test_credentials_that_do_not_count_are_an_error(guard: Guard, headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        guard.principal(request(**headers))


def test_a_session(guard: Guard) -> None:
    assert guard.principal(request(cookie=guard.signin.cookie())).by_cookie


@pytest.mark.parametrize("cookie", ["forged", "", "a.b.c", "\xff"])
def test_a_forged_session_is_nobody(guard: Guard, cookie: str) -> None:
    assert guard.principal(request(cookie=cookie)) == NOBODY


@given(st.text(st.characters(max_codepoint=255, exclude_categories=("Cc",))))
def test_no_header_is_an_error(shared_guard: Guard, text: str) -> None:
    for headers in ({"Authorization": text}, {"X_API_Key": text}, {"cookie": text}):
        try:
            shared_guard.principal(request(**headers))
        except Unauthorized:
            continue


# From where


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_session_writes_from_its_own_pages(guard: Guard, method: str) -> None:
    cookie = guard.signin.cookie()
    assert guard.principal(request(method, cookie, Origin="http://hermes.example:8000")).admin


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://hermes.example",
        "http://hermes.example:8001",
        "http://hermes.example:8000.evil.example",
        "http://evil.hermes.example:8000",
        "http://hermes.example:8000@evil.example",
        "http://evil.example/http://hermes.example:8000",
        "hermes.example:8000",
        "http://[",
        "http://[::1",
        "\xff",
    ],
)
def test_it_does_not_from_anywhere_else(guard: Guard, origin: str) -> None:
    with pytest.raises(Forbidden):
        guard.principal(request("POST", guard.signin.cookie(), Origin=origin))


def test_nor_from_nowhere(guard: Guard) -> None:
    with pytest.raises(Forbidden):
        guard.principal(request("POST", guard.signin.cookie()))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_it_reads_from_anywhere(guard: Guard, method: str) -> None:
    """Whether the page may see the answer is CORS's matter."""
    assert guard.principal(request(method, guard.signin.cookie(), Origin="http://evil.example")).admin


def test_a_key_writes_from_anywhere(guard: Guard) -> None:
    assert guard.principal(request("POST", guard.signin.cookie(), X_API_Key=KEY, Origin="http://evil.example")).admin


# Where to


@pytest.mark.parametrize(
    ("level", "principal", "error"),
    [
        (OPEN, NOBODY, None),
        (ANYONE, NOBODY, None),
        (ADMIN, NOBODY, Unauthorized),
        (ADMIN, Principal("token:1", user_id="7"), Forbidden),
        (ADMIN, Principal("key:1", admin=True), None),
        (ANYONE, Principal("token:1"), None),
    ],
)
def test_levels(guard: Guard, level: str, principal: Principal, error: type[Exception] | None) -> None:
    if error is None:
        guard.check(level, principal)
        return
    with pytest.raises(error):
        guard.check(level, principal)


def test_a_view_declares_its_level() -> None:
    def view() -> None: ...

    marked: Callable[[], None] = guarded(ADMIN)(view)
    assert marked is view
    assert marked.guard == ADMIN
