"""Which origins are allowed, in a Flask application of a few routes with nothing else of Hermes around it."""

from typing import Any

import pytest
from flask import Flask

from hermes.errors import SettingsError
from hermes.settings import load_settings
from hermes.web.cors import allow_origins, is_shared, may_vary
from hermes.web.headers import SafeAnswers

ORIGIN = "https://app.example"


def client(*origins: str, credentials: bool = False) -> Any:
    settings = load_settings(allowed_origins=origins, allow_credentials=credentials)
    app = Flask("test", static_folder=None)
    app.add_url_rule("/api/v1/events", view_func=lambda: "{}", methods=["GET", "POST"])
    app.add_url_rule("/dashboard", endpoint="dashboard", view_func=lambda: "page")
    allow_origins(app, settings)
    app.wsgi_app = SafeAnswers(app.wsgi_app, varies=may_vary(settings))
    return app.test_client()


def answered(one: Any, origin: str | None, path: str = "/api/v1/events", **options: Any) -> dict[str, str]:
    headers = {"Origin": origin} if origin is not None else {}
    answer = one.open(path, headers=headers | options.pop("headers", {}), **options)
    assert len(answer.headers.getlist("Access-Control-Allow-Origin")) <= 1
    return dict(answer.headers)


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-evil"}


@pytest.mark.parametrize("origins", [(ORIGIN,), (ORIGIN, "https://other.example:8443")])
def test_an_allowed_origin_gets_itself_back(origins: tuple[str, ...]) -> None:
    found = answered(client(*origins), ORIGIN)
    assert found["Access-Control-Allow-Origin"] == ORIGIN
    assert found["Access-Control-Expose-Headers"] == "Retry-After"
    assert found["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in found
    found = answered(client(*origins), ORIGIN, method="OPTIONS", headers=PREFLIGHT)
    assert found["Access-Control-Allow-Headers"] == "authorization"
    assert "POST" in found["Access-Control-Allow-Methods"]
    assert found["Access-Control-Max-Age"] == "600"


def test_credentials_only_where_they_are_allowed() -> None:
    assert answered(client(ORIGIN, credentials=True), ORIGIN)["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Credentials" not in answered(client(ORIGIN, credentials=True), "https://evil.test")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://evil.test",
        "https://app.example.evil.test",
        "https://evilapp.example",
        "https://app.example:8443",
        "http://app.example",
        "https://app.example/",
        "https://app.example,https://evil.test",
        "https://app.example https://evil.test",
        "https://appXexample",
    ],
)
@pytest.mark.parametrize("origins", [(ORIGIN,), (ORIGIN, "https://other.example")])
def test_any_other_gets_nothing_and_caches_are_told(origin: str | None, origins: tuple[str, ...]) -> None:
    for options in ({}, {"method": "POST"}, {"method": "OPTIONS", "headers": PREFLIGHT}):
        found = answered(client(*origins, credentials=True), origin, **options)
        assert not [name for name in found if name.startswith("Access-Control")]
        assert found["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/dashboard", "/nowhere"])
def test_pages_are_not_shared(path: str) -> None:
    found = answered(client(ORIGIN), ORIGIN, path)
    assert "Access-Control-Allow-Origin" not in found


def test_errors_of_the_api_are_shared() -> None:
    assert answered(client(ORIGIN), ORIGIN, "/api/v1/nowhere")["Access-Control-Allow-Origin"] == ORIGIN


def test_an_address_in_brackets_is_no_expression() -> None:
    one = client("http://[::1]:3000")
    assert answered(one, "http://[::1]:3000")["Access-Control-Allow-Origin"] == "http://[::1]:3000"
    assert "Access-Control-Allow-Origin" not in answered(one, "http://1:3000")


def test_a_star_within_an_origin_matches_nothing_else() -> None:
    try:
        one = client("https://*.example")
    except SettingsError:
        return  # it is refused before
    assert "Access-Control-Allow-Origin" not in answered(one, "https://a.example")
    assert "Access-Control-Allow-Origin" not in answered(one, "https://example.evil.test")


@pytest.mark.parametrize("origin", [None, "null", "https://anyone.test"])
def test_everybody_gets_a_star_that_never_varies(origin: str | None) -> None:
    found = answered(client("*"), origin)
    assert found["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in found
    assert "Access-Control-Allow-Credentials" not in found


def test_without_the_setting_there_is_nothing() -> None:
    found = answered(client(), ORIGIN)
    assert not [name for name in found if name.startswith("Access-Control") or name == "Vary"]


def test_shared_paths() -> None:
    assert all(map(is_shared, ["/api/v1/x", "/events", "/events/authenticated"]))
    assert not any(
        map(is_shared, ["/apix", "/eventsx", "/x/api/v1", "/events/authenticated/x", "/static/hermes.js", ""])
    )
