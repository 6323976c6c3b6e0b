"""GET /api/v1/events: history, retained state, long poll, reset; and the same as a poll of the stream's address."""

import threading
import time
from typing import Any

import pytest

from tests.integration.conftest import code
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live


def read(hermes: HermesServer, **query: Any) -> Any:
    answer = hermes.get("/api/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_without_a_cursor_the_retained_state_and_the_tip(hermes: HermesServer) -> None:
    hermes.publish("r:state", {"v": 1}, key="a", type="level")
    hermes.publish("r:state", {"v": 2}, key="b")
    hermes.publish("r:state", {"v": 3}, key="a", type="level")
    last = hermes.publish("r:state", "no key")
    page = read(hermes, channels="r:state")
    assert (page["events"], page["reset"], page["cursor"]) == ([], None, last)
    assert [(entry["key"], entry["data"]) for entry in page["retained"]] == [("b", {"v": 2}), ("a", {"v": 3})]
    hermes.publish("r:state", None, key="b")
    assert [entry["key"] for entry in read(hermes, channels="r:state")["retained"]] == ["a"]
    assert read(hermes, channels="r:state", after=page["cursor"])["retained"] == []


def test_pages(hermes: HermesServer) -> None:
    ids = [hermes.publish("r:pages", number) for number in range(5)]
    page = read(hermes, channels="r:pages", after="earliest", limit=2)
    assert [event["data"] for event in page["events"]] == [0, 1]
    assert page["cursor"] == ids[1]
    page = read(hermes, channels="r:pages", after=page["cursor"], limit=2)
    assert [event["data"] for event in page["events"]] == [2, 3]
    page = read(hermes, channels="r:pages", after=page["cursor"], limit=2)
    assert [event["data"] for event in page["events"]] == [4]
    assert read(hermes, channels="r:pages", after=page["cursor"])["events"] == []


def test_types_filters_and_patterns(hermes: HermesServer) -> None:
    for number in range(4):
        hermes.publish(f"r:f{number % 2}", {"n": number, "deep": {"x": [1]}}, type="even" if number % 2 == 0 else "odd")
    after = {"after": "earliest"}
    assert [e["data"]["n"] for e in read(hermes, channels="r:f*", types="od*", **after)["events"]] == [1, 3]
    assert [e["data"]["n"] for e in read(hermes, channels="r:f*", filters='{"n":{"gte":2}}', **after)["events"]] == [
        2,
        3,
    ]
    assert [e["data"]["n"] for e in read(hermes, channels="r:f0,r:f1", filters='{"n":[0,3]}', **after)["events"]] == [
        0,
        3,
    ]
    assert read(hermes, channels="r:f*", filters='{"absent":1}', **after)["events"] == []
    assert len(read(hermes, channels="r:f*", filters='{"absent":1}', missing="pass", **after)["events"]) == 4


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/events/stream?poll=1"])
def test_a_long_poll_wakes_when_something_is_published(hermes: HermesServer, path: str) -> None:
    cursor = read(hermes, channels="r:long")["cursor"]
    name = "last_event_id" if "stream" in path else "after"
    answers: list[Any] = []
    began = time.monotonic()
    params = {"channels": "r:long", name: cursor, "wait": "20"}
    thread = threading.Thread(
        target=lambda: (answers.append((hermes.get(path, params=params).json(), time.monotonic())), hermes.hang_up())
    )
    thread.start()
    hermes.publish("r:other", 0)
    wait_until(lambda: time.monotonic() > began + 0.5)
    published = time.monotonic()
    hermes.publish("r:long", "now")
    thread.join(10)
    page, at = answers[0]
    assert [event["data"] for event in page["events"]] == ["now"]
    assert at - published < 1
    assert set(page) == {"events", "cursor", "reset", "retained", "close"}


def test_a_long_poll_ends_in_time(hermes: HermesServer) -> None:
    cursor = read(hermes, channels="r:quiet")["cursor"]
    began = time.monotonic()
    page = read(hermes, channels="r:quiet", after=cursor, wait="1")
    assert page["events"] == []
    assert 0.9 < time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [("nonsense", "unknown_cursor"), ("zzzz-5", "epoch_changed"), ("-1", "unknown_cursor")],
)
def test_a_cursor_from_elsewhere_is_a_reset(hermes: HermesServer, cursor: str, reason: str) -> None:
    hermes.publish("r:reset", 1, key="k")
    page = read(hermes, channels="r:reset", after=cursor)
    assert page["reset"] == {"reason": reason, "channels": ["r:reset"]}
    assert [entry["data"] for entry in page["retained"]] == [1]
    assert page["events"] == []


def test_a_cursor_above_the_tip_is_a_reset(hermes: HermesServer) -> None:
    epoch, _, number = hermes.publish("r:above", 1).rpartition("-")
    page = read(hermes, channels="r:above", after=f"{epoch}-{int(number) + 1000}")
    assert page["reset"]["reason"] == "unknown_cursor"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"wait": "-1"}, "wait"),
        ({"wait": "nan"}, "wait"),
        ({"filters": "{"}, "filters"),
        ({"filters": '{"a":{"like":1}}'}, "filters"),
        ({"types": ",".join(f"t{n}" for n in range(300))}, "types"),
        ({"nonsense": "1"}, "nonsense"),
        ({"channels": "a b"}, "channels"),
        ({"channels": ",".join(f"c{n}" for n in range(101))}, "channels"),
    ],
)
def test_bad_queries(hermes: HermesServer, query: dict[str, str], field: str) -> None:
    answer = hermes.get("/api/v1/events", params={"channels": "a", **query})
    assert code(answer) == (400, "INVALID_INPUT")
    assert answer.json()["error"]["details"][0]["field"].startswith(field)


def test_who_may(hermes: HermesServer) -> None:
    import requests

    url = f"{hermes.url}/api/v1/events"
    assert requests.get(url, params={"channels": "public:a"}, timeout=5).status_code == 200
    answer = requests.get(url, params={"channels": "public:a,secret"}, timeout=5)
    assert code(answer)[0] == 403
    assert "secret" in answer.text
    assert requests.get(url, params={"channels": "*"}, timeout=5).json()["retained"] == []


def test_truncated_history_names_the_channel_and_no_other(start_hermes: Any) -> None:
    hermes = start_hermes(env={"HERMES_HISTORY_SIZE": "3", "HERMES_SYSTEM_INTERVAL": "0"})
    cursor = hermes.publish("noisy", 0)
    hermes.publish("quiet", 1)
    for number in range(10):
        hermes.publish("noisy", number)
    hermes.restart()
    page = read(hermes, channels="noisy,quiet", after=cursor)
    assert page["reset"] == {"reason": "history_truncated", "channels": ["noisy"]}
    assert [(event["channel"], event["data"]) for event in page["events"]] == [("quiet", 1)]
