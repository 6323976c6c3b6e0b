"""The wire format of event streams, both ways (WHATWG HTML 9.2.5 and 9.2.6): a server's own frames, and a parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

OPENING_COMMENT = b":\n\n"
"""Sent with the headers: Firefox resolves a streaming fetch only with the first byte of the body (measured)."""

MAX_FRAME = 1_048_576
"""Characters that the parser keeps of one unfinished frame before it gives up."""


def control_frame(type: str, data: Mapping[str, Any], *, cursor: object = None, retry_ms: int | None = None) -> bytes:
    """A frame of the server's own (``connected``, ``reset``, ``heartbeat``, ``error``, ``close``)."""
    lines = [f"event: {type}"]
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}")
    if cursor is not None:
        lines.append(f"id: {cursor}")
    return "\n".join(lines).encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def heartbeat_frame(cursor: object, timestamp: str) -> bytes:
    """The heartbeat that carries how far the stream has come; written often, so it is put together by hand."""
    return f'event: heartbeat\nid: {cursor}\ndata: {{"timestamp":"{timestamp}"}}\n\n'.encode()


MAX_RETRY_DIGITS = 12
"""A wish to wait that is longer (in milliseconds: 31 years) is none."""


@dataclass(slots=True)
class Frame:
    """One frame as a client sees it; ``fields`` has the extra field lines, such as ``channel`` and ``time``."""

    type: str
    text: str
    id: str
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        """The decoded JSON; raises ``ValueError`` where the text is none."""
        return orjson.loads(self.text)


class Parser:
    """Turns the bytes of a stream, cut anywhere, into frames (WHATWG HTML 9.2.6).

    ``last_event_id`` and ``retry_ms`` are what a client would reconnect with. Raises ``ValueError`` when a frame grows
    over ``MAX_FRAME``.
    """

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self._rest = bytearray()
        self._after_cr = False
        self._at_start = True
        self._id: str | None = None
        self._type = ""
        self._data: list[str] = []
        self._fields: dict[str, str] = {}
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that ``chunk`` completes."""
        for line in self._lines(chunk):
            frame = self._line(line.decode("utf-8", "replace"))
            if frame is not None:
                yield frame

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        if not chunk:
            return
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, newline, tail = chunk.partition(b"\n")
        if not newline:
            self._keep(chunk)
            return
        first = bytes(self._rest) + head
        *lines, rest = tail.split(b"\n")
        self._rest = bytearray(rest)
        yield first
        yield from lines

    def _keep(self, chunk: bytes) -> None:
        self._rest += chunk
        _check_size(len(self._rest) + self._size)

    def _line(self, line: str) -> Frame | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix("\ufeff")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name:
            self._size += len(line)
            _check_size(self._size)
        match name:
            case "":
                pass
            case "data":
                self._data.append(value)
            case "event":
                self._type = value
            case "id":
                if "\0" not in value:
                    self._id = value
            case "retry":
                if value.isascii() and value.isdigit() and len(value) <= MAX_RETRY_DIGITS:
                    self.retry_ms = int(value)
            case _:
                self._fields[name] = value
        return None

    def _dispatch(self) -> Frame | None:
        if self._id is not None:
            self.last_event_id = self._id
        frame = None
        if self._data:
            frame = Frame(self._type or "message", "\n".join(self._data), self.last_event_id, self._fields)
        self._clear()
        return frame

    def _clear(self) -> None:
        self._id, self._type, self._data, self._fields, self._size = None, "", [], {}, 0


def _check_size(size: int) -> None:
    if size > MAX_FRAME:
        raise ValueError(f"a frame is over {MAX_FRAME} bytes")
