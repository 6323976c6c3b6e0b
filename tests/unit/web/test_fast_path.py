"""What goes past Flask is answered to the letter as Flask's own routes answer it."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request_started
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from hermes.access.guard import ADMIN as ADMIN_LEVEL
from hermes.access.guard import guarded
from hermes.app import create_app
from hermes.errors import Unavailable
from hermes.runtime import Runtime
from hermes.settings import load_settings
from hermes.testing import TEST_KEY, running
from hermes.web.fast_path import VIEWS, FastPath
from hermes.web.headers import SafeAnswers

STREAM, EVENTS = "/api/v1/events/stream", "/api/v1/events"
ADMIN = {"Authorization": f"Bearer {TEST_KEY}"}
VARIES = re.compile(rb"\d{4}-\d\d-\d\dT[^\"]+|[0-9a-z]{6,}-\d+|\"connection_id\":\"[^\"]+\"|retry: \d+")
ONE = {"channel": "a", "data": 1}


@pytest.fixture(scope="module")
def hermes() -> Iterator[tuple[Runtime, FlaskClient]]:
    with running() as made:
        made[0].publisher.publish_batch([ONE] * 100)  # from here on all numbers are of one width
        yield made


def fast(app: Flask) -> FastPath:
    assert isinstance(app.wsgi_app, SafeAnswers)
    path = app.wsgi_app.application
    assert isinstance(path, FastPath)
    return path


def answer(application: Any, *arguments: Any, **options: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and the first piece of the body, with what differs from call to call taken out."""
    environ = EnvironBuilder(*arguments, **options).get_environ()
    body, status, headers = run_wsgi_app(application, environ)
    first = next(iter(body), b"")
    if hasattr(body, "close"):
        body.close()
    kept = [(name, VARIES.sub(b"*", value.encode()).decode()) for name, value in headers]
    return status, sorted(kept), VARIES.sub(b"*", first)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": ADMIN, "json": ONE},
        {"headers": ADMIN, "json": [ONE, ONE]},
        {"headers": ADMIN, "data": b'{"channel":"a"}\n{"channel":"b"}', "content_type": "application/x-ndjson"},
        {"headers": ADMIN, "data": b"{", "content_type": "application/json"},
        {"headers": ADMIN, "json": {"channel": "a b", "typ": 1}},
        {"headers": ADMIN, "data": b"x" * 2_000_000},
        {"headers": ADMIN},
        {"headers": {**ADMIN, "Idempotency-Key": "k" * 256}, "json": ONE},
        {"headers": {"X-API-Key": TEST_KEY}, "json": ONE},
        {"headers": {"Authorization": "Bearer wrong"}, "json": ONE},
        {"json": ONE},
        {"query_string": "a=b", "headers": ADMIN, "json": ONE},
    ],
)
def test_publishing(hermes: tuple[Runtime, FlaskClient], options: dict[str, Any]) -> None:
    path = fast(hermes[1].application)
    assert answer(path, EVENTS, method="POST", **options) == answer(path._flask, EVENTS, method="POST", **options)


@pytest.mark.parametrize("query", ["", "channels=a", "channels=a,b*&poll=1", "channels=a&nonsense=1", "filters=%5B"])
@pytest.mark.parametrize(
    "headers",
    [
        ADMIN,
        {},
        {"Authorization": "Bearer wrong"},
        {**ADMIN, "Last-Event-ID": "é?"},
        {**ADMIN, "Accept": "application/json"},
    ],
)
def test_streams(hermes: tuple[Runtime, FlaskClient], query: str, headers: dict[str, str]) -> None:
    path = fast(hermes[1].application)
    options = {"query_string": query, "headers": headers}
    assert answer(path, STREAM, **options) == answer(path._flask, STREAM, **options)


@pytest.mark.parametrize("accept", ["text/event-stream", "text/event-stream, application/json"])
def test_refusals(hermes: tuple[Runtime, FlaskClient], monkeypatch: pytest.MonkeyPatch, accept: str) -> None:
    def refuse() -> None:
        raise Unavailable("the store is away")

    runtime, client = hermes
    monkeypatch.setattr(runtime.registry, "admit", refuse)
    path, options = fast(client.application), {"headers": {**ADMIN, "Accept": accept}}
    assert answer(path, STREAM, **options) == answer(path._flask, STREAM, **options)


