"""The guard: whose request it is, and which routes it may call."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from hermes.access.access import Access
from hermes.access.grants import Grants
from hermes.access.guard import ADMIN, ANYONE, KNOWN, OPEN, TOKEN_COOKIE, TOKENS, Guard, guarded
from hermes.access.principal import Principal, administrator, anonymous
from hermes.access.signin import COOKIE
from hermes.control import Control
from hermes.core.publisher import Publisher
from hermes.db.database import Database
from hermes.errors import Forbidden, Unauthorized
from hermes.settings import Settings, load_settings
from hermes.testing import FakeClock
from tests.unit.streaming.model_broker import ModelBroker

KEY = "7f3c9a1e5b8d2046af71c3e95d08b264"
NOBODY = anonymous(("public:*",))
MINTER = Principal("key:1", grants=Grants(("user:*", "news"), (), tokens=True))


def request(method: str = "GET", cookie: str | None = None, path: str = "/", **headers: str) -> Request:
    """A request to http://hermes.example:8000/; `X_API_Key="..."` is a header, `cookie` that of a session."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie is not None:
        named["Cookie"] = f"{COOKIE}={cookie}"
    builder = EnvironBuilder(path, base_url="http://hermes.example:8000/", method=method, headers=named)
    return Request(builder.get_environ())


def made_access(folder: Path) -> Iterator[Access]:
    clock = FakeClock()
    settings: Settings = load_settings(api_keys=(KEY,), data_dir=folder)
    database = Database(None, folder)
    database.open()
    access = Access(settings, database, Control(Publisher(ModelBroker(), clock, internal=True)), clock)
    access.load()
    yield access
    access.close()
    database.close()


@pytest.fixture
def access(folder: Path) -> Iterator[Access]:
    yield from made_access(folder)


@pytest.fixture
def guard(access: Access) -> Guard:
    return access.guard


@pytest.fixture(scope="module")
def shared_guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    for access in made_access(tmp_path_factory.mktemp("data")):
        yield access.guard


def token_of(guard: Guard) -> str:
    return guard.tokens.mint(MINTER, "7", ("news",), (), 60).token


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


@pytest.mark.parametrize("host", ["my_host:8000", "my_host", "a b", ""])
def test_a_host_that_werkzeug_does_not_know(guard: Guard, host: str) -> None:
    """It has none for these, and neither has the origin ``null``, which a sandboxed frame of any page has."""
    for origin in ("null", "", "file://"):
        with pytest.raises(Forbidden):
            guard.principal(request("POST", guard.signin.cookie(), Host=host, Origin=origin))


def test_a_host_with_an_underscore_is_one(guard: Guard) -> None:
    cookie = guard.signin.cookie()
    assert guard.principal(request("POST", cookie, Host="my_host:8000", Origin="http://my_host:8000")).admin
    with pytest.raises(Forbidden):
        guard.principal(request("POST", cookie, Host="my_host:8000", Origin="http://my_host"))


def test_nor_from_nowhere(guard: Guard) -> None:
    with pytest.raises(Forbidden):
        guard.principal(request("POST", guard.signin.cookie()))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_it_reads_from_anywhere(guard: Guard, method: str) -> None:
    """Whether the page may see the answer is CORS's matter."""
    assert guard.principal(request(method, guard.signin.cookie(), Origin="http://evil.example")).admin


def test_a_key_writes_from_anywhere(guard: Guard) -> None:
    assert guard.principal(request("POST", guard.signin.cookie(), X_API_Key=KEY, Origin="http://evil.example")).admin


# Tokens


def test_a_token_in_a_header(guard: Guard) -> None:
    found = guard.principal(request(Authorization=f"Bearer {token_of(guard)}"))
    assert (found.user_id, found.subscribe, found.admin, found.by_cookie) == ("7", ("news",), False, False)


def test_a_token_in_the_query_counts_where_the_view_says_so(guard: Guard) -> None:
    asking = request(path=f"/?token={token_of(guard)}")
    assert guard.principal(asking) == NOBODY
    assert guard.principal(asking, query_token=True).user_id == "7"
    with pytest.raises(Unauthorized):
        guard.principal(request(path="/?token=a.b.c"), query_token=True)
    with pytest.raises(Unauthorized):
        guard.principal(request(path="/?token="), query_token=True)


def test_a_token_in_a_cookie(guard: Guard) -> None:
    asking = request(Cookie=f"{TOKEN_COOKIE}={token_of(guard)}")
    found = guard.principal(asking)
    assert (found.user_id, found.by_cookie) == ("7", True)
    with pytest.raises(Unauthorized):
        guard.principal(request(Cookie=f"{TOKEN_COOKIE}=a.b.c"))
    with pytest.raises(Forbidden):
        guard.principal(request("POST", Cookie=f"{TOKEN_COOKIE}={token_of(guard)}", Origin="http://evil.example"))


def test_what_is_shown_on_purpose_comes_first(guard: Guard) -> None:
    cookie = f"{TOKEN_COOKIE}={token_of(guard)}"
    assert guard.principal(request(Cookie=cookie, X_API_Key=KEY)).admin
    assert guard.principal(request(Cookie=f"{COOKIE}={guard.signin.cookie()}; {cookie}")).admin


# Where to


@pytest.mark.parametrize(
    ("level", "principal", "error"),
    [
        (OPEN, NOBODY, None),
        (ANYONE, NOBODY, None),
        (KNOWN, NOBODY, Unauthorized),
        (TOKENS, NOBODY, Unauthorized),
        (ADMIN, NOBODY, Unauthorized),
        (ANYONE, Principal("user:7", user_id="7"), None),
        (KNOWN, Principal("user:7", user_id="7"), None),
        (TOKENS, Principal("user:7", user_id="7"), Forbidden),
        (ADMIN, Principal("user:7", user_id="7"), Forbidden),
        (TOKENS, MINTER, None),
        (ADMIN, MINTER, Forbidden),
        (TOKENS, administrator("key:1"), None),
        (ADMIN, administrator("key:1"), None),
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

    marked: Callable[[], None] = guarded(ADMIN, stream=True)(view)
    assert marked is view
    assert (marked.guard, marked.is_stream) == (ADMIN, True)
