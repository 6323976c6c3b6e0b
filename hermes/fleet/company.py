"""The fleet as the parts of one process use it: who reports once a second, and who answers which questions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog

from hermes.errors import Unavailable
from hermes.fleet.base import Answer, Fleet, Part

log = structlog.get_logger(__name__)

NOTHING = b""
"""The answer of a process that has no answer."""

ASKED_AT_ONCE = 64
"""Processes that are asked the same question together."""


class Company:
    """Collects the parts of this process, named ``node``, and hands each question to the part that answers it.

    ``fleet`` gives the fleet, which opens after the parts were made.
    """

    def __init__(self, node: str, fleet: Callable[[], Fleet]) -> None:
        self.node = node
        self.parts: list[Part] = []
        self._fleet = fleet
        self._answers: dict[str, Answer] = {}

    def report(self, part: Part) -> None:
        """Let ``part`` tell the others something once a second, and hear what they tell."""
        self.parts.append(part)

    def on(self, name: str, answer: Answer) -> None:
        """Let ``answer`` answer the questions of that name."""
        self._answers[name] = answer

    def ask(self, node: str, name: str, question: bytes = NOTHING) -> bytes | None:
        """What ``node`` answers to a question of that name; ``None`` where it has left, is late or knows no answer.

        Raises :class:`~hermes.errors.Unavailable` where the store does not answer.
        """
        asked = name.encode() + b"\n" + question
        answer = self.answer(asked) if node == self.node else self._fleet().ask(node, asked)
        return answer or None

    def ask_each(self, name: str, questions: Mapping[str, bytes]) -> dict[str, bytes]:
        """What the processes answer to the ``questions`` of that name, by their nodes; who gives no answer is left out.

        All are asked together: the wait for dead ones is waited once. A store that does not answer is as good as they.
        """
        answers: dict[str, bytes] = {}
        waiting = list(questions)
        while waiting:
            some, waiting = waiting[:ASKED_AT_ONCE], waiting[ASKED_AT_ONCE:]
            others = [node for node in some if node != self.node]
            threads = [
                threading.Thread(target=self._note, args=(answers, node, name, questions[node])) for node in others
            ]
            for thread in threads:
                thread.start()
            if self.node in some:
                self._note(answers, self.node, name, questions[self.node])
            for thread in threads:
                thread.join()
        return answers

    def _note(self, answers: dict[str, bytes], node: str, name: str, question: bytes) -> None:
        try:
            answer = self.ask(node, name, question)
        except Unavailable as error:
            log.debug("a process could not be asked", node=node, error=str(error))
            return
        if answer is not None:
            answers[node] = answer

    def answer(self, question: bytes) -> bytes:
        """Answer another process; see :meth:`hermes.fleet.base.Fleet.listen`."""
        name, _, body = question.partition(b"\n")
        answer = self._answers.get(name.decode("utf-8", "replace"))
        if answer is None:
            return NOTHING  # a newer version asks, while processes are replaced
        try:
            return answer(body)
        except Exception:
            log.exception("a question could not be answered", name=name.decode("utf-8", "replace"))
            return NOTHING
