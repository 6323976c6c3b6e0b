"""Request bodies, with bounds on their size and on the time that they may take."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import gevent
import orjson
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request

from hermes.core.publisher import MAX_BATCH
from hermes.errors import InvalidInput, Problem, TooLarge, invalid
from hermes.loop import on_gevent

MAX_BODY = 1024 * 1024
BODY_TIMEOUT = 10.0
"""Seconds that a body may take; gunicorn itself sets no limit (measured)."""

NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def read_body(request: Request) -> bytes:
    """The whole body; raises :class:`~hermes.errors.TooLarge` over 1 MB, ``InvalidInput`` where it takes too long."""
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge(f"a body has at most {MAX_BODY} bytes: send fewer events at once")
    timeout = gevent.Timeout(BODY_TIMEOUT) if on_gevent() else None
    try:
        if timeout is not None:
            timeout.start()
        body = _received(request)
    except gevent.Timeout as expired:
        if expired is not timeout:
            raise
        raise invalid("body", f"was not received within {BODY_TIMEOUT:g} s") from None
    except RequestEntityTooLarge:
        raise TooLarge(f"a body has at most {MAX_BODY} bytes: send fewer events at once") from None
    finally:
        if timeout is not None:
            timeout.close()
    if len(body) > MAX_BODY:  # of a chunked body nothing but this tells: what is over the limit is cut off in silence
        raise TooLarge(f"a body has at most {MAX_BODY} bytes: send fewer events at once")
    return body


def _received(request: Request) -> bytes:
    length = request.content_length
    if length is None:
        return request.get_data(cache=False)
    body: bytes = request.environ["wsgi.input"].read(length)  # Werkzeug's own way costs 40 us more
    if len(body) < length:
        raise ClientDisconnected
    return body


def read_events(request: Request) -> tuple[list[Any], bool]:
    """The events of a publish call, and whether it was a batch (an array or NDJSON)."""
    body = read_body(request)
    if request.mimetype in NDJSON_TYPES:
        return _lines(body), True
    value = _parsed(body, None)
    return (value, True) if isinstance(value, list) else ([value], False)


def read_object(request: Request, fields: Collection[str]) -> dict[str, Any]:
    """The JSON object of a body; raises :class:`~hermes.errors.InvalidInput` that names each field that is none of ``fields``."""
    value = _parsed(read_body(request), None)
    if not isinstance(value, dict):
        raise invalid("body", "must be a JSON object")
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise InvalidInput([Problem(name[:64], f"unknown field; use {', '.join(fields)}") for name in unknown[:20]])
    return value


def _lines(body: bytes) -> list[Any]:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not 1 <= len(lines) <= MAX_BATCH:
        raise invalid("body", f"NDJSON has 1 to {MAX_BATCH} lines, got {len(lines)}: split it")
    values: list[Any] = []
    problems: list[Problem] = []
    for index, line in enumerate(lines):
        try:
            values.append(_parsed(line, index))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return values


def _parsed(text: bytes, index: int | None) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise InvalidInput([Problem("body", f"is not JSON: {error}", index)]) from None
