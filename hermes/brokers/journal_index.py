"""What the log holds, channel by channel, in memory: which of its events are over a bound is known without asking SQLite."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Stored(NamedTuple):
    """What matters of one event of the log to who removes it."""

    number: int
    size: int
    channels: tuple[str, ...]


class _Numbers:
    """The numbers of one channel, ascending: 8 bytes each, and cheap to shorten at the front."""

    __slots__ = ("_start", "_values")

    def __init__(self) -> None:
        self._values = array("q")
        self._start = 0

    def __len__(self) -> int:
        return len(self._values) - self._start

    def first(self, count: int) -> Iterable[int]:
        return self._values[self._start : self._start + count]

    def add(self, number: int) -> None:
        if not self._values or number > self._values[-1]:
            self._values.append(number)
        else:
            self._values.insert(bisect_left(self._values, number, self._start), number)

    def remove(self, number: int) -> None:
        if self._values[self._start] != number:
            del self._values[bisect_left(self._values, number, self._start)]
            return
        self._start += 1
        if self._start * 4 > len(self._values):
            del self._values[: self._start]
            self._start = 0


class Index:
    """Counts events, bytes of records, and each channel's numbers. Changes are kept or given back with the transaction."""

    def __init__(self, per_channel: int) -> None:
        self.events = 0
        self.bytes = 0
        self._per_channel = per_channel
        self._channels: dict[str, _Numbers] = {}
        self._over: dict[str, None] = {}
        self._undo: list[tuple[bool, Stored]] = []

    def add(self, stored: Stored) -> None:
        """An event came in."""
        self._undo.append((True, stored))
        self._add(stored)

    def remove(self, stored: Stored) -> None:
        """An event went."""
        self._undo.append((False, stored))
        self._remove(stored)

    def keep(self) -> None:
        """The transaction is committed."""
        self._undo.clear()

    def give_back(self) -> None:
        """The transaction is not."""
        for added, stored in reversed(self._undo):
            if added:
                self._remove(stored)
            else:
                self._add(stored)
        self._undo.clear()

    def over(self) -> Iterator[str]:
        """The channels that have more events than a channel may, the one waiting longest first."""
        return iter(list(self._over))

    def excess(self, channel: str) -> int:
        """How many events ``channel`` has over its bound."""
        return max(0, self.count(channel) - self._per_channel)

    def count(self, channel: str) -> int:
        """How many events ``channel`` has."""
        return len(self._channels.get(channel, ()))

    def counts(self) -> dict[str, int]:
        """How many events each channel has."""
        return {channel: len(numbers) for channel, numbers in self._channels.items()}

    def first(self, channel: str, count: int) -> Iterable[int]:
        """The oldest numbers of ``channel``."""
        numbers = self._channels.get(channel)
        return numbers.first(count) if numbers else ()

    def _add(self, stored: Stored) -> None:
        number, size, channels = stored
        self.events += 1
        self.bytes += size
        for channel in channels:
            numbers = self._channels.get(channel)
            if numbers is None:
                numbers = self._channels[channel] = _Numbers()
            numbers.add(number)
            if len(numbers) > self._per_channel:
                self._over[channel] = None

    def _remove(self, stored: Stored) -> None:
        number, size, channels = stored
        self.events -= 1
        self.bytes -= size
        for channel in channels:
            numbers = self._channels[channel]
            numbers.remove(number)
            if len(numbers) <= self._per_channel:
                self._over.pop(channel, None)
            if not numbers:
                del self._channels[channel]
