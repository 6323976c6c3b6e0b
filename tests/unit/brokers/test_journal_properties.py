"""Whatever is published, removed, refused and restarted: memory equals the file, and no removal goes untold."""

import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hermes.brokers.base import Bounds
from hermes.core.event import Event
from hermes.core.publisher import Once
from tests.unit.brokers.journal_kit import POISON, Kit, call, event

PER_CHANNEL = 3
BOUNDS = Bounds(events=12, bytes=3000, per_channel=PER_CHANNEL, age=100)

events = st.builds(
    lambda channels, data, key: event(" ".join(channels), data, key),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True),
    st.none() | st.integers(0, 9) | st.text("x", max_size=300),
    st.none() | st.sampled_from(["k1", "k2", "k3"]),
)
calls = st.builds(
    lambda many, key: call(*many, once=None if key is None else Once(key, str([found.record() for found in many]))),
    st.lists(events, min_size=1, max_size=6),
    st.none() | st.sampled_from(["o1", "o2"]),
)


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.kit = Kit(Path(self.folder.name), BOUNDS)
        self.kit.sql(POISON)
        self.published: dict[int, Event] = {}
        self.retained: dict[tuple[str, str], bytes] = {}

    def teardown(self) -> None:
        self.kit.close()
        self.folder.cleanup()

    @rule(group=st.lists(calls, min_size=1, max_size=3))
    def publish(self, group: list[Any]) -> None:
        written = self.kit.journal.write(group)
        for number, new in enumerate(written.events, written.first):
            self.published[number] = new
            for channel in new.channels if new.key is not None else ():
                if new.removes:
                    self.retained.pop((channel, new.key or ""), None)
                else:
                    self.retained[channel, new.key or ""] = new.record()

    @rule(first=calls)
    def fail(self, first: Any) -> None:
        with suppress(sqlite3.IntegrityError):
            self.kit.journal.write([first, call(event("a", 1, key="poison"))])
            raise AssertionError("the poison was stored")

    @rule(seconds=st.floats(0.1, 150))
    def wait(self, seconds: float) -> None:
        self.kit.clock.advance(seconds)

    @rule(seconds=st.floats(-5000, 5000))
    def set_clock(self, seconds: float) -> None:
        self.kit.clock.set_wall(self.kit.clock.now() + seconds)

    @rule()
    def upkeep(self) -> None:
        assert self.kit.journal.upkeep().number == len(self.published)

    @rule()
    def restart(self) -> None:
        self.kit.close()
        self.kit.open()

    @precondition(lambda self: self.published)
    @rule()
    def die(self) -> None:
        self.kit.kill()
        self.kit.open()

    @rule()
    def lose_power(self) -> None:
        self.kit.kill()
        self.kit.boot += "+"
        self.kit.open()
        self.published.clear()

    @invariant()
    def memory_equals_file(self) -> None:
        self.kit.assert_memory_equals_file()

    @invariant()
    def what_is_missing_is_told(self) -> None:
        page = self.kit.reader.page(0, 1000, 1 << 30)
        assert page.tip == len(self.published)
        found = {found.number: found.record() for found in page.events}
        for number, sent in self.published.items():
            if number in found:
                assert found[number] == sent.record()
                assert number > page.floor
            else:
                assert all(max(page.floor, page.floors.get(channel, 0)) >= number for channel in sent.channels)
                assert number <= page.floor or any(
                    self.newer(channel, number) >= PER_CHANNEL for channel in sent.channels
                )

    @invariant()
    def bounds_hold(self) -> None:
        page = self.kit.reader.page(0, 1000, 1 << 30)
        assert len(page.events) <= BOUNDS.events
        assert sum(len(found.record()) for found in page.events) <= BOUNDS.bytes
        for channel in "abcd":
            assert sum(channel in found.channels for found in page.events) <= PER_CHANNEL

    @invariant()
    def snapshot_is_the_newest_of_each_key(self) -> None:
        snapshot = self.kit.reader.retained(["*"])
        assert snapshot.tip == len(self.published)
        assert {
            (channel, entry.event.key): entry.event.record() for entry in snapshot.entries for channel in entry.channels
        } == self.retained

    def newer(self, channel: str, than: int) -> int:
        return sum(number > than and channel in sent.channels for number, sent in self.published.items())


EXAMPLES = 500 if os.environ.get("HERMES_TEST_FULL") == "1" else 60
JournalMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestJournal = JournalMachine.TestCase
