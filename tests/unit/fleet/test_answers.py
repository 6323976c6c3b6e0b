"""Answering: in turn, each question once, never for long, and nothing that is said can stop it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hermes.fleet.answers import MOST_WAITING, Answering, Question, answered
from hermes.fleet.base import ANSWER_WAIT, MOST_SAID
from hermes.testing import FakeClock
from tests.support.wait import wait_until


class Desk:
    """Answers in capitals, once it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()
        self.asked: list[bytes] = []
        self.sent: list[tuple[bytes, str, bytes]] = []

    def answer(self, question: bytes) -> bytes:
        self.may.wait(10)
        self.asked.append(question)
        if question == b"fail":
            raise ValueError("odd")
        return question.upper()

    def send(self, question: Question, said: bytes) -> None:
        self.sent.append((question.id, question.asker, said))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def answering(desk: Desk, clock: FakeClock) -> Iterator[Answering]:
    answering = Answering(desk.answer, desk.send, clock.monotonic)
    yield answering
    desk.may.set()
    answering.close()


def question(id: int, text: bytes, clock: FakeClock) -> Question:
    return Question(b"%d" % id, "asker", text, clock.monotonic())


def test_questions_are_answered_in_turn(desk: Desk, answering: Answering, clock: FakeClock) -> None:
    for id, text in enumerate((b"a", b"fail", b"c")):
        answering.hear(question(id, text, clock))
    wait_until(lambda: len(desk.sent) == 2)
    assert desk.sent == [(b"0", "asker", b"A"), (b"2", "asker", b"C")]


def test_a_question_that_comes_again_is_answered_once(desk: Desk, answering: Answering, clock: FakeClock) -> None:
    for id in (1, 1, 2, 1):
        answering.hear(question(id, b"%d" % id, clock))
    wait_until(lambda: len(desk.sent) == 2)
    assert desk.asked == [b"1", b"2"]


def test_who_asks_never_waits_and_what_is_too_late_is_left_out(
    desk: Desk, answering: Answering, clock: FakeClock
) -> None:
    desk.may.clear()
    for id in range(MOST_WAITING + 50):
        answering.hear(question(id, b"%d" % id, clock))
    clock.advance(ANSWER_WAIT)
    answering.hear(question(-1, b"too many", clock))
    desk.may.set()
    wait_until(lambda: not answering._waiting)
    answering.hear(question(-2, b"in time", clock))
    wait_until(lambda: desk.asked[-1:] == [b"in time"])
    assert len(desk.asked) <= 2, "the one that was begun, and this one"


def test_what_is_too_large_is_not_said(desk: Desk) -> None:
    assert answered(desk.answer, b"x" * MOST_SAID) == b"X" * MOST_SAID
    assert answered(desk.answer, b"x" * (MOST_SAID + 1)) is None
    assert answered(lambda _: b"x" * (MOST_SAID + 1), b"") is None
    assert answered(desk.answer, b"fail") is None


def test_closing_ends_its_thread(desk: Desk, clock: FakeClock) -> None:
    answering = Answering(desk.answer, desk.send, clock.monotonic)
    answering.close()
    assert not answering._thread.is_alive()
