"""Scenario 22: what a grant shows is the same live, replayed, retained, in history, in a long poll and in presence."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.security.grant_table import CHANNELS, GRANTS, shows, visible
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient, StreamStopped

EVENTS = "/api/v1/events"
ALL = ("*", "user:*", "presence:*", "hermes:*")
LAST = "last"  # published after everything else, to the channels that every stream here may see
END = "public:end"


@pytest.fixture(scope="module", params=["embedded", "redis"])
def hermes(request: pytest.FixtureRequest) -> Iterator[HermesServer]:
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    env = {"HERMES_SYSTEM_INTERVAL": "0", "HERMES_PRESENCE_CHANNELS": "*", "HERMES_SSE_HEARTBEAT_INTERVAL": "1"}
    env["HERMES_REDIS_PREFIX"] = "grants"
    with HermesServer(redis_url=url, env=env) as server:
        yield server


def token(hermes: HermesServer, *grants: str, user: str = "nobody") -> dict[str, str]:
    """The headers of a caller with these grants, and that of the last event of each stage."""
    answer = hermes.post("/api/v1/tokens", json={"user_id": user, "subscribe": [*grants, END]})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def publish_everywhere(hermes: HermesServer, stage: str) -> None:
    batch: list[dict[str, Any]] = [{"channel": name, "key": "k", "data": [stage, name]} for name in CHANNELS]
    answer = hermes.post(EVENTS, json=[*batch, {"channel": END, "data": [stage, LAST]}])
    assert answer.status_code == 201, answer.text


def told(frames: list[Any], stage: str, *, retained: bool) -> set[str]:
    """Of which channels these frames hold what was published in a stage; each says in its data where it was published."""
    found = set()
    for frame in frames:
        if frame["event"] == "message" and bool(frame.get("retained")) is retained:
            said, channel = json.loads(frame["data"])
            if said == stage and channel != LAST:
                assert frame["channel"] == channel
                found.add(channel)
    return found


def is_last(stage: str) -> Callable[[Any], bool]:
    return lambda frame: frame["event"] == "message" and json.loads(frame["data"]) == [stage, LAST]


def test_the_table_is_large_enough() -> None:
    assert len(GRANTS) * len(CHANNELS) >= 200
    assert all(visible(grant) for grant in GRANTS[:-1])
    assert not visible(GRANTS[-1])


@pytest.mark.parametrize("grant", GRANTS)
def test_a_pattern_means_what_of_it_may_be_seen(hermes: HermesServer, grant: str) -> None:
    headers, wanted = token(hermes, grant), visible(grant)
    publish_everywhere(hermes, "before")
    with StandardClient(stream_url(hermes, (*ALL, END)), headers=headers) as client:
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        assert told(client.frames, "before", retained=True) == wanted
        cursor = client.last_event_id
        publish_everywhere(hermes, "live")
        client.read_until(is_last("live"))
        assert told(client.frames, "live", retained=False) == wanted
    with StandardClient(stream_url(hermes, (*ALL, END)), headers=headers, last_event_id=cursor) as client:
        client.read_until(is_last("live"))
        assert told(client.frames, "live", retained=False) == wanted
    page = hermes.get(
        EVENTS, headers=headers, params={"channels": ",".join(ALL), "after": cursor, "limit": 1000}
    ).json()
    assert {event["channel"] for event in page["events"]} == wanted | {END}
    state = hermes.get(EVENTS, headers=headers, params={"channels": ",".join(ALL)}).json()
    assert {event["channel"] for event in state["retained"]} == wanted
    listed = hermes.get("/api/v1/channels", headers=headers, params={"limit": 1000}).json()
    assert {item["channel"] for item in listed["items"]} & set(CHANNELS) == wanted


@pytest.mark.parametrize("grant", GRANTS)
def test_a_named_channel_is_refused_by_name(hermes: HermesServer, grant: str) -> None:
    headers, wanted = token(hermes, grant), visible(grant)
    for channel in CHANNELS:
        status = 200 if channel in wanted else 403
        history = hermes.get(EVENTS, headers=headers, params={"channels": f"{END},{channel}", "after": "earliest"})
        assert history.status_code == status, channel
        poll = hermes.get(f"{EVENTS}/stream", headers=headers, params={"channels": channel, "poll": "1"})
        assert poll.status_code == status, channel
        if status == 403:
            assert history.json()["error"]["details"]["channels"] == [channel]
            with pytest.raises(StreamStopped) as stopped:  # an EventSource gives up for good
                StandardClient(stream_url(hermes, (channel,)), headers=headers).next_frame()
            assert stopped.value.status == 403


@pytest.mark.parametrize("grant", ["presence:*", "presence:orders:1", "presence:o*", "orders:1", "*", "p*"])
def test_presence(hermes: HermesServer, grant: str) -> None:
    headers = token(hermes, grant)
    for channel in ("orders:1", "orders:10", "public:news"):
        allowed = shows(grant, f"presence:{channel}")
        answer = hermes.get(f"/api/v1/channels/{quote(channel, safe='')}/presence", headers=headers)
        assert answer.status_code == (200 if allowed else 403), (grant, channel, answer.text)


def test_nobody_is_granted_what_is_hermes_own(hermes: HermesServer) -> None:
    refused = hermes.post("/api/v1/tokens", json={"user_id": "7", "subscribe": ["hermes:*"]})
    assert refused.status_code == 400
    headers = token(hermes, "*")
    named = hermes.get(EVENTS, headers=headers, params={"channels": "hermes:connections"})
    assert named.status_code == 403
    control = hermes.get(EVENTS, params={"channels": "hermes:control"})
    assert control.status_code == 403


def test_a_reset_names_no_channel_that_the_caller_may_not_know(hermes: HermesServer) -> None:
    headers = token(hermes, "orders:*", user="7")
    url = stream_url(hermes, ("*", "user:*"))
    with StandardClient(url, headers=headers, last_event_id="elsewhere-1") as client:
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        reset = next(json.loads(frame["data"]) for frame in client.frames if frame["event"] == "reset")
    assert set(reset["channels"]) <= {"*", "user:*", "user:7"}


def test_every_user_has_an_own_channel_and_no_other(hermes: HermesServer) -> None:
    headers = token(hermes, user="7")
    with StandardClient(stream_url(hermes, (END,)), headers=headers) as client:
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        hermes.publish("user:70", "not mine")
        hermes.publish("user:7", "mine")
        *_, last = client.read_until(lambda frame: frame["event"] == "message" and frame["channel"].startswith("user:"))
    assert (last["channel"], last["data"]) == ("user:7", '"mine"')
