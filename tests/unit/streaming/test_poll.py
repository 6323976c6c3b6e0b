"""One JSON page: by the same rules as a stream."""

import threading
import time
from functools import partial
from typing import Any

import orjson
import pytest

from hermes.core.clock import SystemClock
from hermes.core.hub import Hub
from hermes.core.log import Page
from hermes.core.subscription import Subscription
from hermes.errors import Unavailable
from hermes.streaming import poll as poll_module
from hermes.streaming.member import Waiter
from hermes.streaming.poll import Poll
from hermes.testing import FakeClock
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.process import Process


def poll(
    process: Process,
    *items: str,
    cursor: str | None = None,
    retained: str = "auto",
    limit: int = 100,
    wait: float = 0.0,
    ids: tuple[str, ...] = (),
    subscription: Subscription | None = None,
) -> dict[str, Any]:
    """One poll, its JSON decoded."""
    wish = subscription or Subscription(items or ("a",))
    made = Poll(process.store, process.hub, process.clock, wish, ids)
    answer: dict[str, Any] = orjson.loads(orjson.dumps(made.answer(cursor, retained, limit, wait).as_dict()))
    return answer


def numbers(answer: dict[str, Any], part: str = "events") -> list[int]:
    """The data's numbers."""
    return [one["data"]["n"] for one in answer[part]]


def small(process: Process) -> Process:
    """Another process whose tail reaches back for one event."""
    return Process(process.broker, process.clock, tail_size=1).start()


# A page


def test_without_a_cursor_the_state_and_the_tip(process: Process, publish: Publish) -> None:
    publish("a", key="k", type="t")
    publish("a")
    assert poll(process) == {
        "events": [],
        "cursor": "e1-2",
        "reset": None,
        "retained": [
            {"channel": "a", "type": "t", "data": {"n": 1}, "time": "2027-01-15T08:00:00.000Z", "key": "k"},
        ],
        "close": None,
    }


def test_above_a_cursor_the_events(process: Process, publish: Publish) -> None:
    for channel in ("a", "b", "a"):
        publish(channel)
    answer = poll(process, cursor="e1-1")
    assert answer == {
        "events": [
            {"id": "e1-3", "channel": "a", "type": "message", "data": {"n": 3}, "time": "2027-01-15T08:00:00.000Z"}
        ],
        "cursor": "e1-3",
        "reset": None,
        "retained": [],
        "close": None,
    }


def test_pages_follow_each_other(process: Process, publish: Publish) -> None:
    for index in range(10):
        publish("a" if index % 2 else "b")
    cursor, seen = "e1-0", []
    while len(seen) < 5:
        answer = poll(process, cursor=cursor, limit=2)
        assert 1 <= len(answer["events"]) <= 2
        seen += numbers(answer)
        cursor = answer["cursor"]
    assert seen == [2, 4, 6, 8, 10]


def test_types_grants_and_exclude_hold(process: Process, publish: Publish) -> None:
    wish = Subscription(["*"], types=["x"], grants=["a"])
    publish("a", type="x")
    publish("a", type="y")
    publish("b", type="x")
    publish("a", type="x", exclude=("me",))
    assert numbers(poll(process, subscription=wish, cursor="e1-0", ids=("me",))) == [1]
    assert numbers(poll(process, subscription=wish, cursor="e1-0")) == [1, 4]


def test_a_ttl_ends(process: Process, publish: Publish, clock: FakeClock) -> None:
    publish("a", ttl=5.0)
    publish("a")
    clock.advance(6)
    assert numbers(poll(process, cursor="e1-0")) == [2]


