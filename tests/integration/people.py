"""Users with tokens, and their streams, on one server or two."""

import json
import time
from collections.abc import Sequence
from typing import Any

import jwt
import requests

from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient

SECRET = "a-secret-of-another-program-0123456789"
ENV = {
    "HERMES_SYSTEM_INTERVAL": "0",
    "HERMES_JWT_SECRET": SECRET,
    "HERMES_SSE_HEARTBEAT_INTERVAL": "1",
    "HERMES_SSE_RETRY": "0.5",
}


def token(user: str, *subscribe: str, publish: Sequence[str] = ()) -> str:
    """A token of `user`, who may subscribe to that."""
    grants = {"subscribe": list(subscribe), "publish": list(publish)}
    return jwt.encode({"sub": user, "exp": time.time() + 3600, "hermes": grants}, SECRET, "HS256")


def headers(user: str, *subscribe: str, publish: Sequence[str] = ()) -> dict[str, str]:
    """What authorises `user`."""
    return {"Authorization": f"Bearer {token(user, *subscribe, publish=publish)}"}


def stream_of(
    hermes: HermesServer, user: str, *channels: str, subscribe: Sequence[str] = (), **query: str
) -> StandardClient:
    """A stream of `user` that is open; by default of channels that the user may see."""
    client = StandardClient(stream_url(hermes, channels, **query), headers=headers(user, *(subscribe or channels)))
    client.read_until(lambda frame: frame["event"] == "heartbeat")
    return client


def connection_of(client: StandardClient) -> str:
    """The id of its connection."""
    connected = next(frame for frame in reversed(client.frames) if frame["event"] == "connected")
    return str(json.loads(connected["data"])["connection_id"])


def as_user(
    hermes: HermesServer, user: str, method: str, path: str, *subscribe: str, **options: Any
) -> requests.Response:
    """One request of `user`; `publish` are grants."""
    publish = options.pop("publish", ())
    return requests.request(
        method, hermes.url + path, headers=headers(user, *subscribe, publish=publish), timeout=10, **options
    )
