"""Publishing from other Python programs: over HTTP, or straight over Redis by the same script as the server's."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from hermes.access.admin_key import ADMIN_KEY_FILE
from hermes.core.clock import SystemClock
from hermes.core.cursor import Cursor, parse_cursor
from hermes.core.event import Event
from hermes.core.publisher import Once, Store
from hermes.core.publisher import Publisher as CorePublisher
from hermes.errors import (
    Conflict,
    Forbidden,
    HermesError,
    InvalidInput,
    Problem,
    RequestError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from hermes.settings import ADDRESS_FILE, Settings, load_settings

TRIES = 3
FIRST_PAUSE = 0.2
"""Seconds before the second try; doubled before each further one, with full jitter."""

_ERRORS: dict[int, type[RequestError]] = {401: Unauthorized, 403: Forbidden, 409: Conflict, 413: TooLarge}
_RETRIED = frozenset({429, 502, 503, 504})


class Publisher(CorePublisher):
    """Publishes to a Hermes server.

    ``url`` and ``api_key`` are those of the server (``HERMES_URL``, ``HERMES_API_KEY``; on the server's own machine they are
    found by themselves). With ``redis_url`` events go straight to the Redis that the servers share. ``timeout`` is in seconds,
    for each try. Safe to share between threads; call :meth:`close` at the end, or use it in a ``with`` statement.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        redis_url: str | None = None,
        prefix: str = "hermes",
        timeout: float = 5.0,
    ) -> None:
        clock = SystemClock()
        self._closing: Any
        store: Store
        if redis_url is not None:
            from hermes.brokers.base import Bounds
            from hermes.brokers.redis import RedisBroker

            broker = RedisBroker(redis_url, prefix=prefix, clock=clock, bounds=Bounds(), node="publisher")
            store, self._closing = broker, broker.close
        else:
            remote = HttpStore(url or server_url(), api_key or server_key(), timeout)
            store, self._closing = remote, remote.close
        super().__init__(store, clock)

    def close(self) -> None:
        """Let go of the connections."""
        self._closing()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class HttpStore:
    """A Hermes server as the place where events are stored. Every call has an idempotency key, so that tries repeat nothing."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self._url = url.rstrip("/") + "/api/v1/events"
        self._timeout = timeout
        self._session = requests.Session()
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        """See :class:`~hermes.core.publisher.Store`."""
        body = orjson.dumps([_fields(event, (each or {}).get(index)) for index, event in enumerate(events)])
        key = once.key if once else secrets.token_hex(16)
        for pause in (FIRST_PAUSE * 2**attempt for attempt in range(TRIES - 1)):
            try:
                return self._post(body, key)
            except Unavailable:
                time.sleep(random.uniform(0, pause))
        return self._post(body, key)

    def _post(self, body: bytes, key: str) -> list[Cursor]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        try:
            response = self._session.post(self._url, data=body, headers=headers, timeout=self._timeout)
            answer = response.json()
        except requests.RequestException as error:
            raise Unavailable(trouble(self._url, error)) from error
        if response.status_code != 201:
            raise _error(response.status_code, answer)
        return [cursor for entry in answer["events"] if (cursor := parse_cursor(entry["id"])) is not None]

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()


def _fields(event: Event, once: Once | None) -> dict[str, Any]:
    fields = {"channels": event.channels, "type": event.type, "data": orjson.Fragment(event.data)}
    optional = {"key": event.key, "ttl": event.ttl, "exclude": event.exclude, "idempotency_key": once and once.key}
    return {**fields, **{name: value for name, value in optional.items() if value}}


def _error(status: int, answer: Any) -> HermesError:
    body = answer.get("error", {}) if isinstance(answer, dict) else {}
    message, details = str(body.get("message", f"the server answered {status}")), body.get("details")
    if status == 400 and details:
        return InvalidInput([Problem(entry["field"], entry["message"], entry.get("index")) for entry in details])
    if status in _RETRIED:
        return Unavailable(message)
    return _ERRORS.get(status, RequestError)(message, details)


def trouble(url: str, error: Exception) -> str:
    """What went wrong on the way to ``url``, as a sentence for people; the libraries' own texts are chains of names."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    if isinstance(error, requests.Timeout):
        return f"{where} did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return f"{where} cannot be reached: is the server running there? HERMES_URL names another"
    if isinstance(error, requests.JSONDecodeError):
        return f"{where} did not answer as Hermes does: HERMES_URL names the server"
    return f"{where}: {error}"


def server_url(settings: Settings | None = None) -> str:
    """``HERMES_URL``, else where the server of this data folder said that it listens, else where one would by itself."""
    given = os.environ.get("HERMES_URL")
    if given:
        return given.rstrip("/")
    settings = settings or load_settings()
    if settings.port is None:
        try:
            return (settings.data_dir / ADDRESS_FILE).read_text(encoding="ascii").strip()
        except OSError:
            pass
    return settings.local_url


def server_key(settings: Settings | None = None) -> str | None:
    """``HERMES_API_KEY``, else the key of the installation on this machine."""
    given = os.environ.get("HERMES_API_KEY")
    if given:
        return given
    settings = settings or load_settings()
    if settings.api_keys:
        return settings.api_keys[0]
    try:
        return (settings.data_dir / ADMIN_KEY_FILE).read_text(encoding="ascii").strip()
    except OSError:
        return None
