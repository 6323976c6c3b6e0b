"""``GET /api/v1/limits``: who may, and what it tells after a limit has tripped."""

from collections.abc import Iterator

import jsonschema_rs
import pytest
from flask.testing import FlaskClient

from hermes.runtime import Runtime
from hermes.testing import running

PATH = "/api/v1/limits"
PEER = {"REMOTE_ADDR": "203.0.113.7"}
FORWARDED = {**PEER, "HTTP_X_FORWARDED_FOR": "198.51.100.1"}


@pytest.fixture(scope="module")
def hermes() -> Iterator[tuple[Runtime, FlaskClient]]:
    with running(connects_per_address=2, publish_rate=0) as made:
        yield made


def test_limits_refusals_and_forwarding(hermes: tuple[Runtime, FlaskClient]) -> None:
    stranger = hermes[1].application.test_client()
    assert [stranger.get(PATH, environ_overrides=PEER).status_code for _ in range(3)] == [401, 401, 429]
    assert stranger.get(PATH, environ_overrides=FORWARDED).status_code == 401
    answer = hermes[1].get(PATH)
    assert answer.status_code == 200
    told = answer.json
    values = {one["setting"]: one["value"] for one in told["limits"]}
    assert values["HERMES_CONNECTS_PER_ADDRESS"] == 2
    assert values["HERMES_PUBLISH_RATE"] == 0
    assert [(one["limit"], one["who"], one["times"]) for one in told["refused"]] == [
        ("connects_per_address", "203.0.113.7", 1)
    ]
    assert [(one["peer"], one["trusted_proxies"]) for one in told["forwarding"]] == [("203.0.113.7", 0)]


def test_it_is_as_it_is_described(hermes: tuple[Runtime, FlaskClient]) -> None:
    document = hermes[1].get("/api/v1/openapi.json").json
    operation = document["paths"][PATH]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    hermes[1].get("/healthz", environ_overrides=FORWARDED)
    validator.validate(hermes[1].get(PATH).json)
    assert {"401", "403", "429", "503"} <= set(operation["responses"])


def test_only_administrators_read_it(hermes: tuple[Runtime, FlaskClient]) -> None:
    token = hermes[1].post("/api/v1/tokens", json={"user_id": "ann"}).json["token"]
    stranger = hermes[1].application.test_client()
    assert stranger.get(PATH).status_code == 401
    assert stranger.get(PATH, headers={"Authorization": f"Bearer {token}"}).status_code == 403
