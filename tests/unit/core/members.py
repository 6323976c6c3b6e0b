"""A member of the hub with a socket that takes only as many bytes as a test lets it."""

from hermes.core.hub import Group, as_chunk
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from tests.support.event_parser import EventParser, Frame

EVERYTHING = 10**9


class ModelMember:
    """A live stream: `room` is what its socket takes before it blocks, `received` what it took."""

    def __init__(
        self,
        subscription: Subscription,
        position: Position,
        ids: tuple[str, ...] = ("me",),
        *,
        chunked: bool = False,
        room: int = EVERYTHING,
    ) -> None:
        self.subscription = subscription
        self.position = position
        self.ids = ids
        self.chunked = chunked
        self.touched = 0.0
        self.group: Group | None = None
        self.room = room
        self.received = bytearray()
        self.owed: bytes = b""
        self.wakes = 0

    def write(self, data: bytes) -> int:
        assert not self.owed, "the rest of a frame must be written first"
        return self._take(data)

    def owe(self, rest: memoryview) -> None:
        self.owed = bytes(rest)

    def wake(self) -> None:
        self.wakes += 1

    def flush(self) -> bool:
        """Write what is owed; whether that is all."""
        self.owed = self.owed[self._take(self.owed) :]
        return not self.owed

    def send(self, data: bytes) -> None:
        """What the stream's own greenlet writes."""
        framed = as_chunk(data) if self.chunked else data
        self.owed = framed[self.write(framed) :]

    def _take(self, data: bytes) -> int:
        taken = min(len(data), self.room)
        self.room -= taken
        self.received += data[:taken]
        return taken

    def frames(self) -> list[Frame]:
        """What a client has got by now."""
        return EventParser().feed(unchunked(bytes(self.received)) if self.chunked else bytes(self.received))


def unchunked(data: bytes) -> bytes:
    """The body that a client has got of a chunked response (RFC 9112, section 7.1), the last chunk perhaps in part."""
    body = b""
    while b"\r\n" in data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        body += rest[:length]
        assert rest[length : length + 2] in (b"", b"\r", b"\r\n")
        data = rest[length + 2 :]
    return body


def seen(member: ModelMember) -> list[int]:
    """The numbers in the ids of the frames that a member has got."""
    return [int(str(frame["id"]).partition("-")[2]) for frame in member.frames()]
