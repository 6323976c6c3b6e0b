"""One connection to Redis for script calls in turn: connects when needed, tries until a deadline, then says why."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha1
from importlib import resources
from typing import Any

from redis.connection import Connection
from redis.exceptions import NoScriptError, ResponseError

from hermes.brokers.redis_errors import ELSEWHERE, UNREACHABLE, explain, may_pass
from hermes.brokers.redis_url import Dialer
from hermes.errors import StoreError, Unavailable

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
"""Seconds between two attempts; doubled, with jitter."""

log = logging.getLogger(__name__)


OF_THE_FLEET = frozenset({"exchange", "records", "leave", "tell"})
"""Scripts that share ``fleet.lua`` too."""


class Script:
    """A Lua script as it is packaged, behind what all scripts share."""

    def __init__(self, name: str) -> None:
        folder = resources.files("hermes.brokers") / "lua"
        first, _, rest = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
        names = ("log", "fleet") if name in OF_THE_FLEET else ("log",)
        shared = "".join((folder / f"{shared}.lua").read_text("utf-8") for shared in names)
        self.name = name
        self.source = f"{first}\n{shared}\n{rest}".encode()
        self.sha = sha1(self.source, usedforsecurity=False).hexdigest()


@cache
def script(name: str) -> Script:
    """The packaged script ``name``, read once."""
    return Script(name)


class Link:
    """Runs scripts over one connection, one call at a time. Callers wait for their turn as long as for an answer.

    ``attempt`` is how long a single attempt may take, in seconds: shorter than the deadlines of its calls.
    """

    def __init__(self, dialer: Dialer, name: str, monotonic: Callable[[], float], attempt: float) -> None:
        self._dialer = dialer
        self._name = name
        self._monotonic = monotonic
        self._attempt = attempt
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._connection: Connection | None = None
        self._failing = False

    def call(self, name: str, args: Sequence[Any], timeout: float) -> Any:
        """What the script answers. Safe to repeat calls only: one that got no answer is sent again.

        Raises :class:`~hermes.errors.Unavailable` after ``timeout`` seconds, or at once where waiting does not help, and
        :class:`~hermes.errors.StoreError` where this Redis could not be used from the beginning.
        """
        deadline = self._monotonic() + timeout
        if not self._turn.acquire(timeout=timeout):
            raise Unavailable("Redis does not answer: earlier calls still wait for it")
        try:
            return self._call_until(deadline, script(name), args)
        finally:
            if self._closing.is_set():
                self._disconnect()
            self._turn.release()

    def check(self, timeout: float) -> None:
        """Connect, and raise :class:`~hermes.errors.StoreError` where this Redis cannot be used."""
        with self._turn:
            try:
                self._connect(timeout)
            except UNREACHABLE as error:
                raise Unavailable(f"cannot reach {self._dialer.address}: {error}") from None

    def close(self) -> None:
        """No further attempts; the connection goes when the call under way has ended."""
        self._closing.set()
        if self._turn.acquire(timeout=self._attempt):
            self._disconnect()
            self._turn.release()

    def _call_until(self, deadline: float, called: Script, args: Sequence[Any]) -> Any:
        pause = FIRST_PAUSE
        while True:
            try:
                answer = self._call_once(called, args, min(self._attempt, deadline - self._monotonic()))
                self._note(None)
                return answer
            except (*UNREACHABLE, *ELSEWHERE) as error:
                self._disconnect()
                reason: Exception = error
            except ResponseError as error:
                if not may_pass(error):
                    raise Unavailable(explain(error)) from None
                reason = error
            except StoreError as error:
                if not self._dialer.has_served:
                    raise
                raise Unavailable(str(error)) from None
            self._note(reason)
            wait = pause * random.uniform(0.5, 1.0)
            if self._monotonic() + wait >= deadline or self._closing.wait(wait):
                raise Unavailable("Redis did not answer in time") from None
            pause = min(2 * pause, LONGEST_PAUSE)

    def _call_once(self, called: Script, args: Sequence[Any], timeout: float) -> Any:
        connection = self._connect(timeout)
        try:
            return _ask(connection, timeout, "EVALSHA", called.sha, 0, *args)
        except NoScriptError:
            return _ask(connection, timeout, "EVAL", called.source, 0, *args)

    def _note(self, reason: Exception | None) -> None:
        """Say once when calls begin to fail, with what callers need not know, and once when they work again."""
        if (reason is not None) == self._failing:
            return
        self._failing = reason is not None
        if reason is not None:
            log.warning("%s does not answer %s: %s", self._dialer.address, self._name, reason)
        else:
            log.warning("%s answers %s again", self._dialer.address, self._name)

    def _connect(self, timeout: float) -> Connection:
        if self._connection is None or not self._connection.is_connected:
            self._connection = self._dialer.dial(self._name, max(timeout, 0.05), socket_read_size=262_144)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()  # type: ignore[no-untyped-call]


def _ask(connection: Connection, timeout: float, *command: Any) -> Any:
    connection.send_command(*command)  # type: ignore[no-untyped-call]
    return connection.read_response(timeout=max(timeout, 0.05))
