"""A reader of streams for Python programs and the command line: reconnects, resumes, and never repeats."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests

from hermes.core.sse import Frame, Parser
from hermes.errors import RequestError, Unavailable

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
SILENCE = 65.0
"""Seconds without a byte after which the link counts as dead, until the server names its heartbeat."""


class Stream:
    """One stream of a server, kept up over any number of connections.

    ``params`` is the query (``channels``, ``types``, ``filters`` ...). ``last_event_id`` is where it stands. Iterating gives
    every frame, the server's own included. Raises :class:`~hermes.errors.RequestError` where no retry can help.
    ``on_trouble`` is told what broke a link or kept it from being made, before each pause.
    """

    def __init__(
        self,
        url: str,
        params: dict[str, str],
        *,
        api_key: str | None = None,
        last_event_id: str = "",
        on_trouble: Callable[[Exception], None] | None = None,
    ) -> None:
        self._url = url
        self._params = params
        self._headers = {"Accept": "text/event-stream, application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self.last_event_id = last_event_id
        self._on_trouble = on_trouble
        self._silence = SILENCE
        self._pause = FIRST_PAUSE
        self._tries = 0

    def __iter__(self) -> Iterator[Frame]:
        """Every frame, for ever or until the server ends the stream for good."""
        while True:
            try:
                for frame in self.connect_once():
                    yield frame
                    if frame.type == "close" and not frame.data.get("reconnect"):
                        return
            except (requests.RequestException, Unavailable, ValueError) as error:
                self._tries += 1
                if self._on_trouble is not None:
                    self._on_trouble(error)
            time.sleep(self._wait())

    def connect_once(self) -> Iterator[Frame]:
        """The frames of one connection, from the present cursor on."""
        headers = {**self._headers, **({"Last-Event-ID": self.last_event_id} if self.last_event_id else {})}
        with requests.get(
            self._url, params=self._params, headers=headers, stream=True, timeout=(10, self._silence)
        ) as response:
            _check(response)
            parser = Parser()
            for chunk in response.iter_content(65_536):
                for frame in parser.feed(chunk):
                    self._note(frame, parser)
                    yield frame

    def _note(self, frame: Frame, parser: Parser) -> None:
        self.last_event_id = parser.last_event_id or self.last_event_id
        if parser.retry_ms is not None:
            self._pause = parser.retry_ms / 1000
        if frame.type == "connected":
            self._silence = 2 * frame.data["heartbeat_interval"] + 1
            self._tries = 0

    def _wait(self) -> float:
        """Full jitter over a doubled pause; after an ordinary end what the server asked for."""
        if self._tries == 0:
            return self._pause
        return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._tries))


def _check(response: requests.Response) -> None:
    if response.status_code == 200:
        return
    try:
        body: dict[str, Any] = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        body = {"message": f"the server answered {response.status_code}"}
    message = str(body["message"])
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        raise Unavailable(message)
    raise RequestError(message)