def test_an_error_of_ours_is_a_500_that_tells_nothing(
    hermes: tuple[Runtime, FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    runtime, client = hermes
    monkeypatch.setattr(runtime.publisher, "publish_batch", fail)
    path = fast(client.application)
    status, _, body = answer(path, EVENTS, method="POST", headers=ADMIN, json=ONE)
    assert status.startswith("500")
    assert json.loads(body)["error"]["code"] == "INTERNAL_ERROR"
    assert (status, body) == answer(path._flask, EVENTS, method="POST", headers=ADMIN, json=ONE)[::2]


def test_the_views_are_those_of_the_routes(hermes: tuple[Runtime, FlaskClient]) -> None:
    app = hermes[1].application
    adapter = app.url_map.bind("localhost")
    for (method, path), (view, _) in VIEWS.items():
        endpoint, arguments = adapter.match(path, method)
        assert app.view_functions[endpoint] is view
        assert not arguments


def goes_past_flask(app: Flask, monkeypatch: pytest.MonkeyPatch) -> bool:
    seen = []
    flask = fast(app)._flask
    monkeypatch.setattr(fast(app), "_flask", lambda *arguments: (seen.append(1), flask(*arguments))[1])
    assert answer(app.wsgi_app, EVENTS, method="POST", headers=ADMIN, json=ONE)[0] == "201 CREATED"
    return not seen


def test_it_is_taken(hermes: tuple[Runtime, FlaskClient], monkeypatch: pytest.MonkeyPatch) -> None:
    assert goes_past_flask(hermes[1].application, monkeypatch)


@pytest.mark.parametrize("hook", ["before_request", "after_request", "teardown_request"])
def test_a_team_that_hooks_into_requests_is_heard(monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    heard = []
    with running() as (runtime, _):
        app = create_app(runtime=runtime)
        getattr(app, hook)(lambda *arguments: heard.append(1) or (arguments[0] if hook == "after_request" else None))
        assert not goes_past_flask(app, monkeypatch)
    assert heard


def add_handler(app: Flask) -> None:
    app.register_error_handler(ZeroDivisionError, lambda _: ("their own", 418))


def trust_hosts(app: Flask) -> None:
    app.config["TRUSTED_HOSTS"] = ["localhost"]


def replace_view(app: Flask) -> None:
    view = app.view_functions["events.publish"]
    app.view_functions["events.publish"] = guarded(ADMIN_LEVEL)(partial(view))


def subscribe(app: Flask) -> None:
    request_started.connect(_heard, app)


def _heard(*_: object, **__: object) -> None:
    pass


@pytest.mark.parametrize("change", [add_handler, trust_hosts, replace_view, subscribe])
def test_what_else_a_team_changes_counts(monkeypatch: pytest.MonkeyPatch, change: Callable[[Flask], None]) -> None:
    with running() as (_, client):
        change(client.application)
        try:
            assert not goes_past_flask(client.application, monkeypatch)
        finally:
            request_started.disconnect(_heard, client.application)


def test_a_handler_for_everything_leaves_our_errors_alone() -> None:
    with running() as (_, client):
        client.application.register_error_handler(Exception, lambda _: ("their own", 418))
        assert client.post(EVENTS, json={"channel": "a b"}).status_code == 400
        assert client.get("/nowhere").status_code == 404


def test_with_cors_flask_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(allowed_origins=("https://example.org",)) as (_, client):
        assert not goes_past_flask(client.application, monkeypatch)


def test_a_runtime_that_is_not_up_is_started_by_flask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runtime = Runtime(load_settings(data_dir=tmp_path, api_keys=(TEST_KEY,), system_interval=0))
    app = create_app(runtime=runtime)
    try:
        assert not goes_past_flask(app, monkeypatch)
        assert runtime.started
        assert goes_past_flask(app, monkeypatch)
    finally:
        runtime.close()
