"""The headers that keep a browser from using an answer for what it is not, on everything that a live server answers."""

import socket
from collections.abc import Iterator
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
import requests

from tests.security.conftest import UNLIMITED, StartHermes, session_cookie
from tests.security.routes import routes
from tests.support.hermes_server import HermesServer
from tests.support.ports import LOOPBACK

pytestmark = pytest.mark.live

DATA = ("application/json", "text/event-stream")


@pytest.fixture(scope="module", params=["true", "false"], ids=["direct", "portable"])
def hermes(request: pytest.FixtureRequest) -> Iterator[HermesServer]:
    with HermesServer(env={**UNLIMITED, "HERMES_DIRECT_LANE": request.param}) as server:
        yield server


def ask(hermes: HermesServer, method: str, path: str, **headers: str) -> requests.Response:
    with requests.request(
        method, hermes.url + path, headers=headers, allow_redirects=False, stream=True, timeout=20
    ) as answer:
        return answer


def check(answer: requests.Response, what: str) -> str:
    """Holds an answer to the rules; the kind of answer that it is."""
    headers = answer.headers
    assert headers.get("X-Content-Type-Options") == "nosniff", what
    kind = headers.get("Content-Type", "").partition(";")[0]
    if kind in DATA:
        return kind
    policy = headers.get("Content-Security-Policy", "")
    if not urlsplit(answer.url).path.endswith(".js"):  # a worker would take it for its own
        assert "default-src 'none'" in policy, what
        assert "frame-ancestors 'none'" in policy, what
        assert "base-uri 'none'" in policy, what
        assert "unsafe" not in policy, what
        assert "form-action" in policy, what
    assert headers.get("Referrer-Policy") == "same-origin", what
    assert headers.get("Cross-Origin-Opener-Policy") == "same-origin", what
    assert headers.get("Cross-Origin-Resource-Policy") in ("same-origin", "cross-origin"), what
    assert headers.get("Cache-Control") in ("no-store", "no-cache"), what
    return kind


def test_every_route_and_every_error(hermes: HermesServer) -> None:
    cookie = session_cookie(hermes)
    kinds: dict[str, int] = {}
    for route in routes():
        for method in (route.method, "HEAD", "OPTIONS", "TRACE"):
            for headers in ({}, {"Cookie": cookie}, hermes.headers, {"Authorization": "Bearer wrong-wrong-wrong"}):
                if method not in ("GET", "HEAD", "OPTIONS", "TRACE") and headers is hermes.headers:
                    continue  # what would really be done belongs to other tests
                answer = ask(hermes, method, route.path, **headers)
                kind = check(answer, f"{method} {route.path} {answer.status_code}")
                kinds[kind] = kinds.get(kind, 0) + 1
    print(f"answers held to the rules: {kinds}")
    assert {"text/html", "application/json", "text/event-stream"} <= set(kinds)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 302),
        ("/dashboard", 401),
        ("/dashboard?code=wrong", 403),
        ("/nowhere", 404),
        ("/static/hermes.js", 200),
        ("/static/nothing.js", 404),
        ("/static/dashboard/dashboard.css", 200),
        ("/static/dashboard/favicon.svg", 200),
        ("/static/../app.py", 404),
        ("/static/dashboard/index.html", 404),  # a page is where somebody looks who is there
        ("/favicon.ico", 200),
        ("/api/v1/hermes.js", 302),
        ("/api/v1/events/stream?channels=public:a", 200),
        ("/api/v1/events/stream?channels=secret", 403),
        ("/api/v1/events/stream?poll=1&channels=public:a", 200),
    ],
)
def test_some_of_them_by_name(hermes: HermesServer, path: str, status: int) -> None:
    answer = ask(hermes, "GET", path)
    assert answer.status_code == status
    check(answer, path)


def test_publishing(hermes: HermesServer) -> None:
    assert check(hermes.post("/api/v1/events", json={"channel": "a", "data": 1}), "201") == "application/json"
    assert check(hermes.post("/api/v1/events", data=b"{"), "400") == "application/json"


def test_pages_run_their_own_scripts_and_nothing_else(hermes: HermesServer) -> None:
    page = ask(hermes, "GET", "/dashboard", Cookie=session_cookie(hermes))
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split(";"))
    assert page.status_code == 200
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["default-src"] == "'none'"


def test_a_cached_file_keeps_its_headers(hermes: HermesServer) -> None:
    first = ask(hermes, "GET", "/static/hermes.js")
    again = ask(hermes, "GET", "/static/hermes.js", **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert "Content-Security-Policy" not in again.headers


def test_the_session_is_out_of_reach_of_scripts_and_of_other_sites(hermes: HermesServer) -> None:
    answer = requests.post(
        f"{hermes.url}/dashboard/signin", data={"key": hermes.key}, allow_redirects=False, timeout=10
    )
    (morsel,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert morsel["httponly"]
    assert morsel["samesite"] == "Strict"
    assert morsel["path"] == "/"
    assert not morsel["domain"]
    assert answer.headers["Cache-Control"] == "no-store"
    over_tls = requests.post(
        f"{hermes.url}/dashboard/signin",
        data={"key": hermes.key},
        headers={"X-Forwarded-Proto": "https"},
        allow_redirects=False,
        timeout=10,
    )
    assert "Secure" in over_tls.headers["Set-Cookie"]


def asked_by_a_proxy(hermes: HermesServer, request: str, body: str = "", **headers: str) -> str:
    """What the server answers to a peer that is not at its own address, as a proxy on another machine."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((LOOPBACK, hermes.port), 10, source_address=("127.0.0.5", 0)) as link:
        link.sendall(f"{request} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{lines}\r\n{body}".encode())
        return link.recv(65_536).decode()


@pytest.mark.parametrize("proxies", [0, 1])
def test_the_session_behind_a_proxy_that_ends_tls(start_hermes: StartHermes, proxies: int) -> None:
    """Who declares a proxy takes its word for the scheme, so that the cookie never travels in the clear."""
    hermes = start_hermes(env={**UNLIMITED, "HERMES_TRUSTED_PROXIES": str(proxies)})
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "Origin": "https://a"}
    answer = asked_by_a_proxy(hermes, "POST /dashboard/signin", f"key={hermes.key}", **forwarded)
    assert " 303 " in answer
    assert ("; Secure" in answer) is bool(proxies)


@pytest.mark.parametrize("proxies", [0, 1])
def test_no_header_moves_an_address(start_hermes: StartHermes, proxies: int) -> None:
    """Else a client would get past the rules of a proxy that lets only some addresses through."""
    hermes = start_hermes(env={**UNLIMITED, "HERMES_TRUSTED_PROXIES": str(proxies)})
    for headers in ({"SCRIPT_NAME": "/open"}, {"Script-Name": "/open"}, {"PATH_INFO": "/api/v1/keys"}):
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(hermes.headers | headers)
            assert session.get(f"{hermes.url}/open/api/v1/keys", timeout=10).status_code == 404
            assert session.get(f"{hermes.url}/healthz", timeout=10).json() == {"status": "ok"}
        answer = asked_by_a_proxy(hermes, "GET /open/api/v1/keys", **hermes.headers, **headers)
        assert " 404 " in answer.partition("\r\n")[0]
