"""The beat: what is told and heard once a second, what an outage keeps and forgets, and that nothing stops it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hermes.errors import Unavailable
from hermes.fleet import beat as beat_module
from hermes.fleet.base import SILENCE, Changes, Heard
from hermes.fleet.beat import Beat
from hermes.testing import FakeClock
from tests.support.wait import wait_until
from tests.unit.effort import model


class Notebook:
    """A fleet that writes down what it is told, and can be away or lose it."""

    node = "me"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.told: list[dict[str, bytes | None]] = []
        self.reports: Mapping[str, bytes] = {}
        self.others: dict[str, dict[str, bytes]] = {}
        self.away = False
        self.lost = False
        self.fails: Exception | None = None

    def lose(self) -> None:
        self.kept.clear()
        self.lost = True

    def exchange(self, reports: Mapping[str, bytes], changes: Changes, *, anew: bool = False) -> Heard:
        if self.fails is not None:
            raise self.fails
        if self.away:
            raise Unavailable("away")
        if anew:
            self.kept.clear()
            self.lost = False
        self.reports = reports
        self.told.append(dict(changes))
        for id, data in changes.items():
            if data is None:
                self.kept.pop(id, None)
            else:
                self.kept[id] = data
        lost, self.lost = self.lost, False
        return Heard(self.others, lost)


class Holder:
    """What a process holds, and what of it has changed."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.changed: dict[str, bytes | None] = {}
        self.asked_for_all = 0

    def set(self, id: str, data: bytes | None) -> None:
        if data is None:
            self.held.pop(id, None)
        else:
            self.held[id] = data
        self.changed[id] = data

    def changes(self) -> Changes:
        changed, self.changed = self.changed, {}
        return changed

    def all(self) -> Mapping[str, bytes]:
        self.asked_for_all += 1
        return dict(self.held)


