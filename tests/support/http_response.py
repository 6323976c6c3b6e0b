"""The little of HTTP/1.1 that reading a stream from a raw socket takes: a response's head, and its body's framing."""

from dataclasses import dataclass, field


class BadResponse(Exception):
    """The bytes are no HTTP response."""


@dataclass
class Head:
    """Status and headers; header names in lower case, repeated ones joined with a comma."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: bytes) -> "Head":
        """From the bytes before the empty line."""
        first, *lines = text.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise BadResponse(first[:200])
        head = cls(int(words[1]))
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadResponse(line[:200])
            name = name.strip().lower()
            before = head.headers.get(name)
            head.headers[name] = f"{before}, {value.strip()}" if before else value.strip()
        return head

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Body:
    """Takes a body's framing off: chunked, of a known length, or up to the connection's end.

    `is_complete`: its end was seen; a connection that ends before was broken. Without framing nobody can tell.
    """

    def __init__(self, head: Head) -> None:
        self.is_chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
        length = head.headers.get("content-length")
        self.is_framed = self.is_chunked or length is not None
        self._left = int(length) if length is not None and not self.is_chunked else 0
        self.is_complete = self.is_framed and not self.is_chunked and self._left == 0
        self._buffer = b""
        self._in_trailer = False

    def feed(self, piece: bytes) -> bytes:
        """The body's bytes within these bytes of the connection."""
        if self.is_chunked:
            return self._feed_chunked(piece)
        if not self.is_framed:
            return piece
        taken = piece[: self._left]
        self._left -= len(taken)
        self.is_complete = self._left == 0
        return taken

    def _feed_chunked(self, piece: bytes) -> bytes:
        buffer, start, parts = self._buffer + piece, 0, []
        while not self.is_complete:
            end = buffer.find(b"\r\n", start)
            if end < 0:
                break
            if self._in_trailer:
                self.is_complete = end == start
                start = end + 2
                continue
            try:
                size = int(buffer[start:end].partition(b";")[0], 16)
            except ValueError:
                raise BadResponse(f"chunk size {buffer[start:end][:40]!r}") from None
            if size == 0:
                start, self._in_trailer = end + 2, True
                continue
            stop = end + 2 + size
            if len(buffer) < stop + 2:
                break
            if buffer[stop : stop + 2] != b"\r\n":
                raise BadResponse("a chunk longer than its size")
            parts.append(buffer[end + 2 : stop])
            start = stop + 2
        self._buffer = buffer[start:]
        return b"".join(parts)
