"""Answering the questions of other processes: in turn, by a thread of its own, so that who reads them never waits."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from hermes.fleet.base import ANSWER_WAIT, MOST_SAID, Answer, log

MOST_WAITING = 1000
"""Questions that wait for their answer here. More are not heard: who asked gets no answer, as after any other loss."""


class Question(NamedTuple):
    """What was asked, by whom, and when it came (s, monotonic). A question that comes again has the same ``id``."""

    id: bytes
    asker: str
    text: bytes
    at: float


def answered(answer: Answer, question: bytes) -> bytes | None:
    """The answer to ``question``; ``None`` where there is none, or one of the two is too large."""
    if len(question) > MOST_SAID:
        log.error("a question of %d bytes is not asked: at most %d", len(question), MOST_SAID)
        return None
    try:
        said = answer(question)
    except Exception:
        log.exception("a question was not answered")
        return None
    if len(said) > MOST_SAID:
        log.error("an answer of %d bytes is not given: at most %d", len(said), MOST_SAID)
        return None
    return said


class Answering:
    """Answers questions, each at most once, and gives ``send`` the answers."""

    def __init__(self, answer: Answer, send: Callable[[Question, bytes], None], monotonic: Callable[[], float]) -> None:
        self._answer = answer
        self._send = send
        self._monotonic = monotonic
        self._waiting: deque[Question] = deque()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._news = threading.Semaphore(0)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-answers", daemon=True)
        self._thread.start()

    def hear(self, question: Question) -> None:
        """Answer it soon. Never blocks; called by one thread."""
        if question.id in self._seen or len(self._waiting) >= MOST_WAITING:
            return
        self._seen[question.id] = None
        if len(self._seen) > 2 * MOST_WAITING:
            self._seen.popitem(last=False)
        self._waiting.append(question)
        self._news.release()

    def close(self) -> None:
        """Answer no more."""
        self._closed.set()
        self._news.release()
        if self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            self._news.acquire()
            if self._closed.is_set():
                return
            question = self._waiting.popleft()
            if self._monotonic() - question.at < ANSWER_WAIT:
                said = answered(self._answer, question.text)
                if said is not None:
                    self._send(question, said)
