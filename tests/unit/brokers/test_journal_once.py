"""Idempotency keys: what was published before is not published again."""

from hermes.brokers.journal_once import _as_runs, _from_runs
from hermes.core.cursor import Cursor
from hermes.core.publisher import Once
from hermes.errors import Conflict
from tests.unit.brokers.journal_kit import Kit, call, event


def test_call_with_a_known_key_is_answered_as_before(kit: Kit) -> None:
    once = Once("key", "digest")
    [first] = kit.publish(event("a"), event("b"), once=once).answers
    again = kit.publish(event("a"), event("b"), once=once)
    assert again.answers == [first]
    assert again.events == []
    assert kit.numbers() == [1, 2]
    assert kit.publish(event("c")).first == 3


def test_key_with_another_digest_fails_only_its_call(kit: Kit) -> None:
    kit.publish(event("a"), once=Once("key", "one"))
    written = kit.journal.write(
        [call(event("b")), call(event("x"), event("y"), once=Once("key", "two")), call(event("c"))]
    )
    assert written.answers[0] == [Cursor(written.epoch, 2)]
    assert isinstance(written.answers[1], Conflict)
    assert written.answers[2] == [Cursor(written.epoch, 3)]
    assert kit.numbers() == [1, 2, 3]


def test_only_new_events_of_a_call_are_published(kit: Kit) -> None:
    keys = {0: Once("k0", "d"), 2: Once("k2", "d")}
    [first] = kit.publish(event("a"), event("b"), event("c"), each=keys).answers
    assert isinstance(first, list)
    kit.publish(event("z"))
    written = kit.publish(event("a"), event("b"), event("c"), event("d"), each=keys)
    epoch = written.epoch
    assert written.answers == [[first[0], Cursor(epoch, 5), first[2], Cursor(epoch, 6)]]
    assert kit.numbers() == [1, 2, 3, 4, 5, 6]


def test_conflict_of_one_event_stores_nothing_of_its_call(kit: Kit) -> None:
    kit.publish(event("a"), each={0: Once("k", "one")})
    [answer] = kit.publish(event("b"), event("c"), each={0: Once("new", "d"), 1: Once("k", "two")}).answers
    assert isinstance(answer, Conflict)
    assert "event 1" in answer.message
    assert kit.numbers() == [1]
    assert isinstance(kit.publish(event("b"), each={0: Once("new", "other")}).answers[0], list)


def test_same_key_twice_in_one_call(kit: Kit) -> None:
    key = Once("k", "d")
    written = kit.publish(event("a"), event("b"), event("a"), each={0: key, 2: key})
    epoch = written.epoch
    assert written.answers == [[Cursor(epoch, 1), Cursor(epoch, 2), Cursor(epoch, 1)]]
    [answer] = kit.publish(event("a"), event("b"), each={0: Once("q", "1"), 1: Once("q", "2")}).answers
    assert isinstance(answer, Conflict)


def test_same_key_in_two_calls_of_one_group(kit: Kit) -> None:
    once, each = Once("k", "d"), {0: Once("e", "d")}
    written = kit.journal.write(
        [
            call(event("a"), once=once),
            call(event("a"), once=once),
            call(event("b"), each=each),
            call(event("b"), each=each),
            call(event("b"), once=Once("k", "other")),
        ]
    )
    epoch = written.epoch
    assert written.answers[:4] == [[Cursor(epoch, 1)], [Cursor(epoch, 1)], [Cursor(epoch, 2)], [Cursor(epoch, 2)]]
    assert isinstance(written.answers[4], Conflict)
    assert kit.numbers() == [1, 2]


def test_key_of_a_call_and_keys_of_its_events_together(kit: Kit) -> None:
    kit.publish(event("a"), each={0: Once("e", "d")})
    [answer] = kit.publish(event("b"), event("a"), once=Once("c", "d"), each={1: Once("e", "d")}).answers
    assert isinstance(answer, list)
    assert [cursor.number for cursor in answer] == [2, 1]
    kit.close()
    kit.open()
    assert kit.publish(event("b"), event("a"), once=Once("c", "d")).answers == [answer]


def test_keys_are_known_for_ten_minutes_and_outlive_a_restart(kit: Kit) -> None:
    once = Once("k", "d")
    [first] = kit.publish(event("a"), once=once).answers
    kit.clock.advance(300)
    kit.kill()
    kit.open()
    kit.clock.set_wall(kit.clock.now() + 3600)  # a jump is no reason to forget
    kit.clock.advance(299)
    assert kit.publish(event("a"), once=once).answers == [first]
    kit.clock.advance(2)
    assert kit.publish(event("a"), once=once).answers != [first]
    assert kit.numbers() == [1, 2]


def test_former_epoch_is_in_the_answer(kit: Kit) -> None:
    once = Once("k", "d")
    [first] = kit.publish(event("a"), once=once).answers
    kit.kill()
    kit.boot = "boot-2"
    kit.open()
    assert kit.publish(event("a"), once=once).answers == [first]
    assert kit.numbers() == []


def test_expired_keys_are_removed_in_bounded_numbers(kit: Kit) -> None:
    for number in range(60):
        kit.publish(event("a"), each={0: Once(f"k{number}", "d")})
    kit.clock.advance(601)
    kit.publish(event("a"), each={0: Once("new", "d")})
    assert kit.sql("SELECT count(*) FROM idempotency") == [(60 - 22 + 1,)]
    kit.journal.upkeep()
    assert kit.sql("SELECT key FROM idempotency") == [("new",)]


def test_thousand_cursors_are_remembered_in_few_bytes() -> None:
    cursors = [Cursor("e1", number) for number in range(5, 1005)]
    assert len(_as_runs(cursors)) < 30
    mixed = [*cursors[:3], Cursor("e0", 9), Cursor("e0", 9), *cursors[7:]]
    assert _from_runs(_as_runs(mixed)) == mixed
