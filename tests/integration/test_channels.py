"""The channels in use, as each caller may see them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.integration.conftest import StartHermes, StartRedis, code
from tests.integration.people import ENV, as_user, stream_of
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/channels"


@pytest.fixture(scope="module")
def one() -> Iterator[HermesServer]:
    """A server for all tests that only use it, each with channels of its own."""
    with HermesServer(env={**ENV, "HERMES_PRESENCE_CHANNELS": "room:*"}) as server:
        yield server


def listed(hermes: HermesServer, prefix: str) -> dict[str, dict[str, Any]]:
    items = hermes.get(PATH, params={"limit": 1000}).json()["items"]
    return {item["channel"]: item for item in items if item["channel"].startswith(prefix)}


def test_named_and_published(one: HermesServer) -> None:
    streams = [stream_of(one, f"u{number}", "l:a", "l:b", "l:p*") for number in range(3)]
    one.publish("l:b", 1)
    one.publish("l:c", 1)
    wait_until(lambda: listed(one, "l:").get("l:a", {}).get("subscribers") == 3)
    found = listed(one, "l:")
    assert {name: item["subscribers"] for name, item in found.items()} == {"l:a": 3, "l:b": 3, "l:c": 0}
    assert [found[name]["last_event_at"] is None for name in ("l:a", "l:b", "l:c")] == [True, False, False]
    assert found["l:b"]["rate"] > 0
    assert not found["l:b"]["presence"]
    for client in streams:
        client.close()


def test_one_with_its_newest_events(one: HermesServer) -> None:
    for number in range(30):
        one.publish("o:a", number)
        one.publish("o:b", number)
    one.publish("o:a", "kept", key="k")
    with stream_of(one, "ann", "o:a"), stream_of(one, "bob", "o:*", "o:z"):
        found = one.get(f"{PATH}/o:a", params={"limit": 5}).json()
    assert [event["data"] for event in found["events"]] == [26, 27, 28, 29, "kept"]
    assert {event["channel"] for event in found["events"]} == {"o:a"}
    assert (found["channel"], found["retained"], found["subscribers"]) == ("o:a", 1, 2)
    assert found["cursor"] == found["events"][-1]["id"]
    assert len(one.get(f"{PATH}/o:a").json()["events"]) == 20
    nothing = one.get(f"{PATH}/q:nothing").json()
    assert (nothing["events"], nothing["subscribers"], nothing["last_event_at"]) == ([], 0, None)


def test_each_sees_what_is_granted(one: HermesServer) -> None:
    for channel in ("g:open", "g:secret", "user:ann", "user:bob"):
        one.publish(channel, 1)
    answer = as_user(one, "ann", "GET", f"{PATH}?limit=1000", "g:o*")
    assert {item["channel"] for item in answer.json()["items"]} <= {"g:open", "user:ann"}
    assert code(as_user(one, "ann", "GET", f"{PATH}/g:secret", "g:o*")) == (403, "FORBIDDEN")
    assert code(as_user(one, "ann", "GET", f"{PATH}/user:bob", "*")) == (403, "FORBIDDEN")
    assert as_user(one, "ann", "GET", f"{PATH}/g:open", "g:o*").status_code == 200
    assert as_user(one, "ann", "GET", f"{PATH}/user:ann", "g:o*").status_code == 200
    for path in (PATH, f"{PATH}/g:open"):
        assert code(requests.get(one.url + path, timeout=5)) == (401, "UNAUTHORIZED")


def test_nobody_sees_the_control_channel(one: HermesServer) -> None:
    one.request("DELETE", "/api/v1/users/x/connections")
    assert "hermes:control" not in listed(one, "hermes:")
    assert code(one.get(f"{PATH}/hermes:control")) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "channel", ["s/a", "s//a", "/s", "s/", "s%", "s%2Fa", "s/presence", "presence", "a..", "sé\U0001f600"]
)
def test_names_with_slashes_and_percents(one: HermesServer, channel: str) -> None:
    one.publish(channel, channel)
    found = one.get(f"{PATH}/{quote(channel, safe='')}")
    assert found.status_code == 200, found.text
    assert found.json()["channel"] == channel
    assert [event["data"] for event in found.json()["events"]][-1] == channel


def test_an_anonymous_caller_gets_no_channel_by_the_way_of_presence(one: HermesServer) -> None:
    assert code(requests.get(f"{one.url}{PATH}/public:a%2Fpresence", timeout=5)) == (401, "UNAUTHORIZED")


def test_pages(one: HermesServer) -> None:
    for number in range(7):
        one.publish(f"p:{number}", 1)
    wait_until(lambda: len(listed(one, "p:")) == 7)  # what was found serves all within a second
    found, after = [], "p:"
    while after is not None and after < "p;":
        page = one.get(PATH, params={"limit": 3, "after": after}).json()
        found += [item["channel"] for item in page["items"]]
        after = page["next"]
    assert [name for name in found if name.startswith("p:")] == [f"p:{number}" for number in range(7)]
    assert found == sorted(found)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "other=1", "after=" + "x" * 300])
def test_bad_queries(one: HermesServer, query: str) -> None:
    assert code(one.get(f"{PATH}?{query}")) == (400, "INVALID_INPUT")
    assert code(one.get(f"{PATH}/a?{query}")) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("path", ["with%20space", "a%2Cb", "a%00b", "x" * 300, "%ff"])
def test_bad_names(one: HermesServer, path: str) -> None:
    answer = one.get(f"{PATH}/{path}")
    assert answer.status_code in (200, 400)
    assert answer.status_code == (200 if path == "%ff" else 400)


def test_over_all_processes(start_hermes: StartHermes, start_redis: StartRedis) -> None:
    redis = start_redis()
    first = start_hermes(redis_url=redis.url, env=ENV)
    second = start_hermes(first.data_dir, redis_url=redis.url, env=ENV)
    streams = [stream_of(server, "ann", "f:a") for server in (first, second, second)]
    for server in (first, second):
        wait_until(lambda server=server: listed(server, "f:")["f:a"]["subscribers"] == 3)  # type: ignore[misc]
        wait_until(lambda server=server: server.get(f"{PATH}/f:a").json()["subscribers"] == 3)  # type: ignore[misc]
    for client in streams:
        client.close()
