"""The fleet on Redis, beside the broker and on its connections: what the processes of one store tell each other.

What is kept there, and under which keys, is described in ``hermes/brokers/lua/fleet.lua``. Questions and answers are said on a
pub/sub channel of each node, which comes with the broker's feed.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hermes.brokers.redis import RedisBroker
from hermes.core.clock import Clock, milliseconds
from hermes.errors import HermesError, Unavailable
from hermes.fleet.answers import Answering, Question, answered
from hermes.fleet.base import (
    ANSWER_WAIT,
    MOST_PAGE,
    MOST_REPORT,
    MOST_SAID,
    SILENCE,
    Answer,
    Changes,
    Heard,
    Record,
    is_id,
    log,
    sound,
)

TIMEOUT = 1.0
"""Seconds that one call may take: most are asked every second."""

PAGE_TIMEOUT = 3.0
"""Seconds that a call for records may take, which somebody waits for."""

TOGETHER = 250
TOGETHER_BYTES = 128 * 1024
"""Changes of records that are told in one step, which holds Redis up for a millisecond (measured)."""

LEASE = 5.0
"""Seconds that a lease outlives its holder; asked for about once a second."""

MOST_ASKED = 1000
"""Questions of this process that wait for their answer; a further one gets none."""

QUESTION, ANSWER = b"?", b"!"


class RedisFleet:
    """See :class:`~hermes.fleet.base.Fleet`. ``node`` names this process: no two that live may have the same name.

    To be made before the broker's feed begins, or soon after: questions are heard as soon as this node's channel is.
    """

    def __init__(self, broker: RedisBroker, node: str, clock: Clock) -> None:
        self.node = node
        self._broker = broker
        self._monotonic = clock.monotonic
        self._silence = milliseconds(SILENCE)
        self._life = secrets.token_hex(4)
        self._sequence = 0
        self._was_there = False
        self._told: Mapping[str, bytes] | None = None
        self._known: dict[bytes, tuple[bytes, Mapping[str, bytes]]] = {}
        self._asked: dict[bytes, _Asked] = {}
        self._answer: Answer | None = None
        self._answering: Answering | None = None
        self._closed = False
        broker.inbox(_inbox(node), self._hear)

    # Reports and records

    def exchange(self, reports: Mapping[str, bytes], changes: Changes, *, anew: bool = False) -> Heard:
        """See :class:`~hermes.fleet.base.Fleet`. Many changes are told in several steps, the reports in the last one."""
        if anew:
            self._life, self._was_there, self._told = secrets.token_hex(4), False, None
        reports = _fitting(reports)
        *first, last = _together(sound(changes))
        forgotten = False
        for few in first:
            _, is_new = self._tell(few, None, asks=False)
            forgotten |= is_new
        told = reports if reports != self._told else None
        others, is_new = self._tell(last, told, asks=True)
        forgotten |= is_new
        if self._told is None and told is None:
            self._tell((), reports, asks=False)
        self._told = reports
        self._take(others)
        return Heard({node.decode(): its for node, (_, its) in self._known.items()}, forgotten)

    def _tell(
        self, changes: Sequence[tuple[str, bytes]], reports: Mapping[str, bytes] | None, *, asks: bool
    ) -> tuple[list[Any], bool]:
        """What the others told where this call ``asks``, and whether the store had forgotten this process."""
        if self._closed:
            raise Unavailable("this process has left the fleet")
        self._sequence += 1
        args: list[Any] = ["", self.node, self._life, self._sequence, self._silence]
        args += ("-",) if reports is None else _flat(len(reports), reports.items())
        args += _flat(len(changes), changes)
        args += _flat(len(self._known), ((node, its[0]) for node, its in self._known.items())) if asks else ("-",)
        try:
            answer = self._broker.call("exchange", args, TIMEOUT)
        except BaseException:
            self._told = None  # it may have been taken or not
            raise
        if not answer:
            raise Unavailable(f"another process has the name {self.node!r} too")
        is_new, was_there, self._was_there = bool(answer[0]), self._was_there, True
        if is_new:
            self._told = None
        return answer[1:], is_new and was_there

    def _take(self, others: Sequence[Sequence[Any]]) -> None:
        before, self._known = self._known, {}
        for node, *told in others:
            if told:
                version, fields = told
                pairs = zip(fields[::2], fields[1::2], strict=True)
                self._known[node] = version, {name[1:].decode(): data for name, data in pairs if name.startswith(b"=")}
            elif node in before:
                self._known[node] = before[node]

    def records(self, after: str, limit: int) -> list[Record]:
        """See :class:`~hermes.fleet.base.Fleet`. Of each node no more is read than what a page needs, nearly always at once."""
        limit, wanted = min(limit, MOST_PAGE), min(limit, MOST_PAGE)
        found: list[Record] = []
        bound = after.encode("utf-8", "replace")
        while True:
            share, page = self._page(b"(%b\x01" % bound, b"+", wanted)
            # A node that was asked for as many as it gave may have more: nothing above its last one is sure to be next.
            ends = [records[-1].id for records in page if len(records) == share]
            upto = min(ends, default=None)
            found += sorted(
                (record for records in page for record in records if upto is None or record.id <= upto),
                key=lambda record: record.id,
            )
            if upto is None or len(found) >= limit:
                return found[:limit]
            bound, wanted = upto.encode(), 2 * wanted

    def find(self, id: str) -> Record | None:
        """See :class:`~hermes.fleet.base.Fleet`."""
        if not is_id(id):
            return None
        name = id.encode()
        _, page = self._page(b"[%b\x00" % name, b"(%b\x01" % name, 1)
        return next((record for records in page for record in records), None)

    def _page(self, lower: bytes, upper: bytes, wanted: int) -> tuple[int, list[list[Record]]]:
        """How many records a node gave at most, and those of each node."""
        share, *pairs = self._broker.call("records", ("", self._silence, lower, upper, wanted), PAGE_TIMEOUT)
        page = []
        for node, members in zip(pairs[::2], pairs[1::2], strict=True):
            name = node.decode()
            parts = [member.partition(b"\0") for member in members]
            page.append([Record(name, id.decode(), data) for id, _, data in parts])
        return share, page

    # Questions

    def ask(self, node: str, question: bytes) -> bytes | None:
        """See :class:`~hermes.fleet.base.Fleet`."""
        if node == self.node:
            return answered(self._answer, question) if self._answer is not None else None
        if len(question) > MOST_SAID or len(self._asked) >= MOST_ASKED:
            log.error("a question of %d bytes is not asked, while %d others wait", len(question), len(self._asked))
            return None
        id, asked = secrets.token_hex(8).encode(), _Asked()
        self._asked[id] = asked
        try:
            if self._say(node, b"%b%b %b\n%b" % (QUESTION, id, self.node.encode(), question)):
                asked.answered.wait(ANSWER_WAIT)
            return asked.answer
        finally:
            del self._asked[id]

    def listen(self, answer: Answer) -> None:
        """See :class:`~hermes.fleet.base.Fleet`."""
        self._answer = answer
        if self._answering is not None:
            self._answering.close()
        self._answering = Answering(answer, self._reply, self._monotonic)

    def _hear(self, message: bytes) -> None:
        """What was said to this node, by the thread of the feed. What cannot be read is passed over."""
        head, _, text = message.partition(b"\n")
        kind, (id, _, asker) = head[:1], head[1:].partition(b" ")
        if len(text) > MOST_SAID:
            return
        if kind == QUESTION and asker and self._answering is not None:
            self._answering.hear(Question(id, asker.decode("utf-8", "replace"), text, self._monotonic()))
        elif kind == ANSWER and id in self._asked:
            asked = self._asked[id]
            asked.answer = text
            asked.answered.set()

    def _reply(self, question: Question, said: bytes) -> None:
        try:
            self._say(question.asker, b"%b%b\n%b" % (ANSWER, question.id, said))
        except HermesError as error:
            log.warning("an answer to %s is lost: %s", question.asker, error)

    def _say(self, node: str, message: bytes) -> int:
        """How many heard it."""
        channel = self._broker.channel(_inbox(node))
        return int(self._broker.call("tell", ("", channel, message), ANSWER_WAIT))

    # Leases and the end

    def hold(self, name: str) -> bool:
        """See :class:`~hermes.fleet.base.Fleet`.

        Without an answer nobody holds it: what two processes would do at once is worse than what none does for a while.
        """
        try:
            return bool(self._broker.call("hold", (name, self.node, milliseconds(LEASE)), TIMEOUT))
        except Unavailable:
            return False

    def close(self) -> None:
        """See :class:`~hermes.fleet.base.Fleet`; before the broker is closed. Where Redis is away, the silence says it."""
        if self._closed:
            return
        self._closed = True
        if self._answering is not None:
            self._answering.close()
        try:
            self._broker.call("leave", ("", self.node, self._life), TIMEOUT)
        except HermesError as error:
            log.debug("not said that %s leaves: %s", self.node, error)


class _Asked:
    """A question that waits for its answer."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.answered = threading.Event()


def _inbox(node: str) -> str:
    return f"node:{node}"


def _flat(count: int, pairs: Any) -> list[Any]:
    """A count and its pairs as arguments of a script."""
    return [count, *(part for pair in pairs for part in pair)]


def _fitting(reports: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The reports that say something, and not too much."""
    for name, data in reports.items():
        if len(data) > MOST_REPORT:
            log.error("the report %s is left out: it has %d bytes, at most %d", name, len(data), MOST_REPORT)
    return {name: data for name, data in reports.items() if 0 < len(data) <= MOST_REPORT}


def _together(changes: Changes) -> Iterator[list[tuple[str, bytes]]]:
    """Changes as a script has them, in lists that are told in one step; at least one list."""
    few: list[tuple[str, bytes]] = []
    size = 0
    for id, data in changes.items():
        if len(few) == TOGETHER or size > TOGETHER_BYTES:
            yield few
            few, size = [], 0
        few.append((id, b"-" if data is None else b"=" + data))
        size += len(data or b"")
    yield few
