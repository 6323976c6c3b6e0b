"""The event stream format, read to the letter of the WHATWG HTML standard, section 9.2.6; written without Hermes."""

import re
import time
from typing import TypedDict

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Frame(TypedDict):
    """One dispatched event. `id`, `channel`, `time` are None where the frame had no such line."""

    id: str | None
    event: str
    data: str
    channel: str | None
    time: str | None
    retained: bool
    at: float  # time.monotonic() when its last byte was read


class EventParser:
    """Bytes in, in pieces of any size; frames out. One parser for one response.

    `last_event_id` is what the next connection sends; `retry` the server's wish in milliseconds, or None. The fields
    `channel`, `time` and `retained` are extra lines, which the standard tells every parser to ignore.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry: int | None = None
        self._rest = b""
        self._started = False
        self._id_buffer = last_event_id
        self._fields: dict[str, str] = {}
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that are complete with this piece."""
        text = self._rest + piece
        if not self._started:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._rest = text
                return []
            text = text.removeprefix(_BOM)
            self._started = True
        if b"\r" not in text:
            lines = text.split(b"\n")
        elif text.endswith(b"\r"):  # the \n of this line end may still be on its way
            lines = _LINE_END.split(text[:-1])
            lines[-1] += b"\r"
        else:
            lines = _LINE_END.split(text)
        self._rest = lines.pop()
        return self._take(lines)

    def _take(self, lines: list[bytes]) -> list[Frame]:
        frames = []
        for line in lines:
            if line:
                self._field(line)
            else:
                frame = self._dispatch()
                if frame is not None:
                    frames.append(frame)
        return frames

    def _field(self, line: bytes) -> None:
        name, _, value = line.decode(errors="replace").partition(":")
        if not name:
            return  # a comment
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            if "\0" not in value:
                self._id_buffer = self._fields["id"] = value
        elif name == "retry":
            if value.isascii() and value.isdigit():
                self.retry = int(value)
        else:
            self._fields[name] = value

    def _dispatch(self) -> Frame | None:
        fields, data = self._fields, self._data
        self._fields, self._data = {}, []
        self.last_event_id = self._id_buffer
        if not data:
            return None  # the id holds all the same
        return Frame(
            id=fields.get("id"),
            event=fields.get("event") or "message",
            data="\n".join(data),
            channel=fields.get("channel"),
            time=fields.get("time"),
            retained=fields.get("retained") == "1",
            at=time.monotonic(),
        )
