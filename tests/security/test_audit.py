"""The audit of live servers: who published, opened, was refused and administered what, and that nobody can flood it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.security.conftest import UNLIMITED, StartHermes, StartRedis, session_cookie
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.postgres_server import PostgresServer
from tests.support.sse_client import StandardClient
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

AUDIT, EVENTS, KEYS = "/api/v1/audit", "/api/v1/events", "/api/v1/keys"
Pair = tuple[HermesServer, HermesServer]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def start(
    request: pytest.FixtureRequest, start_hermes: StartHermes, start_redis: StartRedis, tmp_path: Any
) -> Callable[..., Pair]:
    """Starts the server that is asked to act, and the one that is asked for the audit: one, or two with all in common."""

    def started(**env: str) -> Pair:
        if request.param == "sqlite":
            one = start_hermes(tmp_path / "one", env=UNLIMITED | env)
            return one, one
        url = request.getfixturevalue("postgres").new_database()
        common = UNLIMITED | {"DATABASE_URL": url} | env
        redis = start_redis().url
        return (
            start_hermes(tmp_path / "a", env=common, redis_url=redis),
            start_hermes(tmp_path / "b", env=common, redis_url=redis),
        )

    return started


def entries(hermes: HermesServer, **filters: object) -> list[dict[str, Any]]:
    """All entries, the newest first, over all pages."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        query = {"limit": 200, **filters} | ({"after": after} if after else {})
        answer = hermes.get(AUDIT, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


def written(hermes: HermesServer, **filters: object) -> list[dict[str, Any]]:
    """The same, once there is one: administration is written at once, traffic of this server when somebody looks."""
    return wait_until(lambda: entries(hermes, **filters), 12, f"{filters}")


def test_who_did_what(start: Callable[..., Pair]) -> None:
    acting, asked = start()
    grants = {"publish": ["orders:*"], "subscribe": ["orders:*", "user:*"], "tokens": True}
    made = acting.post(KEYS, json={"name": "ops", **grants})
    key, bearer = made.json(), {"Authorization": f"Bearer {made.json()['key']}"}
    token = requests.post(
        f"{acting.url}/api/v1/tokens", json={"user_id": "7", "subscribe": ["orders:*"]}, headers=bearer, timeout=10
    ).json()
    with ExitStack() as stack:
        seven = {"Authorization": f"Bearer {token['token']}"}
        stack.enter_context(StandardClient(stream_url(acting, ["orders:1"]), headers=seven, reconnect=False))
        for _ in range(50):
            batch = [{"channel": "orders:1", "data": n} for n in range(10)]
            assert requests.post(acting.url + EVENTS, json=batch, headers=bearer, timeout=10).status_code == 201
        forged = {"channel": "secret", "data": "forged"}
        assert requests.post(acting.url + EVENTS, json=forged, headers=bearer, timeout=10).status_code == 403
        refused = requests.get(stream_url(acting, ["secret"]), headers=seven, timeout=10)
        assert refused.status_code == 403
        assert requests.get(acting.url + KEYS, headers=bearer, timeout=10).status_code == 403
        assert acting.request("DELETE", f"/api/v1/tokens/{token['jti']}").status_code == 204
    assert acting.request("DELETE", f"{KEYS}/{key['id']}").status_code == 204
    session_cookie(acting)

    for action, target in (
        ("key.create", key["id"]),
        ("token.mint", token["jti"]),
        ("token.revoke", token["jti"]),
        ("key.revoke", key["id"]),
        ("signin", "key"),
    ):
        (one,) = written(asked, action=action)
        assert (one["target"], one["outcome"], one["count"]) == (target, "ok", 1), one
        assert one["address"] == "127.0.0.1"
        assert one["principal"]
    (published,) = written(acting, action="publish")
    assert (published["target"], published["count"]) == ("orders:1", 500)
    assert key["id"] in published["principal"]
    (opened,) = written(acting, action="open")
    assert "orders:1" in opened["target"]
    assert "7" in opened["principal"]
    said = {
        (one["principal"], one["outcome"], one["target"]): one["detail"] for one in written(acting, action="refuse")
    }
    assert len(said) == 3, said
    assert all(outcome == "FORBIDDEN" for _, outcome, _ in said)
    assert sum("secret" in detail for detail in said.values()) == 2
    assert {target for _, _, target in said} == {EVENTS, "/api/v1/events/stream", KEYS}


def test_nobody_floods_it(start: Callable[..., Pair]) -> None:
    acting, asked = start(HERMES_TRUSTED_PROXIES="1")
    made = acting.post(KEYS, json={"name": "ops"}).json()

    def guess(number: int) -> int:
        headers = {
            "Authorization": f"Bearer guess-{number:040d}",
            "X-Forwarded-For": f"10.{number % 250}.{number // 250}.1",
        }
        return requests.get(f"{acting.url}{EVENTS}?channels=c{number}", headers=headers, timeout=20).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(guess, range(3000))) <= {401, 429}
    found = written(acting, action="refuse")
    total = sum(one["count"] for one in found)
    (rest,) = [one for one in found if one["principal"] == "(others)"]
    print(f"3,000 wrong keys from 3,000 addresses: {len(found)} entries; {rest['count']} {rest['detail']!r}")
    assert total == 3000
    assert len(found) <= 201
    assert rest["detail"] == f"and {rest['count']} more"
    assert [one["target"] for one in written(asked, action="key.create")] == [made["id"]]


def test_the_table_is_bounded_and_keeps_what_matters(start: Callable[..., Pair]) -> None:
    acting, asked = start(HERMES_AUDIT_ROWS="100")
    made = [acting.post(KEYS, json={"name": f"k{n}"}).json()["id"] for n in range(30)]
    minted = [acting.post("/api/v1/tokens", json={"subscribe": [f"c{n}"]}).json()["jti"] for n in range(100)]
    for n in range(60):
        acting.publish(f"channel:{n}")
    wait_until(lambda: len(entries(acting)) >= 190, 20, lambda: f"{len(entries(acting))}")
    for hermes in {acting, asked}:
        hermes.restart()
    wait_until(lambda: len(entries(asked)) <= 100, 20, lambda: f"{len(entries(asked))}")
    left = entries(asked)
    assert {one["target"] for one in left if one["action"] == "key.create"} == set(made)
    assert len({one["target"] for one in left if one["action"] == "publish"}) == 60
    assert {one["target"] for one in left if one["action"] == "token.mint"} <= set(minted[80:])


def test_a_server_that_is_told_to_stop_writes_what_it_has(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env=UNLIMITED)
    for n in range(5):
        hermes.publish("orders", n)
    hermes.restart()
    assert [(one["target"], one["count"]) for one in entries(hermes, action="publish")] == [("orders", 5)]
