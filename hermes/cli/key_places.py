"""Where ``hermes keys`` works: at a running server, or straight in the database of the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import requests

from hermes.core.clock import SystemClock, milliseconds
from hermes.errors import Forbidden, HermesError, NotFound, RequestError, Unauthorized, Unavailable
from hermes.publishing import server_key, server_url, trouble
from hermes.settings import load_settings

if TYPE_CHECKING:
    from hermes.access.keys import KeyRing

TIMEOUT = 10.0
"""Seconds that the server may take for an answer."""

PAGE = 200

WHEN = "a server that runs on it takes that up within 10 seconds"

_ERRORS: dict[int, type[RequestError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound, 503: Unavailable}


class NotHermes(HermesError):
    """Whoever answers there is no Hermes that knows API keys."""


class Place(Protocol):
    """What can be done with keys; answers are those of the API."""

    def create(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Make a key; the answer has it as ``key``."""

    def page(self, after: str | None) -> dict[str, Any]:
        """A page of the list: ``items`` and ``next``."""

    def revoke(self, id: str) -> None:
        """Let a key count no more."""


@contextmanager
def place(say: Callable[[str], None]) -> Iterator[Place]:
    """The server that HERMES_URL names; else the one of this machine if it answers and knows us; else the database.

    Whoever may write the database of the settings needs no key: this is also the way back in when every key is lost.
    """
    settings = load_settings()
    server = Server(server_url(settings), server_key(settings))
    named = bool(os.environ.get("HERMES_URL"))
    try:
        if named or server.knows_us():
            yield server
            return
    finally:
        server.close()
    from hermes.access.installation import Installation

    with Installation(settings) as installation:
        yield Stored(installation.keys, lambda: say(f"written in {installation.database}: {WHEN}"))


class Server:
    """A running server, over HTTP."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url
        self._session = requests.Session()
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def knows_us(self) -> bool:
        """Whether a Hermes answers there that takes our key for an administrator's."""
        try:
            self._call("GET", "", params={"limit": 1})
        except (Unavailable, Unauthorized, Forbidden, NotFound, NotHermes):
            return False
        return True

    def create(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`Place`."""
        return self._call("POST", "", json=dict(fields))

    def page(self, after: str | None) -> dict[str, Any]:
        """See :class:`Place`."""
        return self._call("GET", "", params={"limit": PAGE, **({"after": after} if after else {})})

    def revoke(self, id: str) -> None:
        """See :class:`Place`."""
        self._call("DELETE", f"/{quote(id, safe='')}")

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        url = f"{self._url}/api/v1/keys{path}"
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT, **options)
            if answer.status_code == 204:
                return {}
            body = answer.json()
        except requests.JSONDecodeError as error:
            raise NotHermes(trouble(url, error)) from error
        except requests.RequestException as error:
            raise Unavailable(trouble(url, error)) from error
        if not isinstance(body, dict):
            raise NotHermes(trouble(url, requests.JSONDecodeError("no object", "", 0)))
        if not answer.ok:
            raise _error(answer.status_code, body)
        return body

    def close(self) -> None:
        """Close the kept connection."""
        self._session.close()


class Stored:
    """The table of keys itself; ``written`` is called after each change."""

    def __init__(self, ring: KeyRing, written: Callable[[], None]) -> None:
        self._ring = ring
        self._written = written

    def create(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`Place`."""
        from hermes.access.key_fields import new_key

        asked = new_key(fields, milliseconds(SystemClock().now()))
        key, text = self._ring.create(asked.name, asked.grants, asked.expires_at)
        self._written()
        return {**key.as_dict(), "key": text}

    def page(self, after: str | None) -> dict[str, Any]:
        """See :class:`Place`."""
        keys, following = self._ring.page(after, PAGE)
        return {"items": [key.as_dict() for key in keys], "next": following}

    def revoke(self, id: str) -> None:
        """See :class:`Place`."""
        self._ring.revoke(id)
        self._written()


def _error(status: int, body: Mapping[str, Any]) -> RequestError:
    said = body.get("error")
    message = said.get("message") if isinstance(said, dict) else None
    return _ERRORS.get(status, RequestError)(str(message or f"the server answered {status}"))
