"""The event: checked and encoded once, when it is published, so that nothing past that point can break a stream."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from itertools import islice
from typing import Any

import orjson

from hermes.core.channel import MAX_NAME, is_reserved_channel, name_problem
from hermes.core.clock import iso_time
from hermes.errors import InvalidInput, Problem

MAX_CHANNELS = 10
MAX_EXCLUDE = 100
MAX_UNKNOWN = 5
"""Unknown fields of an event that are named: a body can hold 80,000 of them, and listing all took a second (measured)."""
MAX_EVENT_BYTES = 65_536
SURELY_FITS = MAX_EVENT_BYTES // 8
"""An event that holds so little memory is not measured: JSON takes at most six bytes for a character."""
MAX_TTL = 366 * 86_400.0
DEFAULT_TYPE = "message"
FIELDS = ("channel", "channels", "type", "data", "key", "ttl", "exclude", "idempotency_key")
STREAM_TYPES = frozenset({"connected", "reset", "heartbeat", "error", "close"})
"""The five frames that a server sends of its own."""
RESERVED_TYPE_PREFIX = "hermes."

_MISSING = object()


class Event:
    """One event: who may read it where (``channels``), what it is (``type``), its JSON, and after publishing its number.

    ``data`` is the JSON on one line, as bytes. ``time`` is in milliseconds since 1970. ``key`` makes it the channel's
    retained state for that key. ``ttl`` (seconds) ends its replay. ``exclude`` holds connection ids that do not get it.
    ``number`` is 0 until a broker has given it one; nothing else ever changes.
    """

    __slots__ = ("_frames", "_value", "channels", "data", "exclude", "key", "number", "size", "time", "ttl", "type")

    def __init__(
        self,
        channels: tuple[str, ...],
        type: str,
        data: bytes,
        time: int,
        key: str | None = None,
        ttl: float | None = None,
        exclude: tuple[str, ...] = (),
        number: int = 0,
    ) -> None:
        self.channels = channels
        self.type = type
        self.data = data
        self.time = time
        self.key = key
        self.ttl = ttl
        self.exclude = exclude
        self.number = number
        self.size = len(data) + sum(map(len, channels)) + sum(map(len, exclude)) + len(key or "") + 512
        """About how many bytes the event holds in memory."""
        self._value: Any = _MISSING
        self._frames: dict[tuple[str, bool, bool], bytes] | None = None

    @property
    def value(self) -> Any:
        """The data as Python values, decoded when a filter first asks."""
        if self._value is _MISSING:
            self._value = orjson.loads(self.data)
        return self._value

    @property
    def removes(self) -> bool:
        """Whether this event takes its key out of the retained state."""
        return self.key is not None and self.data == b"null"

    def expired(self, now_ms: int) -> bool:
        """Whether its ``ttl`` has ended its replay."""
        return self.ttl is not None and now_ms > self.time + self.ttl * 1000

    def frame(self, epoch: str, channel: str, envelope: bool) -> bytes:
        """The event's frame as seen by ``channel``, encoded on first use and shared by all streams (WHATWG HTML 9.2.6)."""
        return self._shared(f"{epoch}-{self.number}", channel, envelope)

    def retained_frame(self, channel: str, envelope: bool) -> bytes:
        """The frame of a snapshot: marked as retained, and without an id, because the cursor moves only with the log."""
        return self._shared(None, channel, envelope)

    def _shared(self, cursor: str | None, channel: str, envelope: bool) -> bytes:
        if self._frames is None:
            self._frames = {}
        variant = (channel, envelope, cursor is None)
        made = self._frames.get(variant)
        if made is None:
            made = self._frames[variant] = self._encode(cursor, channel, envelope)
        return made

    def _encode(self, cursor: str | None, channel: str, envelope: bool) -> bytes:
        first, last = ("", "retained: 1\n") if cursor is None else (f"id: {cursor}\n", "")
        head = f"{first}event: {self.type}\nchannel: {channel}\ntime: {iso_time(self.time)}\n{last}data: ".encode()
        data = orjson.dumps(self.as_dict(channel, cursor)) if envelope else self.data
        return head + data + b"\n\n"

    def as_dict(self, channel: str, cursor: str | None) -> dict[str, Any]:
        """The event as history and the envelope show it."""
        return {
            "id": cursor,
            "channel": channel,
            "type": self.type,
            "data": orjson.Fragment(self.data),
            "time": iso_time(self.time),
        }

    def record(self) -> bytes:
        """The event as the log keeps it: one line of JSON about it, then its data."""
        head = orjson.dumps([self.channels, self.type, self.time, self.key, self.ttl, self.exclude])
        return head + b"\n" + self.data

    @classmethod
    def from_record(cls, record: bytes, number: int) -> Event:
        """The event that :meth:`record` encoded."""
        head, _, data = record.partition(b"\n")
        channels, type_, time, key, ttl, exclude = orjson.loads(head)
        return cls(tuple(channels), type_, data, time, key, ttl, tuple(exclude), number)

    def __repr__(self) -> str:
        return f"Event(#{self.number} {self.type} on {','.join(self.channels)}, {len(self.data)} B)"