class Part:
    """A part that says what it is told to say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.says = b""
        self.heard: list[Mapping[str, bytes]] = []
        self.broken = False

    def report(self) -> bytes:
        if self.broken:
            raise RuntimeError("broken")
        return self.says

    def hear(self, reports: Mapping[str, bytes]) -> None:
        if self.broken:
            raise RuntimeError("broken")
        self.heard.append(dict(reports))


class Setting:
    """A beat and all that it stands on."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.fleet = Notebook()
        self.holder = Holder()
        self.limits, self.presence = Part("limits"), Part("presence")
        self.beat = Beat(self.fleet, [self.limits, self.presence], self.holder.changes, self.holder.all, clock)

    def second(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(1)
            self.beat.beat()


@pytest.fixture
def one(clock: FakeClock) -> Setting:
    return Setting(clock)


# Reports


def test_each_part_tells_and_hears_its_own(one: Setting) -> None:
    one.limits.says, one.presence.says = b"l", b"p"
    one.fleet.others = {"b": {"limits": b"bl"}, "a": {"presence": b"ap", "limits": b"al", "new": b"?"}, "c": {}}
    one.second()
    assert one.fleet.reports == {"limits": b"l", "presence": b"p"}
    assert one.limits.heard == [{"b": b"bl", "a": b"al"}]
    assert one.presence.heard == [{"a": b"ap"}]
    assert one.beat.nodes == ("a", "b", "c")


def test_a_broken_part_harms_no_other(one: Setting, caplog: pytest.LogCaptureFixture) -> None:
    one.limits.broken = True
    one.presence.says = b"p"
    one.fleet.others = {"a": {"limits": b"al", "presence": b"ap"}}
    one.second()
    assert one.fleet.reports == {"presence": b"p"}
    assert one.presence.heard == [{"a": b"ap"}]


def test_in_an_outage_what_was_heard_holds_as_long_as_the_fleet_believes_it(one: Setting) -> None:
    one.fleet.others = {"a": {"limits": b"al"}}
    one.second()
    one.fleet.away = True
    one.second(int(SILENCE))
    assert one.limits.heard == [{"a": b"al"}]
    assert one.beat.nodes == ("a",)
    one.second(3)
    assert one.limits.heard == [{"a": b"al"}, {}], "told once that nobody is heard any more"
    assert one.beat.nodes == ()
    one.fleet.away = False
    one.second()
    assert one.limits.heard[-1] == {"a": b"al"}


# Records


def test_only_changes_are_told(one: Setting) -> None:
    one.holder.set("a", b"1")
    one.second()
    one.holder.set("b", b"2")
    one.holder.set("a", None)
    one.second(2)
    assert one.fleet.told == [{"a": b"1"}, {"b": b"2", "a": None}, {}]


def test_what_could_not_be_told_is_told_again_in_its_newest_form(one: Setting) -> None:
    one.holder.set("a", b"1")
    one.holder.set("b", b"1")
    one.fleet.away = True
    one.second()
    one.holder.set("a", b"2")
    one.holder.set("c", b"3")
    one.second()
    one.holder.set("b", None)
    one.fleet.away = False
    one.second(2)
    assert one.fleet.told == [{"a": b"2", "b": None, "c": b"3"}, {}]
    assert one.holder.asked_for_all == 0


def test_after_a_loss_everything_is_told(one: Setting) -> None:
    one.holder.set("a", b"1")
    one.second()
    one.fleet.lose()
    one.holder.set("b", b"2")
    one.second()
    assert one.fleet.kept == {"b": b"2"}
    one.second()
    assert one.fleet.kept == {"a": b"1", "b": b"2"}
    one.second()
    assert one.holder.asked_for_all == 1
    assert one.fleet.told[-1] == {}


def test_a_long_outage_keeps_a_bounded_number_of_changes(one: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat_module, "MOST_KEPT", 100)
    one = Setting(one.clock)
    one.holder.set("stays", b"s")
    one.second()
    one.fleet.away = True
    for second in range(50):
        for number in range(30):
            one.holder.set(f"{second}-{number}", b"x")
            if number:
                one.holder.set(f"{second}-{number}", None)
        one.second()
        assert len(one.beat._waiting) <= 100
    assert one.holder.asked_for_all == 0, "nothing is put together for a store that is away"
    one.fleet.away = False
    one.second()
    assert one.fleet.kept == one.holder.held
    assert one.holder.asked_for_all == 1


def test_many_changes_are_told_a_bounded_number_at_a_time(one: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat_module, "MOST_TOLD", 40)
    monkeypatch.setattr(beat_module, "MOST_KEPT", 50)
    one = Setting(one.clock)
    for number in range(45):
        one.holder.set(f"{number}", b"x")
    one.second(2)
    assert [len(told) for told in one.fleet.told] == [40, 5]
    for number in range(45, 200):
        one.holder.set(f"{number}", b"x")
    one.second(5)
    assert one.fleet.kept == one.holder.held, "more than are kept: all of them"
    assert max(len(told) for told in one.fleet.told) == 40
    assert one.holder.asked_for_all == 1


def test_errors_of_any_kind_stop_nothing(one: Setting) -> None:
    one.holder.set("a", b"1")
    one.fleet.fails = RuntimeError("odd")
    one.second(2)
    one.fleet.fails = None
    one.second()
    assert one.fleet.kept == {"a": b"1"}


def test_it_beats_by_itself_until_it_is_closed(monkeypatch: pytest.MonkeyPatch, one: Setting) -> None:
    monkeypatch.setattr(beat_module, "INTERVAL", 0.01)
    one.beat.start()
    assert len(one.fleet.told) == 1, "once before anything is accepted"
    wait_until(lambda: len(one.fleet.told) > 3)
    one.beat.close()
    told = len(one.fleet.told)
    assert not [thread for thread in threading.enumerate() if thread.name == "fleet-beat"]
    assert len(one.fleet.told) == told


# Any order of changes, outages and losses

ids = st.sampled_from([f"id{number}" for number in range(12)])


class Outages(RuleBasedStateMachine):
    """Whatever happens: after two beats of a store that works it holds what the process holds."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(beat_module, "MOST_TOLD", 4)
        self.patch.setattr(beat_module, "MOST_KEPT", 6)
        self.one = Setting(FakeClock())
        self.change = 0

    def teardown(self) -> None:
        self.patch.undo()

    @rule(id=ids)
    def put(self, id: str) -> None:
        self.change += 1
        self.one.holder.set(id, b"%d" % self.change)

    @rule(id=ids)
    def remove(self, id: str) -> None:
        self.one.holder.set(id, None)

    @rule()
    def go_away(self) -> None:
        self.one.fleet.away = True

    @rule()
    def come_back(self) -> None:
        self.one.fleet.away = False

    @rule()
    def lose(self) -> None:
        self.one.fleet.lose()

    @rule()
    def pass_second(self) -> None:
        self.one.second()

    @rule()
    def settle(self) -> None:
        self.one.fleet.away = False
        self.one.second(8)
        assert self.one.fleet.kept == self.one.holder.held

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.one.beat._waiting) <= 6 + 12


TestOutages: Any = model(Outages, examples=60, full=3000)
