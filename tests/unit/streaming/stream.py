"""One stream of a process, driven turn by turn as its lane would, and what its client has got of it."""

from typing import Any

import orjson

from hermes.core.hub import Hub
from hermes.core.recovery import Position
from hermes.core.subscription import Subscription
from hermes.streaming.bearer import Bearer
from hermes.streaming.listener import CloseReason, Listener, Pace
from hermes.streaming.member import Waiter
from hermes.streaming.opening import Opener
from tests.support.event_parser import EventParser, Frame
from tests.unit.streaming.process import Process

EVERYTHING = 10**9

PACE = Pace(heartbeat=30.0, retry=2.0, max_age=0.0)


class SteppedMember(Waiter):
    """A member that parks without waiting. On the direct lane the hub writes to it; `room` is what its socket takes."""

    def __init__(
        self, subscription: Subscription, position: Position, ids: tuple[str, ...], now: float, *, direct: bool
    ) -> None:
        super().__init__(subscription, position, ids, now)
        self.direct = direct
        self.write = self._write
        self.room = EVERYTHING
        self.sent = bytearray()
        self.owed = b""
        self.parked = False
        self.paused = False
        self.timeout = 0.0

    def _write(self, data: bytes | memoryview) -> int:
        assert not self.owed
        return self.take(data) if self.direct else 0

    def take(self, data: bytes | memoryview) -> int:
        taken = min(len(data), self.room)
        self.room -= taken
        self.sent += data[:taken]
        return taken

    def owe(self, rest: memoryview) -> None:
        self.owed = bytes(rest)

    def wait(self, hub: Hub, timeout: float, *, live: bool) -> None:
        self.timeout = timeout
        if self.woken:
            self.woken = False
        else:
            self.parked = hub.park(self, live=live)

    def pause(self, timeout: float) -> None:
        self.paused = True
        self.woken = False

    @property
    def is_live(self) -> bool:
        return self.group is not None

    def go_on(self, hub: Hub, *, timed_out: bool) -> bool:
        """Stop waiting, if it was woken or its time is up; whether it goes on."""
        if self.parked and (timed_out or self.woken):
            hub.unpark(self)
            self.parked = False
            self.woken = False
        return not self.parked


class Stream:
    """A stream, opened at once."""

    def __init__(
        self,
        process: Process,
        *items: str,
        cursor: str | None = None,
        retained: str = "auto",
        latest: bool = False,
        direct: bool = False,
        ids: tuple[str, ...] = ("me",),
        pace: Pace = PACE,
        subscription: Subscription | None = None,
        user_id: str | None = None,
        opener: Opener | None = None,
    ) -> None:
        self.process = process
        self.subscription = subscription or Subscription(items or ("a",))
        self.opener = opener or Opener(process.store, process.hub, self.subscription, retained)
        self.opening = self.opener.open(cursor)
        now = process.clock.monotonic()
        self.member = SteppedMember(self.subscription, self.opening.position, ids, now, direct=direct)
        self.listener = Listener(
            self.member,
            self.opening,
            self.opener,
            store=process.store,
            hub=process.hub,
            clock=process.clock,
            pace=pace,
            bearer=Bearer("user:x", user_id),
            latest=latest,
        )
        self.parser = EventParser()
        self._read = 0

    # The server's side

    def turn(self, *, timed_out: bool = False) -> bool:
        """One turn of the lane; `False` where it waits for an event, for room or for nothing any more."""
        member, listener = self.member, self.listener
        if not member.go_on(self.process.hub, timed_out=timed_out):
            return False
        if member.owed:
            member.owed = member.owed[member.take(member.owed) :]
            return not member.owed
        piece = listener.next_piece()
        if piece is not None:
            member.owed = piece[member.take(piece) :]
            return not member.owed
        if not listener.ended:
            member.wait(listener.hub, listener.until_deadline(), live=listener.may_be_live)
        return not listener.ended and not member.parked

    def run(self, turns: int = 1000, *, timed_out: bool = False) -> None:
        """Turns until it waits."""
        for _ in range(turns):
            if not self.turn(timed_out=timed_out):
                return
            timed_out = False
        raise AssertionError(f"still busy after {turns} turns")

    def leave(self) -> None:
        """The connection is over, whoever ended it."""
        self.listener.close(CloseReason.GONE)
        self.process.hub.unpark(self.member)
        self.member.parked = False

    # The client's side

    def frames(self, limit: int = EVERYTHING) -> list[Frame]:
        """The frames that are complete with the next `limit` bytes."""
        piece = bytes(self.member.sent[self._read : self._read + limit])
        self._read += len(piece)
        return self.parser.feed(piece)

    def read(self) -> list[Frame]:
        """Runs, and gives the frames since the last time."""
        self.run()
        return self.frames()


def data(frame: Frame) -> Any:
    """A frame's data, decoded."""
    return orjson.loads(frame["data"])


def words(frames: list[Frame]) -> list[str]:
    """Frames in short: `7` (an event), `~7` (a retained one), `+7` (a heartbeat with that number), else the type.

    A retained event is told by its data, because it has no id.
    """
    short = []
    for frame in frames:
        number = str(frame["id"]).partition("-")[2]
        if frame["retained"]:
            assert frame["id"] is None
            short.append(f"~{data(frame)['n']}")
        elif frame["event"] == "heartbeat":
            short.append(f"+{number}")
        elif frame["event"] == "reset":
            short.append(f"reset {','.join(data(frame)['channels'])}")
        elif frame["event"] in ("connected", "close", "error"):
            short.append(frame["event"])
        else:
            short.append(number)
    return short
