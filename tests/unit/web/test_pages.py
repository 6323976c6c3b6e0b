"""The pages' own rules: what is served as a file, and who may sign in and out from where."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from hermes.access.signin import COOKIE
from hermes.errors import Unavailable
from hermes.observe.audit import SIGN_IN, SIGN_OUT
from hermes.runtime import Runtime
from hermes.testing import TEST_KEY, running

IN, OUT = "/dashboard/signin", "/dashboard/signout"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def hermes() -> Iterator[tuple[Runtime, FlaskClient]]:
    with running(connects_per_address=0) as (runtime, client):
        client.environ_base.pop("HTTP_AUTHORIZATION")
        yield runtime, client


@pytest.fixture
def client(hermes: tuple[Runtime, FlaskClient]) -> FlaskClient:
    return hermes[1]


def test_a_page_is_no_file(client: FlaskClient) -> None:
    for name in (
        "dashboard/index.html",
        "dashboard/signin.html",
        "docs/index.html",
        "x/../dashboard/index.html",
        "./docs/index.html",
        "docs//index.html",
    ):
        assert client.get(f"/static/{name}", buffered=True).status_code == 404
    assert client.get("/static/dashboard/main.js", buffered=True).status_code == 200


@pytest.mark.parametrize("path", ["/static/hermes.js", "/api/v1/hermes.js"])
def test_a_script_and_the_way_to_it_are_for_all(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Origin": "https://evil.test"}, buffered=True)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("origin", [None, "http://localhost", "https://localhost"])  # the last: TLS ends at a proxy
def test_signing_in(client: FlaskClient, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = client.post(IN, data={"key": f" {TEST_KEY} "}, headers=headers)
    assert answer.status_code == 303
    assert answer.headers["Cache-Control"] == "no-store"
    assert "hermes_session=" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("key", ["", "wrong", "é\udcff", "\x00", TEST_KEY[:-1], "x" * 100_000])
def test_a_wrong_key(client: FlaskClient, key: str) -> None:
    body = b"key=" + key.encode("utf-8", "surrogateescape").replace(b"\x00", b"%00").replace(b"\xc3\xa9", b"%C3%A9")
    answer = client.post(IN, data=body.replace(b"\xff", b"%FF"), content_type=FORM, buffered=True)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("body", [b"\xff", b"&".join(b"a=b" for _ in range(100))])
def test_what_is_no_form(client: FlaskClient, body: bytes) -> None:
    answer = client.post(IN, data=body, content_type=FORM)
    assert answer.status_code == 400
    assert answer.json["error"]["details"][0]["field"] == "body"


def test_a_form_has_a_bound(client: FlaskClient) -> None:
    assert client.post(IN, data=b"key=" + b"x" * 2_000_000, content_type=FORM).status_code == 413


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost.evil.test", "http://localhost:81"])
@pytest.mark.parametrize("path", [IN, OUT])
def test_other_origins_sign_nobody_in_or_out(client: FlaskClient, path: str, origin: str) -> None:
    answer = client.post(path, data={"key": TEST_KEY}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_signing_out_is_asked_by_a_page_of_ours(client: FlaskClient) -> None:
    assert client.post(OUT).status_code == 403
    answer = client.post(OUT, headers={"Origin": "http://localhost"})
    assert answer.status_code == 303
    assert "hermes_session=;" in answer.headers["Set-Cookie"]


def test_after_signing_out_a_copy_of_the_cookie_is_worth_nothing(client: FlaskClient) -> None:
    copy, other = client.application.test_client(), client.application.test_client()
    for one in (client, other):
        assert one.post(IN, data={"key": TEST_KEY}).status_code == 303
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    copy.set_cookie(COOKIE, cookie.value)

    def seen() -> list[int]:
        return [one.get("/dashboard", buffered=True).status_code for one in (copy, other)]

    assert seen() == [200, 200]
    assert client.post(OUT, headers={"Origin": "http://localhost"}).status_code == 303
    assert seen() == [401, 200]


def test_a_store_that_is_away_keeps_nobody_signed_in_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable("the store is away")

    with running() as (runtime, client):
        client.post(IN, data={"key": TEST_KEY})
        monkeypatch.setattr(runtime.tokens, "revoke", away)
        answer = client.post(OUT, headers={"Origin": "http://localhost"})
        assert (answer.status_code, "hermes_session=;" in answer.headers["Set-Cookie"]) == (303, True)
        (noted,) = runtime.audit.entries({"action": SIGN_OUT}, None, 10)
        assert "may count" in noted.detail


def test_who_signed_in_and_out_is_noted() -> None:
    with running() as (runtime, client):
        code = runtime.guard.signin.new_code()
        assert client.get("/dashboard", query_string={"code": code}).status_code == 303
        assert client.get("/dashboard", query_string={"code": code}, buffered=True).status_code == 403
        assert client.post(IN, data={"key": TEST_KEY}).status_code == 303
        assert client.post(IN, data={"key": "wrong"}, buffered=True).status_code == 403
        assert client.post(OUT, headers={"Origin": "http://localhost"}).status_code == 303
        entries = runtime.audit.entries({}, None, 100)
        told = sorted((one.action, one.principal.partition(":")[0], one.target, one.outcome) for one in entries)
        assert told == [
            (SIGN_IN, "anonymous", "key", "FORBIDDEN"),
            (SIGN_IN, "anonymous", "link", "FORBIDDEN"),
            (SIGN_IN, "session", "key", "ok"),
            (SIGN_IN, "session", "link", "ok"),
            (SIGN_OUT, "session", "", "ok"),
        ]
        assert [one.count for one in entries if one.outcome != "ok"] == [1, 1]
        assert code not in str(entries)


def test_guesses_are_limited() -> None:
    with running(connects_per_address=5) as (_, client):
        client.environ_base.pop("HTTP_AUTHORIZATION")
        answers = [client.post(IN, data={"key": f"{n}"}, buffered=True).status_code for n in range(20)]
        assert answers[0] == 403
        assert answers[-1] == 429
        assert client.post(IN, data={"key": TEST_KEY}, buffered=True).status_code == 429
