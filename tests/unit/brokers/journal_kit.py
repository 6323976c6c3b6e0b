"""What the journal's tests share: events in one line, a journal that is opened, and the truth as SQL tells it."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from hermes.brokers.base import Bounds
from hermes.brokers.journal import Journal, Written
from hermes.brokers.journal_file import FILE
from hermes.brokers.journal_once import Call
from hermes.brokers.journal_reader import JournalReader
from hermes.core.event import Event
from hermes.core.publisher import Once
from hermes.testing import FakeClock

POISON = """CREATE TRIGGER poison BEFORE INSERT ON retained WHEN NEW.key = 'poison'
    BEGIN SELECT RAISE(ABORT, 'poisoned'); END"""
"""Makes a transaction fail in its middle, after the log's rows are in: publish an event with this key."""


def event(channels: str, data: Any = None, key: str | None = None, **fields: Any) -> Event:
    """An event on one or more channels, given as words."""
    return Event(tuple(channels.split()), "message", orjson.dumps(data), 1_800_000_000_000, key, **fields)


def call(*events: Event, once: Once | None = None, each: dict[int, Once] | None = None) -> Call:
    """A call of publish."""
    return Call(events, [event.record() for event in events], once, each or {})


class Kit:
    """A journal on a file of its own, its reader, and a clock that the test moves."""

    def __init__(self, folder: Path, bounds: Bounds | None = None) -> None:
        self.path = folder / FILE
        self.clock = FakeClock()
        self.bounds = bounds or Bounds()
        self.boot = "boot-1"
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.path, self.clock, self.bounds, boot=lambda: self.boot)
        self.journal.open()
        self.reader = JournalReader(self.path)

    def close(self) -> None:
        self.reader.close()
        self.journal.close()

    def kill(self) -> None:
        """Let go of the file as a killed process does: without the mark."""
        self.reader.close()
        self.journal._drop()

    def publish(self, *events: Event, once: Once | None = None, each: dict[int, Once] | None = None) -> Written:
        return self.journal.write([call(*events, once=once, each=each)])

    def numbers(self) -> list[int]:
        return [event.number for event in self.reader.page(0, 100_000, 1 << 30).events]

    def sql(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def assert_memory_equals_file(self) -> None:
        """What memory counts is what the file holds."""
        assert self.journal._opened is not None
        index, retained = self.journal._opened.index, self.journal._opened.retained
        [(events, size)] = self.sql("SELECT count(*), coalesce(sum(length(record)), 0) FROM log")
        assert (index.events, index.bytes) == (events, size)
        counted = Counter(name for (names,) in self.sql("SELECT channels FROM log") for name in orjson.loads(names))
        assert index.counts() == counted
        assert set(index.over()) == {name for name, count in counted.items() if count > self.bounds.per_channel}
        held = {name: (keys, size) for name, keys, size in self.sql(RETAINED)}
        assert retained.held == held


RETAINED = "SELECT channel, count(*), sum(length(record)) FROM retained GROUP BY channel"


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    kit = Kit(tmp_path)
    yield kit
    kit.close()


def channels_of(events: Sequence[Event]) -> list[str]:
    return [" ".join(event.channels) for event in events]
