"""Scenario 23: pages of other origins read nothing and write nothing, with a cookie or without; those allowed read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.security.conftest import server_on, session_cookie
from tests.security.routes import Route, reading, routes, writing
from tests.support.hermes_server import HermesServer

pytestmark = pytest.mark.live

ALLOWED = "https://app.example"
OTHER_ALLOWED = "http://[::1]:3000"
FOREIGN = (
    "https://evil.test",
    "null",
    "https://app.example.evil.test",
    "https://evilapp.example",
    "https://app.example:8443",
    "http://app.example",
    "http://1:3000",  # what the other one means, read as a regular expression
)
EVENTS, STREAM = "/api/v1/events", "/api/v1/events/stream"
STATUSES = {200, 201, 204, 302, 303, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503}


@pytest.fixture(
    scope="module",
    params=[
        {"HERMES_ALLOWED_ORIGINS": f"{ALLOWED},{OTHER_ALLOWED}", "HERMES_ALLOW_CREDENTIALS": "true"},
        {"HERMES_ALLOWED_ORIGINS": ALLOWED, "HERMES_DIRECT_LANE": "false"},  # and with Redis
        {},  # none is allowed: publishing and streams go by the short way
    ],
    ids=["allowed", "allowed-portable", "none-allowed"],
)
def hermes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HermesServer]:
    broker = "redis" if "HERMES_DIRECT_LANE" in request.param else "embedded"
    with server_on(broker, tmp_path_factory, HERMES_PUBLIC_CHANNELS="public:*", **request.param) as server:
        server.allowed = request.param.get("HERMES_ALLOWED_ORIGINS", "").split(",")  # type: ignore[attr-defined]
        server.credentials = "HERMES_ALLOW_CREDENTIALS" in request.param  # type: ignore[attr-defined]
        yield server


@pytest.fixture(scope="module")
def cookie(hermes: HermesServer) -> str:
    return session_cookie(hermes)


def allowed(hermes: HermesServer) -> list[str]:
    """The origins that this server allows."""
    found: list[str] = [one for one in hermes.allowed if one]  # type: ignore[attr-defined]
    return found


def ask(hermes: HermesServer, method: str, path: str, **headers: str) -> requests.Response:
    """One request whose body, if any, is left unread; streams end with it. Header names have `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = b"{}" if method in ("POST", "PUT", "PATCH") else None
    with requests.request(
        method, hermes.url + path, headers=named, data=data, allow_redirects=False, stream=True, timeout=20
    ) as answer:
        assert answer.status_code in STATUSES, (method, path, answer.status_code)
        return answer


def preflight(hermes: HermesServer, route: Route, origin: str, **headers: str) -> requests.Response:
    asked = {"Access_Control_Request_Method": route.method, "Access_Control_Request_Headers": "authorization"}
    return ask(hermes, "OPTIONS", route.path, Origin=origin, **asked, **headers)


def told(answer: requests.Response) -> dict[str, str]:
    """What CORS says in an answer; each header comes once."""
    raw: Any = answer.raw.headers
    names = [name for name in raw if name.lower().startswith("access-control-")]
    for name in names:
        assert len(raw.getlist(name)) == 1, raw.getlist(name)
    return {name.lower().removeprefix("access-control-"): answer.headers[name] for name in names}


def is_shared(path: str) -> bool:
    """Whether the settings may open this path to other origins."""
    return path.startswith("/api/") or path in ("/events", "/events/authenticated")


def is_for_all(path: str) -> bool:
    """Whether pages of any origin may import it."""
    return path == "/api/v1/hermes.js" or (path.startswith("/static/") and path.endswith(".js"))


@pytest.mark.parametrize("with_cookie", [False, True], ids=["bare", "cookie"])
def test_23_foreign_origins_are_told_nothing(hermes: HermesServer, cookie: str, with_cookie: bool) -> None:
    asked = 0
    cookies = {"Cookie": cookie} if with_cookie else {}
    for origin in FOREIGN:
        if origin == "http://1:3000" and OTHER_ALLOWED not in allowed(hermes):
            continue
        for route in routes():
            for answer in (
                ask(hermes, route.method, route.path, Origin=origin, **cookies),
                preflight(hermes, route, origin, **cookies),
            ):
                asked += 1
                if not is_for_all(route.path):
                    assert told(answer) == {}, (route, origin)
                if is_shared(route.path) and allowed(hermes):
                    assert "Origin" in answer.headers.get("Vary", ""), (route, origin, dict(answer.headers))
    print(f"scenario 23: {asked} requests of {len(FOREIGN)} foreign origins, {len(routes())} routes")
    assert asked > 300


def test_23_without_an_origin_caches_are_told_too(hermes: HermesServer) -> None:
    for route in reading():
        answer = ask(hermes, route.method, route.path)
        if not is_for_all(route.path):
            assert told(answer) == {}, route
        if is_shared(route.path) and allowed(hermes):
            assert "Origin" in answer.headers.get("Vary", ""), route


def test_23_allowed_origins_get_their_own_origin_back(hermes: HermesServer) -> None:
    for origin in allowed(hermes):
        for route in routes():
            if not is_shared(route.path):
                continue
            said = told(ask(hermes, route.method, route.path, Origin=origin))
            if is_for_all(route.path):
                assert said == {"allow-origin": "*"}, route
                continue
            expected = {"allow-origin": origin, "expose-headers": "Retry-After"}
            if hermes.credentials:  # type: ignore[attr-defined]
                expected["allow-credentials"] = "true"
            assert said == expected, route
            answer = preflight(hermes, route, origin)
            said = told(answer)
            assert answer.status_code == 200, (route, answer.status_code, "a preflight carries no credentials")
            assert said["allow-origin"] == origin
            assert said["allow-headers"] == "authorization"
            assert route.method in said["allow-methods"]
    for path in ("/dashboard", "/", "/healthz"):
        for origin in allowed(hermes):
            assert told(ask(hermes, "GET", path, Origin=origin)) == {}, path


def test_23_refusals_and_errors_can_be_read_where_it_is_allowed(hermes: HermesServer) -> None:
    for origin in allowed(hermes):
        for path, status in (
            (f"{STREAM}?channels=secret", 403),
            (f"{STREAM}?nonsense=1", 400),
            ("/api/v1/nowhere", 404),
            (f"{STREAM}?channels=public:a", 200),
        ):
            answer = ask(hermes, "GET", path, Origin=origin)
            assert (answer.status_code, told(answer)["allow-origin"]) == (status, origin), path
        answer = ask(hermes, "POST", EVENTS, Origin=origin, Authorization="Bearer wrong-wrong-wrong")
        assert (answer.status_code, told(answer)["allow-origin"]) == (401, origin)


def test_23_a_cookie_writes_nothing_from_elsewhere(hermes: HermesServer, cookie: str) -> None:
    token = hermes.post("/api/v1/tokens", json={"user_id": "7", "publish": ["*"], "ttl": 600}).json()["token"]
    hermes.publish("csrf", "first")
    event = json.dumps({"channel": "csrf", "data": "forged"})
    tried = 0
    for cookies in (cookie, f"hermes_token={token}"):
        for origin in (*FOREIGN, *allowed(hermes), None):
            for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
                for route in writing():
                    headers = {"Cookie": cookies, "Content-Type": kind} | ({"Origin": origin} if origin else {})
                    answer = requests.request(
                        route.method,
                        hermes.url + route.path,
                        data=event,
                        headers=headers,
                        allow_redirects=False,
                        timeout=20,
                    )
                    tried += 1
                    assert answer.status_code == 403, (route, origin, kind, answer.status_code, answer.text[:200])
    page = hermes.get(f"{EVENTS}?channels=csrf&after=earliest").json()
    print(f"scenario 23: {tried} writes with a cookie from elsewhere, {len(writing())} routes")
    assert [one["data"] for one in page["events"]] == ["first"]


def test_23_the_same_cookies_count_for_reading_and_for_our_own_pages(hermes: HermesServer, cookie: str) -> None:
    """Else the test before would pass with cookies that nobody reads."""
    token = hermes.post("/api/v1/tokens", json={"user_id": "7", "publish": ["csrf:*"], "ttl": 600}).json()["token"]
    for cookies in (cookie, f"hermes_token={token}"):
        answer = requests.post(
            hermes.url + EVENTS,
            data=b'{"channel": "csrf:own", "data": 1}',
            headers={"Cookie": cookies, "Origin": hermes.url, "Content-Type": "application/json"},
            timeout=20,
        )
        assert answer.status_code == 201, answer.text
    assert ask(hermes, "GET", f"{EVENTS}?channels=csrf", Cookie=cookie).status_code == 200


def test_23_scripts_can_be_imported_from_anywhere(hermes: HermesServer) -> None:
    from hermes.web.pages import static_folder

    scripts = [path.relative_to(static_folder()).as_posix() for path in static_folder().rglob("*.js")]
    assert "hermes.js" in scripts
    for path in [*(f"/static/{name}" for name in scripts), "/api/v1/hermes.js"]:
        for origin in (None, *FOREIGN, ALLOWED):
            answer = ask(hermes, "GET", path, **({"Origin": origin} if origin else {}))
            assert answer.status_code in (200, 302)
            assert told(answer) == {"allow-origin": "*"}, path
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if answer.status_code == 200:
                assert answer.headers["Content-Type"].startswith("text/javascript")
