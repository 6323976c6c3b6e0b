"""A client that comes back with its cursor, and the oracle of what it must have got.

The oracle knows the store's whole history and the moment of each snapshot, and nothing of how Hermes works. An event is owed
to a client from where its first stream began. It must come once and in order, unless

- a `reset` named every item by way of which it is seen, and the snapshot taken then is not older than the event;
- its `ttl` was over, or its `exclude` meant a connection of this client;
- the client asked for `overflow=latest`, and gets a newer event of each of its channels and its key;
- the client asked for `earliest`, and it was removed.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple
from unittest.mock import patch

import orjson

from hermes.core.cursor import Cursor, parse_cursor
from hermes.core.event import Event
from hermes.core.filter import compile_filter
from hermes.core.recovery import Position, ResetReason
from hermes.core.retained import Snapshot
from hermes.core.subscription import Subscription
from hermes.streaming import poll as poll_module
from hermes.streaming.opening import Opener, Opening
from hermes.streaming.poll import Answer, Poll
from tests.support.event_parser import Frame
from tests.unit.core.test_channel import selects
from tests.unit.events import wanted, ways
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import EVERYTHING, Stream, data

_connections = count(1)


class Wish(NamedTuple):
    """What a client asks for, the same on each of its connections."""

    items: tuple[str, ...] = ("a",)
    grants: tuple[str, ...] = ("*",)
    types: tuple[str, ...] = ()
    fields: tuple[tuple[str, int], ...] = ()
    retained: str = "auto"
    latest: bool = False
    direct: bool = False

    def subscription(self) -> Subscription:
        return Subscription(self.items, self.types, compile_filter(dict(self.fields)), self.grants)

    def ways(self, event: Event, channels: Collection[str] | None = None) -> list[tuple[str, str]]:
        """The (channel, item) pairs by way of which an event is seen."""
        if not wanted(event, self.types, dict(self.fields)):
            return []
        return ways(event.channels if channels is None else channels, self.items, self.grants)

    def state(self, snapshot: Snapshot, items: Collection[str]) -> deque[tuple[str, bytes]]:
        """What is seen of a snapshot by way of `items`: (channel, data), each event once."""
        found = deque()
        for entry in snapshot.entries:
            seen = [way for way in self.ways(entry.event, entry.channels) if way[1] in items]
            if seen:
                found.append((seen[0][0], entry.event.data))
        return found


@dataclass
class Note:
    """What the store said when a stream began, or began again."""

    opening: Opening
    is_first: bool
    place: Cursor
    tip: Cursor
    skipped: dict[str, int]
    floor: int
    floors: dict[str, int]

    def has_lost(self, item: str, after: int) -> bool:
        """Whether anything that `item` selects may be gone above `after`."""
        return self.floor > after or any(floor > after for name, floor in self.floors.items() if selects(item, name))


class WatchedOpener(Opener):
    """Takes notes of its openings."""

    def __init__(self, process: Process, subscription: Subscription, retained: str) -> None:
        super().__init__(process.store, process.hub, subscription, retained)
        self.notes: deque[Note] = deque()
        self._broker = process.broker

    def open(self, cursor: str | None) -> Opening:
        opening = super().open(cursor)
        self.notes.clear()
        return self._noted(opening, is_first=True)

    def after_loss(self, position: Position, lost: tuple[str, ...]) -> Opening:
        return self._noted(super().after_loss(position, lost))

    def after_epoch(self) -> Opening:
        return self._noted(super().after_epoch())

    def _noted(self, opening: Opening, *, is_first: bool = False) -> Opening:
        broker = self._broker
        told = opening.snapshot or (broker.snapshots[-1] if broker.snapshots else None)
        tip = Cursor(told.epoch, told.tip) if told else Cursor("", 0)
        here = opening.position
        skipped = {item: max(here.number, here.owed_after.get(item, 0)) for item in self._subscription.items}
        self.notes.append(Note(opening, is_first, here.cursor, tip, skipped, broker.floor, dict(broker.floors)))
        return opening


class Client:
    """One client over all of its connections."""

    def __init__(self, broker: ModelBroker, wish: Wish, asked: str | None = None) -> None:
        self.broker = broker
        self.wish = wish
        self.asked = asked
        self.stream: Stream | None = None
        self.last_id = ""
        self.ids: list[str] = []
        self._begun: Cursor | None = None
        self._checked = 0
        self._delivered: set[Cursor] = set()
        self._excused: dict[tuple[str, str], int] = {}
        self._conflated: list[Cursor] = []
        self._accepted = Cursor("", 0)

    # The client's side of a connection

    def connect(self, process: Process) -> None:
        """Open a stream with the last cursor, or with what was asked for at first."""
        self.ids.append(f"c{next(_connections)}")
        subscription = self.wish.subscription()
        self._asked = self.last_id or self.asked
        self._opener = WatchedOpener(process, subscription, self.wish.retained)
        self.stream = Stream(
            process,
            subscription=subscription,
            cursor=self._asked,
            latest=self.wish.latest,
            direct=self.wish.direct,
            ids=tuple(self.ids[-2:][::-1]),
            opener=self._opener,
        )
        self._start_over()

    def _start_over(self) -> None:
        self._place: Cursor | None = None
        self._skipped: dict[str, int] = {}
        self._state: deque[tuple[str, bytes]] = deque()
        self._late: Snapshot | None = None
        self._opening_ended = False

    def read(self, limit: int = EVERYTHING) -> None:
        """Take in what has come."""
        if self.stream is not None:
            for frame in self.stream.frames(limit):
                self._take(frame)

    def leave(self) -> None:
        """Go away, perhaps in the middle of a frame; what was not read is not known."""
        if self.stream is not None:
            self.stream.leave()
            self.stream = None

    def poll(self, process: Process, limit: int) -> None:
        """Ask for one page, which is as good as a stream that is left when it has nothing more."""
        self.ids = self.ids or [f"c{next(_connections)}"]
        subscription = self.wish.subscription()
        opener = WatchedOpener(process, subscription, self.wish.retained)
        self._asked, self._opener = self.last_id or self.asked, opener
        page = Poll(process.store, process.hub, process.clock, subscription, (self.ids[-1],))
        with patch.object(poll_module, "Opener", lambda *_: opener):
            answer = page.answer(self._asked, self.wish.retained, limit, 0.0)
        self._start_over()
        self._take_page(answer)

    # The oracle

    def _take_page(self, answer: Answer) -> None:
        notes = list(self._opener.notes)
        first = notes[0]
        self._connected(_frame("connected", first.place, None, _connected_data(first, self.wish)))
        state = [*self._state]
        for note in notes:
            if note.opening.reset is not None:
                self._reset(_frame("reset", None, None, _reset_data(note)))
                state = [*self._state]
                self._state.clear()
        self._state.clear()
        self._check_reset_of_page(answer, [note.opening for note in notes if note.opening.reset is not None])
        if len(notes) == 1:
            if self._late is not None:
                told = {data for _, data in self.wish.state(self._late, self._skipped)}
                state += [one for one in self.wish.state(self._late, self.wish.items) if one[1] not in told]
            assert [(channel, event.data) for event, channel in answer.retained] == state
        self._late = None
        for event, channel in answer.events:
            self._take_event(_frame(event.type, Cursor(answer.epoch, event.number), channel, event.data))
        self._move(parse_cursor(answer.cursor) or Cursor("", 0))
        self._opening_ended = True

    def _check_reset_of_page(self, answer: Answer, resets: list[Opening]) -> None:
        if not resets:
            assert answer.reset is None
            return
        last_epoch = max((i for i, one in enumerate(resets) if one.reset is ResetReason.EPOCH_CHANGED), default=0)
        named = {item for one in resets[last_epoch:] for item in one.items}
        assert answer.reset == {
            "reason": resets[last_epoch].reset,
            "channels": [item for item in self.wish.items if item in named],
        }

    def _take(self, frame: Frame) -> None:
        if self._place is None:
            assert frame["event"] == "connected"
            self._connected(frame)
        elif frame["event"] == "reset":
            self._reset(frame)
        elif frame["retained"]:
            self._take_state(frame)
        elif frame["event"] == "heartbeat":
            self._move(_cursor(frame))
            self._opening_ended = True
        else:
            self._take_event(frame)

    def _connected(self, frame: Frame) -> None:
        body, opening = data(frame), self._opener.notes[0].opening
        here = parse_cursor(body["cursor"])
        assert here is not None
        assert frame["id"] is None
        assert body["channels"] == list(self.wish.items)
        if self._asked is None:
            assert body["recovered"] is None
            assert here == self._opener.notes[0].tip, "a fresh stream begins at the store's tip"
            self._begin(here)
        elif self._asked == "earliest":
            assert body["recovered"] is None
            self._begin(Cursor(here.epoch, 0))
            self._accepted = Cursor(here.epoch, opening.position.accepted)
        else:
            assert body["recovered"] is (opening.reset is None)
            asked = parse_cursor(self._asked)
            if asked is not None and (self._begun is None or self._begun.epoch != asked.epoch):
                self._begin(asked)  # also where a reset was told, and nothing after it was read
        self._place = parse_cursor(self._asked or "") or here
        self._late = opening.late_snapshot
        if opening.reset is None and opening.snapshot is not None:
            self._state = self.wish.state(opening.snapshot, self.wish.items)
        if opening.reset is None:
            self._opener.notes.popleft()

    def _begin(self, begun: Cursor) -> None:
        """From here on everything is owed; what was before is not asked for."""
        self._begun, self._checked = begun, begun.number

    def _reset(self, frame: Frame) -> None:
        body, note = data(frame), self._opener.notes.popleft()
        assert self._place is not None
        assert not self._state
        assert body["channels"]
        assert [item for item in self.wish.items if item in body["channels"]] == body["channels"]
        match body["reason"]:
            case "history_truncated":
                self._lost_history(body["channels"], note)
            case "epoch_changed":
                assert body["channels"] == list(self.wish.items)
                assert self._place.epoch != note.tip.epoch
                self._changed_epoch(note)
            case _:
                assert body["reason"] == "unknown_cursor"
                assert body["channels"] == list(self.wish.items)
                assert self._asked == self.asked, "a cursor that Hermes gave is never unknown"
                self._begin(note.tip)
                self._place = note.tip
        if note.opening.snapshot is not None:
            self._state = self.wish.state(note.opening.snapshot, body["channels"])
        self._opening_ended = False

    def _lost_history(self, items: list[str], note: Note) -> None:
        assert self._place is not None
        for item in items:
            assert note.has_lost(item, self._place.number), f"nothing of {item} is gone"
            self._excuse(item, note.tip)
            self._skipped[item] = max(note.tip.number, self._skipped.get(item, 0))

    def _changed_epoch(self, note: Note) -> None:
        if note.is_first:
            self._begin(note.tip)  # a reconnect goes on from the tip
            self._place = note.tip
            return
        self._begin(Cursor(note.tip.epoch, 0))  # an open stream from the beginning
        self._place = self._begun
        self._late = None
        for item in self.wish.items:
            if note.has_lost(item, 0):
                self._excuse(item, note.tip)
        self._skipped = note.skipped
        assert all(number <= self._excused.get((note.tip.epoch, item), 0) for item, number in note.skipped.items())

    def _excuse(self, item: str, tip: Cursor) -> None:
        self._excused[tip.epoch, item] = max(tip.number, self._excused.get((tip.epoch, item), 0))

    def _take_state(self, frame: Frame) -> None:
        if not self._state:
            self._begin_late()
        assert self._state, "state that was not to come"
        assert (frame["channel"], frame["data"].encode()) == self._state.popleft()
        assert frame["id"] is None

    def _begin_late(self) -> None:
        """The snapshot after the replay: all up to its tip has come before it."""
        if self._late is not None:
            late, self._late = self._late, None
            self._check(late.tip)
            told = {data for _, data in self.wish.state(late, self._skipped)}
            self._state = deque(one for one in self.wish.state(late, self.wish.items) if one[1] not in told)

    def _take_event(self, frame: Frame) -> None:
        cursor = _cursor(frame)
        assert self._begun is not None
        assert self._place is not None
        assert cursor.epoch == self._begun.epoch
        assert cursor not in self._delivered, "twice"
        assert cursor.number > max(self._place.number, self._begun.number), "out of order, or not owed"
        event = self.broker.ever[cursor.epoch][cursor.number - 1]
        owed = [way for way in self.wish.ways(event) if event.number > self._skipped.get(way[1], 0)]
        assert owed, "not asked for, not granted, or in the snapshot already"
        assert (frame["channel"], frame["event"], frame["data"].encode()) == (owed[0][0], event.type, event.data)
        assert not set(event.exclude) & set(self.ids[-2:])
        self._delivered.add(cursor)
        self._move(cursor)

    def _move(self, cursor: Cursor) -> None:
        assert self._begun is not None
        assert self._place is not None
        assert cursor.epoch == self._begun.epoch
        assert cursor >= self._place, "ids never decrease"
        if self._late is not None and cursor.number > self._late.tip:
            self._begin_late()
        assert not self._state, "state comes before what is newer"
        self._place = cursor
        self.last_id = str(cursor)
        self._check(cursor.number)

    def _check(self, number: int) -> None:
        """Everything that was owed up to `number` has come."""
        assert self._begun is not None
        for event in self.broker.ever[self._begun.epoch][self._checked : number]:
            cursor = Cursor(self._begun.epoch, event.number)
            if cursor not in self._delivered and self.wish.ways(event) and not self._is_excused(cursor, event):
                assert self.wish.latest, f"{cursor} is lost"
                assert event.key is not None, f"{cursor} is lost"
                self._conflated.append(cursor)
        self._checked = max(self._checked, number)

    def _is_excused(self, cursor: Cursor, event: Event) -> bool:
        if all(event.number <= self._excused.get((cursor.epoch, item), 0) for _, item in self.wish.ways(event)):
            return True
        if cursor in self.broker.removed and cursor.epoch == self._accepted.epoch and cursor <= self._accepted:
            return True
        return bool(event.ttl is not None or set(event.exclude) & set(self.ids))

    def finish(self) -> None:
        """Nothing more will come: has everything?"""
        assert self._begun is not None
        assert self._begun.epoch == self.broker.epoch
        assert self._opening_ended, "every opening ends with a heartbeat"
        assert self.last_id == f"{self.broker.epoch}-{self.broker.last}"
        self._check(self.broker.last)
        for cursor in self._conflated:
            if cursor.epoch == self._begun.epoch:
                self._check_conflated(cursor, self.broker.ever[cursor.epoch][cursor.number - 1])

    def _check_conflated(self, cursor: Cursor, event: Event) -> None:
        for channel, _ in self.wish.ways(event):
            newer = [
                one
                for one in self.broker.ever[cursor.epoch]
                if one.key == event.key
                and channel in one.channels
                and self.wish.ways(one)
                and one.number > event.number
            ]
            assert newer, f"{cursor} is lost"
            newest = Cursor(cursor.epoch, newer[-1].number)
            assert newest in self._delivered or self._is_excused(newest, newer[-1]), f"{newest} is lost"


def _cursor(frame: Frame) -> Cursor:
    cursor = parse_cursor(str(frame["id"]))
    assert cursor is not None
    return cursor


# A page, as the frames of a stream


def _frame(type: str, cursor: Cursor | None, channel: str | None, body: Any) -> Frame:
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    id_ = None if cursor is None or type == "connected" else str(cursor)
    return Frame(id=id_, event=type, data=text.decode(), channel=channel, time=None, retained=False, at=0.0)


def _connected_data(note: Note, wish: Wish) -> dict[str, Any]:
    return {"cursor": str(note.place), "channels": wish.items, "recovered": note.opening.recovered}


def _reset_data(note: Note) -> dict[str, Any]:
    return {"reason": note.opening.reset, "channels": note.opening.items}
