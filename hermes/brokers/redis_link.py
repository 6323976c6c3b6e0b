"""One connection to Redis for script calls in turn: connects when needed, tries until a deadline, then says why."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha1
from importlib import resources
from typing import Any

from redis.connection import Connection
from redis.exceptions import AuthenticationError, NoScriptError, ReadOnlyError, RedisError, ResponseError

from hermes.brokers.redis_url import UNREACHABLE, Dialer
from hermes.errors import StoreError, Unavailable

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
"""Seconds between two attempts; doubled, with jitter."""

_TRY_AGAIN = ("BUSY ", "MASTERDOWN ", "TRYAGAIN ", "UNKILLABLE ")
_SENTENCES = {
    "OOM": "Redis is out of memory (maxmemory): give it more, or lower HERMES_LOG_BYTES",
    "MISCONF": "Redis cannot save to its disk and refuses writes: look at its log and its disk",
    "NOREPLICAS": "Redis has too few replicas (min-replicas-to-write) and refuses writes",
    "NOPERM": "the user in REDIS_URL may not do this: Hermes needs its keys, its channel, EVAL and INFO",
    "NOAUTH": "Redis asks for a password: put it into REDIS_URL",
    "WRONGPASS": "Redis refuses the user or password in REDIS_URL",
}


class Script:
    """A Lua script as it is packaged, behind what all scripts share."""

    def __init__(self, name: str) -> None:
        folder = resources.files("hermes.brokers") / "lua"
        first, _, rest = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
        shared = (folder / "log.lua").read_text("utf-8")
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

    def call(self, name: str, args: Sequence[Any], timeout: float) -> Any:
        """What the script answers. Safe to repeat calls only: one that got no answer is sent again.

        Raises :class:`~hermes.errors.Unavailable` after ``timeout`` seconds, or at once where waiting does not help.
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
            except AuthenticationError as error:
                raise StoreError(explain(error)) from None
            except UNREACHABLE as error:
                raise Unavailable(f"cannot reach {self._dialer.address}: {error}") from None

    def close(self) -> None:
        """No further attempts; the connection goes when the call under way has ended."""
        self._closing.set()
        if self._turn.acquire(timeout=self._attempt):
            self._disconnect()
            self._turn.release()

    def _call_until(self, deadline: float, script: Script, args: Sequence[Any]) -> Any:
        pause = FIRST_PAUSE
        while True:
            try:
                return self._call_once(script, args, min(self._attempt, deadline - self._monotonic()))
            except AuthenticationError as error:
                raise Unavailable(explain(error)) from None
            except (*UNREACHABLE, ReadOnlyError) as error:
                # Also READONLY: after a failover the primary is elsewhere.
                self._disconnect()
                reason: Exception = error
            except ResponseError as error:
                if not str(error).startswith(_TRY_AGAIN):
                    raise Unavailable(explain(error)) from None
                reason = error
            except StoreError as error:
                raise Unavailable(str(error)) from None
            wait = pause * random.uniform(0.5, 1.0)
            if self._monotonic() + wait >= deadline or self._closing.wait(wait):
                raise Unavailable(f"{self._dialer.address} did not answer in time: {reason}") from None
            pause = min(2 * pause, LONGEST_PAUSE)

    def _call_once(self, script: Script, args: Sequence[Any], timeout: float) -> Any:
        connection = self._connect(timeout)
        try:
            return _ask(connection, timeout, "EVALSHA", script.sha, 0, *args)
        except NoScriptError:
            return _ask(connection, timeout, "EVAL", script.source, 0, *args)

    def _connect(self, timeout: float) -> Connection:
        if self._connection is None:
            self._connection = self._dialer.dial(self._name, max(timeout, 0.05), socket_read_size=262_144)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()  # type: ignore[no-untyped-call]


def _ask(connection: Connection, timeout: float, *command: Any) -> Any:
    connection.send_command(*command)  # type: ignore[no-untyped-call]
    return connection.read_response(timeout=max(timeout, 0.05))


def explain(error: RedisError) -> str:
    """A sentence for the operator about an error that Redis answered."""
    text = str(error)
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    sentence = _SENTENCES.get(str(code))
    if sentence is None and "out of memory" in text.lower():
        sentence = _SENTENCES["OOM"]
    return f"{sentence} ({text})" if sentence else f"Redis refused the call: {text}"
