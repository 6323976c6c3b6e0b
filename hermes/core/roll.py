"""The roll: which users are on which channels in one process, and what has changed since another process last asked.

It is a log that keeps only the last change of each (channel, user), so the whole and the newest part of it are read in the
same way, in pieces, while it goes on changing. Where a change may be missing, the answer says so and begins anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

Pair = tuple[str, str]
"""A channel and a user who is on it."""

PIECE_PAIRS = 2000
PIECE_CHARACTERS = 25_000
"""At most so much is answered at once: 120 kB where every character takes four bytes. A channel is written once."""

KEPT_GONE = 10_000
"""Pairs that are gone and still told of; who asks for older changes begins anew."""


class Known(NamedTuple):
    """How far a reader has come: every change up to ``after`` of the roll ``life``, which it began to read at ``began``."""

    life: str = ""
    after: int = 0
    began: int = 0

    def encode(self) -> bytes:
        """As a question to another process."""
        return orjson.dumps(list(self))

    @classmethod
    def decode(cls, question: bytes) -> Known:
        """The reader that :meth:`encode` wrote; raises ``ValueError``."""
        life, after, began = orjson.loads(question)
        return cls(str(life), int(after), int(began))


class Changes(NamedTuple):
    """What a reader did not know: who is ``here`` and who is ``gone``. With ``anew`` it forgets all that it knew before.

    ``more`` says that it is to ask again, with ``known``.
    """

    known: Known
    anew: bool
    more: bool
    here: list[Pair]
    gone: list[Pair]

    def encode(self) -> bytes:
        """As an answer to another process; each channel is written once."""
        return orjson.dumps([list(self.known), self.anew, self.more, _by_channel(self.here), _by_channel(self.gone)])

    @classmethod
    def decode(cls, answer: bytes) -> Changes:
        """The changes that :meth:`encode` wrote; raises ``ValueError``."""
        known, anew, more, here, gone = orjson.loads(answer)
        return cls(Known(*known), bool(anew), bool(more), _pairs(here), _pairs(gone))


class Roll:
    """Counts the streams of each user on each channel. ``life`` tells it from the roll of any other process, ever."""

    def __init__(self, life: str) -> None:
        self.life = life
        self.version = 0
        """Grows with each change."""
        self._streams: dict[Pair, int] = {}
        self._changed: dict[Pair, int] = {}
        self._order: list[tuple[int, Pair]] = []
        self._floor = 0

    def __len__(self) -> int:
        return len(self._streams)

    def come(self, user: str, channels: Iterable[str]) -> None:
        """A stream of ``user`` begins, on ``channels``."""
        for channel in channels:
            pair = channel, user
            streams = self._streams[pair] = self._streams.get(pair, 0) + 1
            if streams == 1:
                self._note(pair)

    def go(self, user: str, channels: Iterable[str]) -> None:
        """A stream that came has ended."""
        for channel in channels:
            pair = channel, user
            self._streams[pair] -= 1
            if not self._streams[pair]:
                del self._streams[pair]
                self._note(pair)

    def since(self, known: Known) -> Changes:
        """What a reader that has come so far does not know yet."""
        anew = known.life != self.life or max(known.after, known.began) < self._floor or known.after > self.version
        began = self.version if anew else known.began
        here: list[Pair] = []
        gone: list[Pair] = []
        channels: set[str] = set()
        size, after = 0, 0 if anew else known.after
        for index in range(bisect_right(self._order, after, key=_version), len(self._order)):
            after, pair = self._order[index]
            if self._changed.get(pair) != after:
                continue  # it has changed again since: that comes later
            if pair in self._streams:
                here.append(pair)
            elif after > began:  # who was gone before that, the reader never heard of
                gone.append(pair)
            size += len(pair[1]) + (0 if pair[0] in channels else len(pair[0]))
            channels.add(pair[0])
            if len(here) + len(gone) >= PIECE_PAIRS or size >= PIECE_CHARACTERS:
                return Changes(Known(self.life, after, began), anew, after < self.version, here, gone)
        return Changes(Known(self.life, self.version, began), anew, False, here, gone)

    def _note(self, pair: Pair) -> None:
        self.version += 1
        self._changed[pair] = self.version
        self._order.append((self.version, pair))
        if len(self._order) > 2 * (len(self._streams) + KEPT_GONE):
            self._compact()

    def _compact(self) -> None:
        """Keep the last change of each pair, and of those that are gone only the newest."""
        last = [entry for entry in self._order if self._changed[entry[1]] == entry[0]]
        gone = [entry for entry in last if entry[1] not in self._streams]
        for version, pair in gone[: max(0, len(gone) - KEPT_GONE)]:
            self._floor = version
            del self._changed[pair]
        self._order = [entry for entry in last if entry[1] in self._changed]


def _version(entry: tuple[int, Pair]) -> int:
    return entry[0]


def _by_channel(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for channel, user in pairs:
        users.setdefault(channel, []).append(user)
    return users


def _pairs(users: Mapping[str, Any]) -> list[Pair]:
    return [(channel, user) for channel, names in users.items() for user in names]
