"""Scenario 25: filters that are too deep, too long, or costly for every event."""

import json
import time
from typing import Any

import pytest

from hermes.core.filter import parse_filter
from tests.faults.conftest import StartHermes
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient

pytestmark = [pytest.mark.live, pytest.mark.fault]

MOST = 0.005  # seconds for an event


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


BAD = {
    "depth 50": deep(50),
    "1,000 terms": {f"f{number}": number for number in range(1000)},
    "a list of 10,000": {"f": {"in": list(range(10_000))}},
    "a list of 100,000 characters": {"f": ["x" * 100_000]},
    "a long path": {".".join("a" * 1000): 1},
    "an unknown operator": {"f": {"regex": "(a+)+$"}},
    "no object": [1, 2],
    "a list in a list": {"f": [[1]]},
}
COSTLY = {
    "20 terms": {f"a.b.f{number}": {"ne": number} for number in range(20)},
    "a list that fills 2 kB": {"f": {"nin": list(range(100, 480))}},
    "20 lists": {f"f{number}": {"nin": list(range(15))} for number in range(20)},
    "prefixes": {f"f{number}": {"prefix": "x" * 60} for number in range(20)},
}


def test_25_filters(start_on_both: StartHermes) -> None:
    hermes = start_on_both()
    statuses = {}
    for name, value in BAD.items():
        encoded = json.dumps(value, separators=(",", ":"))
        answer = hermes.get("/api/v1/events/stream", params={"channels": "a", "poll": "1", "filters": encoded})
        statuses[name] = answer.status_code
    slowest = {}
    for name, value in COSTLY.items():
        compiled = parse_filter(json.dumps(value, separators=(",", ":")), "pass")
        assert compiled is not None
        large = {
            "f": 7,
            "a": {"b": {f"f{number}": -1 for number in range(20)}},
            **{f"f{n}": "x" * 1000 for n in range(40)},
        }
        best = float("inf")
        for _ in range(20):
            began = time.perf_counter()
            compiled.matches(large)
            best = min(best, time.perf_counter() - began)
        slowest[name] = best
        query = {"filters": json.dumps(value, separators=(",", ":")), "missing": "pass"}
        with StandardClient(stream_url(hermes, ["a"], **query), headers=hermes.headers) as client:
            client.read_until(lambda frame: frame["event"] == "heartbeat")
            hermes.publish("a", large)
            client.next_frame()
    print(f"scenario 25: {statuses}; an event takes {max(slowest.values()) * 1000:.3f} ms at most")
    # A query that does not even fit in the request line is refused by the server in front of us.
    assert set(statuses.values()) <= {400, 414}
    assert max(slowest.values()) <= MOST
