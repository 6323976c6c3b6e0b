"""The source of presence, in fleets of one and more processes on one store."""

import re

import pytest

from hermes.core.event import Event
from hermes.core.roll import Known
from hermes.fleet.base import SILENCE
from hermes.sources import presence_teller
from hermes.sources.presence import PresenceSource
from hermes.sources.presence_teller import MUTE, RECHECK, SETTLING
from hermes.testing import FakeClock
from tests.unit.model_fleet import Exchange
from tests.unit.sources.neighbour import Neighbour
from tests.unit.streaming.model_broker import ModelBroker

GRACE = 5.0
ROOM = "presence:room:1"


def told(broker: ModelBroker, channel: str = ROOM) -> set[str]:
    """Who is told to be there, by what the store retains."""
    return {str(event.value["user_id"]) for (name, _), (_, event) in broker.state.items() if name == channel}


def moves(broker: ModelBroker) -> list[str]:
    """All joins and leaves ever, in this epoch."""
    return [_move(event) for event in broker.ever[broker.epoch] if event.type != "hermes.removed"]


def _move(event: Event) -> str:
    sign = {"presence_join": "+", "presence_leave": "-"}[event.type]
    return f"{sign}{event.channels[0].removeprefix('presence:')}/{event.value['user_id']}"


class Fleet:
    """Some processes with presence on `room:*`; the first has the lease."""

    def __init__(self, exchange: Exchange, broker: ModelBroker, count: int, grace: float = GRACE) -> None:
        self.exchange, self.broker, self.grace = exchange, broker, grace
        self.processes: dict[str, Neighbour] = {}
        for number in range(1, count + 1):
            self.start(f"p{number}")
        exchange.holder = "p1"

    def start(self, node: str) -> Neighbour:
        made = Neighbour(
            self.exchange,
            self.broker,
            node,
            PresenceSource(),
            presence_channels=("room:*",),
            presence_grace=self.grace,
        )
        self.processes[node] = made
        return made

    def __getitem__(self, node: str) -> Neighbour:
        return self.processes[node]

    def kill(self, node: str) -> None:
        """It does nothing any more, and nobody is told."""
        del self.processes[node]
        self.exchange.answers.pop(node)

    def second(self) -> None:
        """What every process does once a second."""
        self.exchange.clock.advance(1.0)
        for process in self.processes.values():
            process.exchange()
        for process in self.processes.values():
            assert isinstance(process.source, PresenceSource)
            process.source.step()

    def pass_(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.second()


@pytest.fixture
def one(exchange: Exchange, broker: ModelBroker) -> Fleet:
    fleet = Fleet(exchange, broker, 1)
    fleet.pass_(SETTLING)
    return fleet


@pytest.fixture
def three(exchange: Exchange, broker: ModelBroker) -> Fleet:
    fleet = Fleet(exchange, broker, 3)
    fleet.pass_(SETTLING)
    return fleet


def test_joins_and_leaves(one: Fleet, broker: ModelBroker) -> None:
    stream = one["p1"].open("ann", "room:1")
    one.second()
    assert moves(broker) == ["+room:1/ann"]
    assert told(broker) == {"ann"}
    one["p1"].close(stream)
    one.pass_(GRACE)
    assert moves(broker) == ["+room:1/ann"]
    one.pass_(1)
    assert moves(broker) == ["+room:1/ann", "-room:1/ann"]
    assert told(broker) == set()


def test_a_leave_and_its_removal_are_one_call(one: Fleet, broker: ModelBroker) -> None:
    one["p1"].close(one["p1"].open("bob", "room:1"))
    stream = one["p1"].open("ann", "room:1")
    one.second()
    one["p1"].close(stream)
    calls = broker.calls.count("publish")
    one.pass_(GRACE + 1)
    assert broker.calls.count("publish") == calls + 1
    assert [(event.type, event.key, event.data) for event in broker.kept[-1:]] == [("hermes.removed", "ann", b"null")]


def test_who_is_nobody(one: Fleet, broker: ModelBroker) -> None:
    process = one["p1"]
    process.open(None, "room:1")
    process.open("watcher", "room:*")
    process.open("stranger", "room:1", grants=("lobby",))
    process.open("elsewhere", "lobby")
    process.open("un\u200bprintable", "room:1")
    one.pass_(3)
    assert moves(broker) == []


def test_a_name_and_a_pattern_are_a_name(one: Fleet, broker: ModelBroker) -> None:
    one["p1"].open("ann", "room:*", "room:1", grants=("room:*",))
    one.second()
    assert moves(broker) == ["+room:1/ann"]


def test_one_user_in_the_whole_fleet(three: Fleet, broker: ModelBroker) -> None:
    streams = {node: three[node].open("ann", "room:1") for node in ("p2", "p3")}
    three.pass_(2)
    three["p2"].close(streams["p2"])
    three.pass_(GRACE + 3)
    assert moves(broker) == ["+room:1/ann"]
    three["p3"].close(streams["p3"])
    three.pass_(GRACE + 3)
    assert moves(broker) == ["+room:1/ann", "-room:1/ann"]


def test_nothing_is_asked_while_nothing_changes(three: Fleet, exchange: Exchange) -> None:
    for number in range(20):
        three["p2"].open(f"u{number}", "room:1")
    three.pass_(3)
    exchange.asked.clear()
    three.pass_(20)
    assert exchange.asked == []
    three["p2"].open("late", "room:1")
    three.pass_(2)
    assert len(exchange.asked) == 1


def test_a_killed_process_leaves_nobody_behind(three: Fleet, broker: ModelBroker, exchange: Exchange) -> None:
    """Also where it was the one that told."""
    three["p1"].open("ann", "room:1")
    three["p2"].open("bob", "room:1")
    three.pass_(3)
    assert told(broker) == {"ann", "bob"}
    three.kill("p1")
    exchange.holder = None
    three.pass_(5)  # its lease lasts so long
    exchange.holder = "p3"
    three.pass_(30 - 5)
    assert told(broker) == {"bob"}
    assert moves(broker).count("-room:1/ann") == 1
    assert "-room:1/bob" not in moves(broker)


def test_one_that_does_not_tell_is_killed(three: Fleet, broker: ModelBroker) -> None:
    three["p1"].open("ann", "room:1")
    three["p2"].open("bob", "room:1")
    three.pass_(3)
    three.kill("p2")
    three.pass_(30)
    assert moves(broker) == ["+room:1/ann", "+room:1/bob", "-room:1/bob"]


def test_a_process_that_is_back_under_its_name(three: Fleet, broker: ModelBroker) -> None:
    """Before anybody noticed that it was gone, and with as many changes."""
    for name in ("ann", "bob"):
        three["p2"].open(name, "room:1")
    three.pass_(3)
    three.kill("p2")
    three.start("p2").open("bob", "room:1")
    three["p2"].open("cid", "room:1")
    three.pass_(GRACE + 3)
    assert moves(broker) == ["+room:1/ann", "+room:1/bob", "+room:1/cid", "-room:1/ann"]


def test_the_lease_comes_back(three: Fleet, broker: ModelBroker, exchange: Exchange) -> None:
    three["p3"].open("ann", "room:1")
    three.pass_(3)
    exchange.holder = "p2"
    three["p3"].open("bob", "room:1")
    three.pass_(3)
    exchange.holder = "p1"
    three.pass_(10)
    assert moves(broker) == ["+room:1/ann", "+room:1/bob"]


def test_a_new_teller_waits_for_who_has_not_reported_yet(exchange: Exchange, broker: ModelBroker) -> None:
    fleet = Fleet(exchange, broker, 3, grace=0)
    fleet["p3"].open("ann", "room:1")
    fleet.pass_(5)
    exchange.forget("p3")  # the store was restarted
    exchange.holder = "p2"
    exchange.clock.advance(1.0)
    fleet["p2"].exchange()
    fleet["p2"].source.step()  # type: ignore[attr-defined]
    fleet.pass_(5)
    assert moves(broker) == ["+room:1/ann"]


def test_whoever_gets_the_lease_tells_only_differences(three: Fleet, broker: ModelBroker, exchange: Exchange) -> None:
    three["p2"].open("ann", "room:1")
    gone = three["p3"].open("bob", "room:2")
    three.pass_(3)
    exchange.holder = "p2"
    three["p3"].close(gone)
    three["p1"].open("cid", "room:1")
    three.pass_(SETTLING + GRACE + 3)
    assert moves(broker) == ["+room:1/ann", "+room:2/bob", "+room:1/cid", "-room:2/bob"]


def test_no_leave_before_a_new_teller_has_heard_all(three: Fleet, broker: ModelBroker, exchange: Exchange) -> None:
    three["p3"].open("ann", "room:1")
    three.pass_(3)
    exchange.holder = "p2"
    exchange.mute.add("p3")
    three.pass_(MUTE)
    exchange.mute.clear()
    three.pass_(20)
    assert moves(broker) == ["+room:1/ann"]


def test_who_reports_and_never_answers_does_not_hold_others_up(
    three: Fleet, broker: ModelBroker, exchange: Exchange
) -> None:
    stream = three["p2"].open("ann", "room:1")
    three.pass_(3)
    exchange.mute.add("p3")
    three["p3"].open("bob", "room:1")
    three.pass_(3)
    three["p2"].close(stream)
    three.pass_(MUTE + GRACE + 3)
    assert moves(broker) == ["+room:1/ann", "-room:1/ann"]


def test_a_report_that_is_missed_now_and_then_is_no_leave(
    three: Fleet, broker: ModelBroker, exchange: Exchange
) -> None:
    """The store was restarted, and a process has not reported again yet."""
    three["p2"].open("ann", "room:1")
    three.pass_(3)
    for _ in range(10):
        exchange.forget("p2")
        three.processes["p1"].exchange()
        exchange.clock.advance(1.0)
        three.processes["p1"].source.step()  # type: ignore[attr-defined]
        three.pass_(2)
    assert moves(broker) == ["+room:1/ann"]


def test_without_grace_a_missed_report_is_no_leave_either(exchange: Exchange, broker: ModelBroker) -> None:
    fleet = Fleet(exchange, broker, 2, grace=0)
    fleet["p2"].open("ann", "room:1")
    fleet.pass_(5)
    exchange.forget("p2")
    fleet["p1"].exchange()
    exchange.clock.advance(1.0)
    fleet["p1"].source.step()  # type: ignore[attr-defined]
    fleet.pass_(5)
    assert moves(broker) == ["+room:1/ann"]


@pytest.mark.parametrize("keep_state", [True, False])
def test_a_new_epoch_has_the_state_again(three: Fleet, broker: ModelBroker, keep_state: bool) -> None:
    three["p2"].open("ann", "room:1")
    three["p3"].open("bob", "room:1")
    three.pass_(3)
    broker.begin_epoch(keep_state=keep_state)
    three.pass_(2)
    assert told(broker) == {"ann", "bob"}
    assert moves(broker) == ([] if keep_state else ["+room:1/ann", "+room:1/bob"])


def test_a_store_that_was_set_back_is_put_right(three: Fleet, broker: ModelBroker) -> None:
    gone = three["p2"].open("ann", "room:1")
    three.pass_(3)
    former = dict(broker.state)
    three["p2"].close(gone)
    three["p3"].open("bob", "room:1")
    three.pass_(GRACE + 3)
    assert told(broker) == {"bob"}
    broker.begin_epoch()
    broker.state = former
    three.pass_(GRACE + 3)
    assert told(broker) == {"bob"}


def test_what_was_stored_without_an_answer_is_not_told_twice(one: Fleet, broker: ModelBroker) -> None:
    one["p1"].open("ann", "room:1")
    one["p1"].way.loses_answer = True
    with pytest.raises(Exception, match="not known"):
        one.second()
    one.pass_(2)
    assert moves(broker) == ["+room:1/ann"]


def test_while_the_store_is_away_nothing_is_forgotten(one: Fleet, broker: ModelBroker) -> None:
    stream = one["p1"].open("ann", "room:1")
    one.second()
    broker.away = True
    one["p1"].close(stream)
    one["p1"].open("bob", "room:1")
    for _ in range(3):
        with pytest.raises(Exception, match="away"):
            one.second()
    broker.away = False
    one.pass_(GRACE + 2)
    assert moves(broker) == ["+room:1/ann", "+room:1/bob", "-room:1/ann"]


def test_a_storm_is_told_bit_by_bit(one: Fleet, broker: ModelBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_teller, "MOST_EVENTS", 100)
    for number in range(250):
        one["p1"].open(f"u{number:03}", "room:1")
    numbers = []
    for _ in range(4):
        one.second()
        numbers.append(len(moves(broker)))
    assert numbers == [100, 200, 250, 250]


def test_a_roll_that_is_too_large_for_one_comparison(
    three: Fleet, broker: ModelBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes.core.roll.PIECE_PAIRS", 10)
    monkeypatch.setattr(presence_teller, "MOST_PIECES", 2)
    for number in range(95):
        three["p2"].open(f"u{number:02}", "room:1")
    three.pass_(8)
    assert len(told(broker)) == 95


def test_what_a_predecessor_told_late_is_put_right(
    three: Fleet, broker: ModelBroker, clock: FakeClock, exchange: Exchange
) -> None:
    """It stood still between its look at the lease and its publishing."""
    three["p2"].open("ann", "room:1")
    three.pass_(3)
    exchange.holder = "p2"
    three.pass_(5)
    del broker.state[ROOM, "ann"]
    three.pass_(RECHECK + 2)
    assert told(broker) == {"ann"}


def test_a_lease_that_was_lost_while_others_were_asked(three: Fleet, broker: ModelBroker, exchange: Exchange) -> None:
    three["p2"].open("ann", "room:1")
    three["p2"].exchange()
    three["p1"].exchange()
    answer = exchange.answers["p2"]

    def slowly(question: bytes) -> bytes:
        exchange.holder = "p3"
        return answer(question)

    exchange.answers["p2"] = slowly
    three["p1"].source.step()  # type: ignore[attr-defined]
    assert moves(broker) == []


def test_full_channels_are_counted_by_every_process(
    three: Fleet, broker: ModelBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes.core.presence.MAX_USERS", 2)
    for number in range(5):
        three["p2"].open(f"u{number}", "room:1")
    three.pass_(4)
    sources = [process.source for process in three.processes.values()]
    assert len(told(broker)) == 2
    assert [source.count("room:1", 2) for source in sources if isinstance(source, PresenceSource)] == [5, 5, 5]
    assert [source.count("room:2", 1) for source in sources if isinstance(source, PresenceSource)] == [1, 1, 1]


def test_a_report_is_small(one: Fleet) -> None:
    for number in range(10_000):
        one["p1"].open(f"user-{number:06}", "room:1")
    assert len(one["p1"].source.report()) < 50  # type: ignore[attr-defined]


def test_a_question_of_another_version_is_not_answered(one: Fleet) -> None:
    for question in (b"presence\nnonsense", b"presence\n[1]", b"other\n"):
        assert one["p1"].company.answer(question) == b""
    assert one["p1"].company.answer(b"presence\n" + Known().encode())


def test_without_channels_nothing_is_watched(exchange: Exchange, broker: ModelBroker) -> None:
    process = Neighbour(exchange, broker, "p1", PresenceSource(), presence_channels=())
    assert process.observers == []
    assert process.company.parts == []
    process.source.start()
    process.source.stop()


def test_timestamps(one: Fleet, broker: ModelBroker) -> None:
    one["p1"].open("ann", "room:1")
    one.second()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", broker.kept[-1].value["timestamp"])


def test_silence_is_shorter_than_the_promise() -> None:
    """A killed worker's people leave within 30 s: a lease, silence, settling, grace and a comparison."""
    assert SILENCE + SETTLING + GRACE + 3 < 30
