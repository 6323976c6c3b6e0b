"""The contract of a fleet: reports once a second, records, questions and leases. One test suite holds every fleet to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

SILENCE = 10.0
"""Seconds after which a process that is not heard any more has left, and all that it told is forgotten."""

ANSWER_WAIT = 2.0
"""Seconds that a question waits for its answer."""

MOST_PAGE = 1000
"""Records of one page."""

LONGEST_ID = 255
"""Characters of a record's id, none of them a control character."""

MOST_RECORD = 64 * 1024
MOST_REPORT = 1024 * 1024
MOST_SAID = 128 * 1024
"""Bytes of a record, of a report, and of a question or an answer. What is larger is left out, and the log says so."""

Reports = Mapping[str, Mapping[str, bytes]]
"""By the node that made it and its name. Every other process is in it, one that has nothing to report with nothing."""

Changes = Mapping[str, bytes | None]
"""Records by their ids: added, replaced, or with ``None`` removed."""

Answer = Callable[[bytes], bytes]
"""How a node answers a question. Must not block, and not raise."""

log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """What an exchange brought: the reports of all others, and whether the store has forgotten this process's records."""

    reports: Reports
    forgotten: bool = False


class Record(NamedTuple):
    """Something that one node holds, such as a connection."""

    node: str
    id: str
    data: bytes


class Fleet(Protocol):
    """What this process, ``node``, shares with the others.

    *Lossy*: everything here is about this moment. What a process told is forgotten ``SILENCE`` seconds after it was last
    heard, so a killed one leaves nothing. *Cheap*: one call a second, whatever the number of streams. Each method raises
    :class:`~hermes.errors.Unavailable` where the store does not answer, but for :meth:`hold` and :meth:`close`.
    """

    node: str

    def exchange(self, reports: Mapping[str, bytes], changes: Changes, *, anew: bool = False) -> Heard:
        """Leave this process's ``reports`` in place of its former ones, and get those of all others.

        ``changes`` are its records since the last time; with ``anew`` all former ones are forgotten first. Where it raises,
        some of them may have been told: they can be told again. Asked once a second, by one thread.
        """

    def records(self, after: str, limit: int) -> list[Record]:
        """Records of all processes in the order of their ids (by code point), those whose id is above ``after``.

        As many as there are, but at most ``limit`` and ``MOST_PAGE``: fewer means that these are the last.
        """

    def find(self, id: str) -> Record | None:
        """The record of that id."""

    def ask(self, node: str, question: bytes) -> bytes | None:
        """What ``node`` answers, this process itself included; ``None`` where none came within ``ANSWER_WAIT`` seconds.

        It may have heard the question even so; it answers one at most once.
        """

    def listen(self, answer: Answer) -> None:
        """Answer the questions of others from now on."""

    def hold(self, name: str) -> bool:
        """Take or keep the lease ``name`` for some seconds; ``False`` where another process has it, or nobody answers."""

    def close(self) -> None:
        """Leave the fleet. Idempotent."""


class Part(Protocol):
    """A part of a process that has something to tell the others once a second."""

    name: str

    def report(self) -> bytes:
        """What to tell now; empty for nothing."""

    def hear(self, reports: Mapping[str, bytes]) -> None:
        """What each other node told."""


def sound(changes: Changes) -> Changes:
    """Those of ``changes`` that keep to the bounds."""
    bad = [id for id, data in changes.items() if not is_id(id) or (data is not None and len(data) > MOST_RECORD)]
    if not bad:
        return changes
    log.error("%d records are left out: an id is wrong, or there are more than %d bytes", len(bad), MOST_RECORD)
    return {id: data for id, data in changes.items() if id not in set(bad)}


def is_id(text: str) -> bool:
    """Whether ``text`` may be the id of a record."""
    return 1 <= len(text) <= LONGEST_ID and text.isprintable()