def test_the_cursor_says_what_was_examined(process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        publish("b")
    assert poll(process, cursor="e1-0")["cursor"] == "e1-3"
    monkeypatch.setattr(poll_module, "MAX_EXAMINED", 2)
    monkeypatch.setattr(poll_module, "PAGE_EVENTS", 1)
    assert poll(process, cursor="e1-0", limit=1)["cursor"] == "e1-2"


def test_a_small_limit_is_not_looked_for_event_by_event(
    process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger who asks for one event of a channel that has none would have the event loop for long."""
    for index in range(1000):
        publish("a" if index in (500, 501) else "b")
    read, page = [], process.store.page

    def counted(*arguments: int) -> Page:
        read.append(arguments)
        return page(*arguments)

    monkeypatch.setattr(process.store, "page", counted)
    answer = poll(process, cursor="e1-0", limit=1)
    assert (numbers(answer), answer["cursor"]) == ([501], "e1-501")
    assert numbers(poll(process, cursor=answer["cursor"], limit=1)) == [502]
    assert len(read) <= 10
    poll(process, cursor="e1-0", limit=1000)
    assert max(most for _, most, _ in read) <= poll_module.PAGE_EVENTS


def test_one_that_waits_can_be_ended(process: Process) -> None:
    process.clock = SystemClock()  # type: ignore[assignment]  # it really waits
    made = Poll(process.store, process.hub, process.clock, Subscription(("a",)))
    timer = threading.Timer(0.1, made.end)
    timer.start()
    began = time.monotonic()
    assert made.answer("e1-0", "auto", 10, 20.0).events == []
    assert made.answer("e1-0", "auto", 10, 20.0).events == [], "once and for all"
    assert time.monotonic() - began < 5
    timer.join()


def test_earliest(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a")
    process.broker.remove_oldest()
    answer = poll(small(process), cursor="earliest")
    assert (numbers(answer), answer["reset"], answer["retained"]) == ([2], None, [])


# State


@pytest.mark.parametrize(("retained", "seen"), [("auto", []), ("1", [1]), ("0", [])])
def test_state_with_a_cursor(process: Process, publish: Publish, retained: str, seen: list[int]) -> None:
    publish("a", key="k")
    publish("a")
    answer = poll(process, cursor="e1-1", retained=retained)
    assert (numbers(answer), numbers(answer, "retained")) == ([2], seen)


def test_state_comes_with_the_first_page_of_many(process: Process, publish: Publish) -> None:
    """The client asks for it once, and applies it before the events."""
    publish("a", key="k")
    for _ in range(5):
        publish("a")
    answer = poll(process, cursor="e1-1", retained="1", limit=2)
    assert (numbers(answer), numbers(answer, "retained")) == ([2, 3], [1])


def test_no_state_where_none_is_wanted(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    assert poll(process, retained="0")["retained"] == []


# Loss


@pytest.mark.parametrize(
    ("cursor", "reason"), [("junk", "unknown_cursor"), ("e1-9", "unknown_cursor"), ("e0-1", "epoch_changed")]
)
def test_a_cursor_that_is_worth_nothing(process: Process, publish: Publish, cursor: str, reason: str) -> None:
    publish("a", key="k")
    publish("a")
    answer = poll(process, "a", "b", cursor=cursor)
    assert answer["reset"] == {"reason": reason, "channels": ["a", "b"]}
    assert (numbers(answer), numbers(answer, "retained"), answer["cursor"]) == ([], [1], "e1-2")


def test_what_was_removed_is_told_and_the_rest_is_answered(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("b")
    publish("a", "b")
    process.broker.remove_oldest_of("a")
    answer = poll(small(process), "a", "b", cursor="e1-0")
    assert answer["reset"] == {"reason": "history_truncated", "channels": ["a"]}
    assert (numbers(answer), numbers(answer, "retained")) == ([2, 3], [1])
    assert [one["channel"] for one in answer["events"]] == ["b", "b"]


def test_a_loss_and_state_for_all_gives_each_once(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("b", key="k")
    publish("a", "b", key="l")
    process.broker.remove_oldest_of("a")
    answer = poll(small(process), "a", "b", cursor="e1-0", retained="1")
    assert sorted(numbers(answer, "retained")) == [1, 2, 3]


def test_a_loss_behind_the_first_events_is_told_by_the_next_page(
    process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the state, which is applied first, would be newer than the events of the same answer."""
    monkeypatch.setattr(poll_module, "PAGE_BYTES", 1)
    for _ in range(4):
        publish("a", key="k")
    late, broker = small(process), process.broker
    broker.meanwhile.extend([lambda: None, lambda: None, lambda: broker.remove_oldest(3)])
    answer = poll(late, cursor="e1-0")
    assert not broker.meanwhile
    assert (numbers(answer), answer["reset"], answer["retained"], answer["cursor"]) == ([1], None, [], "e1-1")
    answer = poll(late, cursor="e1-1")
    assert answer["reset"] == {"reason": "history_truncated", "channels": ["a"]}
    assert (numbers(answer), numbers(answer, "retained"), answer["cursor"]) == ([], [4], "e1-4")


def test_a_new_epoch_behind_the_first_events_is_told_by_the_next_page(
    process: Process, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_module, "PAGE_BYTES", 1)
    for _ in range(4):
        publish("a")
    late, broker = small(process), process.broker
    broker.meanwhile.extend([lambda: None, lambda: None, broker.begin_epoch])
    answer = poll(late, cursor="e1-0")
    assert (numbers(answer), answer["reset"], answer["cursor"]) == ([1], None, "e1-1")
    assert poll(late, cursor="e1-1")["reset"] == {"reason": "epoch_changed", "channels": ["a"]}


def test_every_loss_before_the_first_event_is_told(process: Process, publish: Publish) -> None:
    """The one at the opening, and the one that happens before the first page is read."""
    publish("a", key="k")
    publish("b", key="k")
    publish("c")
    broker = process.broker
    broker.remove_oldest_of("a")
    late = small(process)
    broker.meanwhile.extend([lambda: None, lambda: None, lambda: broker.remove_oldest_of("b")])
    answer = poll(late, "a", "b", "c", cursor="e1-0")
    assert not broker.meanwhile
    assert answer["reset"] == {"reason": "history_truncated", "channels": ["a", "b"]}
    assert (numbers(answer), sorted(numbers(answer, "retained"))) == ([3], [1, 2])


def test_a_new_epoch_while_waiting(process: Process, publish: Publish, waiting: "Waiting") -> None:
    publish("a", key="k")

    def new_epoch() -> None:
        process.broker.begin_epoch()
        publish("a", arrive=False)
        process.catch_up()

    waiting.then(new_epoch)
    answer = poll(process, cursor="e1-1", wait=5)
    assert answer["reset"] == {"reason": "epoch_changed", "channels": ["a"]}
    assert (answer["cursor"], len(answer["retained"]), len(answer["events"])) == ("e2-1", 1, 1)


def test_state_of_a_former_epoch_is_not_answered(process: Process, publish: Publish) -> None:
    publish("a", key="k")
    publish("a")
    late, broker = small(process), process.broker
    broker.meanwhile.extend([lambda: None, lambda: None, partial(broker.begin_epoch, keep_state=False)])
    answer = poll(late, cursor="e1-0", retained="1")
    assert not broker.meanwhile
    assert answer["reset"] == {"reason": "epoch_changed", "channels": ["a"]}
    assert answer["retained"] == []


# Waiting


class Waiting:
    """What happens while polls wait, each time the next; after that the time is up."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.happens: list[Any] = []
        self.timeouts: list[float] = []
        self.live: list[bool] = []

    def then(self, happen: Any) -> None:
        self.happens.append(happen)

    def wait(self, member: Waiter, hub: Hub, timeout: float, *, live: bool) -> None:
        self.timeouts.append(timeout)
        self.live.append(live)
        assert hub.park(member, live=live)
        if self.happens:
            self.happens.pop(0)()
        else:
            self.clock.advance(timeout)
        hub.unpark(member)


@pytest.fixture
def waiting(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    made = Waiting(clock)

    def wait(member: Waiter, hub: Hub, timeout: float, *, live: bool) -> None:
        made.wait(member, hub, timeout, live=live)

    monkeypatch.setattr(Waiter, "wait", wait)
    return made


def test_a_long_poll_waits_for_an_event(process: Process, publish: Publish, clock: FakeClock, waiting: Waiting) -> None:
    waiting.then(lambda: (clock.advance(3), publish("b")))
    waiting.then(partial(publish, "a"))
    answer = poll(process, cursor="e1-0", wait=10)
    assert (numbers(answer), answer["cursor"]) == ([2], "e1-2")
    assert waiting.timeouts == [10, 7]
    assert process.hub.subscribers == 0


def test_a_long_poll_ends_with_nothing(process: Process, publish: Publish, waiting: Waiting) -> None:
    publish("b")
    answer = poll(process, cursor="e1-0", wait=10)
    assert (answer["events"], answer["cursor"]) == ([], "e1-1")
    assert waiting.timeouts == [10]


def test_what_is_there_is_answered_at_once(process: Process, publish: Publish, waiting: Waiting) -> None:
    publish("a", key="k")
    assert numbers(poll(process, cursor="e1-0", wait=10)) == [1]
    assert poll(process, cursor="junk", wait=10)["reset"]
    assert poll(process, wait=10)["retained"]
    assert poll(process, cursor="e1-1", retained="1", wait=10)["retained"]
    assert waiting.timeouts == []


def test_a_cursor_ahead_of_the_process_waits_for_it(process: Process, publish: Publish, waiting: Waiting) -> None:
    publish("a", arrive=False)
    publish("a", arrive=False)
    waiting.then(process.deliver)
    waiting.then(partial(publish, "a"))
    answer = poll(process, cursor="e1-2", wait=10)
    assert (numbers(answer), answer["cursor"]) == ([3], "e1-3")


def test_a_cursor_ahead_is_given_back(process: Process, publish: Publish) -> None:
    publish("a", arrive=False)
    assert poll(process, cursor="e1-1")["cursor"] == "e1-1"


def test_a_store_that_is_away_is_said(process: Process, publish: Publish) -> None:
    for _ in range(3):
        publish("a")
    late = small(process)
    process.broker.away = True
    with pytest.raises(Unavailable):
        poll(late, cursor="e1-0")
    assert poll(late, cursor="e1-3")["cursor"] == "e1-3"
