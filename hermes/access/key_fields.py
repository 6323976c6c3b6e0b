"""What somebody asks for in a new key, as JSON gives it; the same rules hold for the API and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from hermes.access.grants import Grants, grants_from_fields
from hermes.errors import InvalidInput, Problem

NAMES = ("name", "subscribe", "publish", "admin", "tokens", "expires_in", "expires_at")
MAX_UNKNOWN = 20
"""Unknown fields that an error names."""

MAX_NAME = 100
LONGEST = 10 * 366 * 86_400
"""Seconds that a key with an end may count: one that shall count for longer needs no end."""


class NewKey(NamedTuple):
    """A key to be made; ``expires_at`` in milliseconds since 1970."""

    name: str
    grants: Grants
    expires_at: int | None


def new_key(fields: Mapping[str, Any], now: int) -> NewKey:
    """The key that ``fields`` ask for at ``now`` (ms since 1970).

    Raises :class:`~hermes.errors.InvalidInput` that names each bad field.
    """
    unknown = islice((field for field in fields if field not in NAMES), MAX_UNKNOWN)
    problems = [Problem(field[:64], f"is not a field of a key; use {', '.join(NAMES)}") for field in unknown]
    name = _name(fields.get("name"), problems)
    grants = Grants()
    try:
        grants = grants_from_fields(fields)
    except InvalidInput as error:
        problems += error.problems
    expires_at = _end(fields, now, problems)
    if problems:
        raise InvalidInput(problems)
    return NewKey(name, grants, expires_at)


def _name(value: Any, problems: list[Problem]) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME or not value.isprintable() or not value.strip():
        problems.append(Problem("name", f"say whose key it is, in 1 to {MAX_NAME} printable characters"))
        return ""
    return value


def _end(fields: Mapping[str, Any], now: int, problems: list[Problem]) -> int | None:
    seconds, time = fields.get("expires_in"), fields.get("expires_at")
    if seconds is not None and time is not None:
        problems.append(Problem("expires_at", "give expires_in or expires_at, not both"))
        return None
    if seconds is not None:
        return _after(seconds, now, problems)
    return None if time is None else _at(time, now, problems)


def _after(seconds: Any, now: int, problems: list[Problem]) -> int | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= LONGEST:
        problems.append(Problem("expires_in", f"must be a number of seconds from 1 to {LONGEST}"))
        return None
    return now + int(seconds * 1000)


def _at(time: Any, now: int, problems: list[Problem]) -> int | None:
    try:
        moment = datetime.fromisoformat(time)
        at = int(moment.timestamp() * 1000) if moment.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        at = None
    if at is None:
        problems.append(Problem("expires_at", "must be a time such as 2030-12-31T23:59:59Z, with its zone"))
    elif not now < at <= now + LONGEST * 1000:
        problems.append(Problem("expires_at", "must be a time from now on, at most ten years ahead"))
    return at
