"""``GET /api/v1/audit``: who may, its shape, its pages, and input that is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from hermes.observe.audit import KEY_CREATE, KICK, PUBLISH
from hermes.runtime import Runtime
from hermes.testing import running

PATH = "/api/v1/audit"


@pytest.fixture(scope="module")
def hermes() -> Iterator[tuple[Runtime, FlaskClient]]:
    with running() as made:
        audit = made[0].audit
        audit.note(KEY_CREATE, "key:admin", "10.0.0.1", "key:k1", detail="name 'ops'")
        for n in range(24):
            audit.note(KICK, f"key:{n % 2}", "10.0.0.2", f"connection:{n}")
        audit.published("key:a", "10.0.0.3", [("orders",)] * 5)
        audit.refused("10.0.0.4", "/api/v1/events", "the token has expired")
        yield made


def page(hermes: tuple[Runtime, FlaskClient], **query: object) -> dict[str, Any]:
    answer = hermes[1].get(PATH, query_string=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    assert set(found) == {"items", "next"}
    return found


def test_an_entry(hermes: tuple[Runtime, FlaskClient]) -> None:
    (item,) = page(hermes, action=KEY_CREATE)["items"]
    assert item["at"].endswith("Z")
    assert isinstance(item["id"], int)
    assert {name: value for name, value in item.items() if name not in ("id", "at")} == {
        "action": KEY_CREATE,
        "principal": "key:admin",
        "address": "10.0.0.1",
        "target": "key:k1",
        "outcome": "ok",
        "count": 1,
        "detail": "name 'ops'",
    }


def test_what_was_summed_up_so_far_is_there(hermes: tuple[Runtime, FlaskClient]) -> None:
    assert [(one["target"], one["count"]) for one in page(hermes, action=PUBLISH)["items"]] == [("orders", 5)]
    (refused,) = page(hermes, outcome="UNAUTHORIZED", principal="anonymous")["items"]
    assert (refused["address"], refused["detail"]) == ("10.0.0.4", "the token has expired")


def test_pages(hermes: tuple[Runtime, FlaskClient]) -> None:
    found, after = [], None
    while True:
        query = {"action": KICK, "limit": 10} | ({"after": after} if after else {})
        one = page(hermes, **query)
        assert len(one["items"]) <= 10
        found += one["items"]
        after = one["next"]
        if after is None:
            break
    assert [item["target"] for item in found] == [f"connection:{n}" for n in reversed(range(24))]
    assert page(hermes, action=KICK, limit=24)["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=nan", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        ("after=-1", "after"),
        ("after=%D9%A1", "after"),
        (f"after={'9' * 19}", "after"),
        (f"after={'9' * 5000}", "after"),
        ("action=%00", "action"),
        ("outcome=a%0Ab", "outcome"),
        (f"principal={'x' * 256}", "principal"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_what_is_refused(hermes: tuple[Runtime, FlaskClient], query: str, field: str) -> None:
    answer = hermes[1].get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.json["error"]["details"][0]["field"] == field


def test_only_administrators_read_it(hermes: tuple[Runtime, FlaskClient]) -> None:
    client = hermes[1].application.test_client()
    assert client.get(PATH).status_code == 401
    assert client.get(PATH, headers={"Authorization": "Bearer wrong-wrong-wrong"}).status_code == 401