def encode_data(value: Any) -> bytes:
    """JSON on one line, or a ``ValueError`` that says why the value has none.

    The encoder writes NaN and infinity as ``null``; what is received would not be what was published, so they are
    refused. They can only hide where the result has a ``null``.
    """
    try:
        data = orjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None
    if b"null" in data and _has_nonfinite(value):
        raise ValueError("must not contain NaN or Infinity: JSON has no such numbers; send null or a string")
    return data


def _has_nonfinite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Enum):
        return _has_nonfinite(value.value)
    if dataclasses.is_dataclass(value):
        return any(_has_nonfinite(getattr(value, part.name, None)) for part in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return any(_has_nonfinite(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(_has_nonfinite(part) for part in value)
    return False


def event_from_fields(fields: object, now_ms: int, *, internal: bool = False) -> Event:
    """The event that a caller describes with JSON ``fields`` (``api.md``, Publishing), checked and encoded.

    ``internal`` lets Hermes' own sources use reserved types and channels. Raises
    :class:`~hermes.errors.InvalidInput` with an entry for each bad field.
    """
    if not isinstance(fields, Mapping):
        raise InvalidInput([Problem("event", "must be a JSON object with at least 'channel' and 'data'")])
    problems = [
        Problem(_shown(name), f"unknown field; an event has {', '.join(FIELDS)}")
        for name in islice((name for name in fields if name not in FIELDS), MAX_UNKNOWN)
    ]
    channels = _channels(fields, internal, problems)
    type_ = fields.get("type", DEFAULT_TYPE)
    problems += _type_problems(type_, internal)
    key, ttl, exclude = _options(fields, problems)
    data = _data(fields, problems)
    if problems:
        raise InvalidInput(problems)
    event = Event(channels, type_, data, now_ms, key, ttl, exclude)
    if event.size > SURELY_FITS and (size := len(event.record())) > MAX_EVENT_BYTES:
        raise InvalidInput(
            [
                Problem(
                    "data",
                    f"the event is {size} bytes, at most {MAX_EVENT_BYTES}: publish a link to large data instead",
                )
            ]
        )
    return event


def _shown(name: object) -> str:
    """A field's name as an answer can hold it: half a surrogate pair has no UTF-8."""
    return str(name)[:64].encode("utf-8", "backslashreplace").decode()


def _channels(fields: Mapping[str, Any], internal: bool, problems: list[Problem]) -> tuple[str, ...]:
    if ("channel" in fields) == ("channels" in fields):
        problems.append(Problem("channel", "give either 'channel' (a name) or 'channels' (a list of names)"))
        return ()
    if "channel" in fields:
        field, names = "channel", [fields["channel"]]
    else:
        field, names = "channels", fields["channels"]
        if not isinstance(names, list | tuple) or not 1 <= len(names) <= MAX_CHANNELS:
            problems.append(Problem(field, f"must be a list of 1 to {MAX_CHANNELS} channel names"))
            return ()
    for name in names:
        problem = name_problem(name)
        if problem is None and is_reserved_channel(name) and not internal:
            problem = (
                f"{name!r} is reserved: only Hermes publishes to channels that start with 'hermes:' or 'presence:'"
            )
        if problem is not None:
            problems.append(Problem(field, problem))
            return ()
    return tuple(dict.fromkeys(names))


def _type_problems(type_: object, internal: bool) -> list[Problem]:
    problem = name_problem(type_)
    if problem is None and not internal and _is_reserved_type(str(type_)):
        problem = f"{type_!r} is reserved for Hermes' own frames: choose another type"
    return [Problem("type", problem)] if problem else []


def _is_reserved_type(type_: str) -> bool:
    return type_ in STREAM_TYPES or type_.startswith(RESERVED_TYPE_PREFIX)


def _options(fields: Mapping[str, Any], problems: list[Problem]) -> tuple[str | None, float | None, tuple[str, ...]]:
    key, ttl, exclude = fields.get("key"), fields.get("ttl"), fields.get("exclude")
    exclude = () if exclude is None else exclude
    if key is not None:
        problem = _text_problem(key)
        if problem:
            problems.append(Problem("key", problem))
    if ttl is not None:
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= MAX_TTL:
            problems.append(Problem("ttl", "must be a number of seconds above 0 and at most 366 days"))
        elif key is not None:
            problems.append(Problem("ttl", "retained state does not expire: leave out 'ttl', or leave out 'key'"))
    if not isinstance(exclude, list | tuple) or len(exclude) > MAX_EXCLUDE or any(map(_text_problem, exclude)):
        problems.append(Problem("exclude", f"must be a list of at most {MAX_EXCLUDE} connection ids"))
        exclude = ()
    idempotency_key = fields.get("idempotency_key")
    if idempotency_key is not None:
        problem = _text_problem(idempotency_key)
        if problem:
            problems.append(Problem("idempotency_key", problem))
    return key, ttl, tuple(exclude)


def _text_problem(text: object) -> str | None:
    if not isinstance(text, str):
        return "must be a string"
    if not 1 <= len(text) <= MAX_NAME:
        return f"must have 1 to {MAX_NAME} characters"
    if not text.isprintable() or any("\ud800" <= character <= "\udfff" for character in text):
        return "must contain printable characters only"
    return None


def _data(fields: Mapping[str, Any], problems: list[Problem]) -> bytes:
    try:
        return encode_data(fields.get("data"))
    except ValueError as error:
        problems.append(Problem("data", str(error)))
        return b""
