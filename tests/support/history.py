"""Reading the log as a client of the API does."""

from collections.abc import Iterator
from typing import Any

from tests.support.hermes_server import HermesServer


def history(hermes: HermesServer, channels: str, after: str = "earliest") -> Iterator[dict[str, Any]]:
    """All events of these channels that are kept above `after`, page by page."""
    while True:
        page = hermes.get("/api/v1/events", params={"channels": channels, "after": after, "limit": 1000}).json()
        yield from page["events"]
        if not page["events"]:
            return
        after = page["cursor"]


def retained(hermes: HermesServer, channels: str) -> dict[str, Any]:
    """The retained state of these channels: key -> data."""
    page = hermes.get("/api/v1/events", params={"channels": channels}).json()
    return {entry["key"]: entry["data"] for entry in page["retained"]}
