"""What is added to an answer, and what is left as it is."""

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from hermes.web.headers import DEFAULTS, POLICY, SafeAnswers, completed

JSON = ("Content-Type", "application/json")


def added(path: str, *headers: tuple[str, str], varies: bool = False) -> dict[str, str]:
    whole = completed(list(headers), path, varies=varies)
    assert whole[: len(headers)] == list(headers)
    names = [name.lower() for name, _ in whole]
    assert len(set(names)) == len(names)
    return dict(whole[len(headers) :])


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_data_gets_one_header(kind: str) -> None:
    assert added("/api/v1/events", ("Content-Type", kind)) == {"X-Content-Type-Options": "nosniff"}


@pytest.mark.parametrize(
    "headers", [[], [("Content-Type", "text/html; charset=utf-8")], [("Content-Type", "image/svg+xml")]]
)
def test_everything_else_gets_them_all(headers: list[tuple[str, str]]) -> None:
    found = added("/static/dashboard/favicon.svg", *headers)
    assert found == {"X-Content-Type-Options": "nosniff", **dict(DEFAULTS)}
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY


def test_what_is_there_stays() -> None:
    ours = [("content-security-policy", "default-src 'self'"), ("Cross-Origin-Resource-Policy", "cross-origin")]
    found = added("/dashboard", *ours, ("Cache-Control", "no-cache"), ("x-content-type-options", "nosniff"))
    assert set(found) == {"Referrer-Policy", "Cross-Origin-Opener-Policy"}


def test_a_script_has_no_policy_of_its_own() -> None:
    assert "Content-Security-Policy" not in added("/static/hermes.js", ("Content-Type", "text/javascript"))


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/nowhere", "/events", "/events/authenticated"])
def test_shared_paths_vary_by_origin(path: str) -> None:
    assert added(path, JSON, varies=True)["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/static/hermes.js", "/dashboard", "/eventsX", "/events/authenticated/x"])
def test_others_do_not(path: str) -> None:
    application = SafeAnswers(_answering([JSON]), varies=True)
    assert "Vary" not in _headers(application, path)


def test_what_varies_already_is_not_said_twice() -> None:
    assert "Vary" not in added("/api/v1/events", JSON, ("Vary", "Accept, origin"), varies=True)


def _answering(headers: list[tuple[str, str]]) -> Any:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [b"{}"]

    return application


def _headers(application: Any, path: str) -> dict[str, str]:
    _, _, headers = run_wsgi_app(application, EnvironBuilder(path).get_environ())
    return dict(headers)


def test_the_body_is_the_same_object() -> None:
    body = [b"x"]

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return body

    assert SafeAnswers(application)({}, lambda *_: lambda _: None) is body  # a stream is told by its type


def test_a_late_error_is_handed_on() -> None:
    seen = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("500 NO", [], (ValueError, ValueError(), None))
        return []

    SafeAnswers(application)({}, lambda *arguments: seen.append(arguments) or (lambda _: None))
    assert seen[0][2][0] is ValueError
