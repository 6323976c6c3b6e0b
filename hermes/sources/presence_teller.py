"""The teller of presence: the one process of the fleet that compares what all rolls say with what is told, and tells the rest.

It begins with what the store retains, so it goes on where its predecessor was killed, and publishes only differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import orjson

from hermes.core.clock import iso_time, milliseconds
from hermes.core.presence import PREFIX, Move, Presence, told_by
from hermes.core.roll import Changes, Known
from hermes.sources.base import SourceContext

MOST_EVENTS = 500
"""Events that one comparison publishes: who opens and ends streams on ever new channels must not drive out all history."""

MOST_PIECES = 20
"""Answers that a process is asked for at once; a larger roll is read over several comparisons."""

ASKING = 2.5
"""Seconds after which a comparison asks no further process: some that were just killed may be waited for in vain."""

SETTLING = 3.0
"""Seconds for which a process that is heard no more still counts, and a new teller takes nobody for gone: after a restart of the
store the processes report again one after another."""

MUTE = 10.0
"""Seconds for which a process that reports but does not answer holds back all leaves."""

RECHECK = 600.0
"""Seconds after which what is told is read again: 40 ms of CPU for 10,000 users, 15 of Redis' (measured). A teller that stood
still between its look at the lease and its publishing may have told something old behind its successor's back."""


class Report(NamedTuple):
    """What a process says every second: how far its roll has come, and if it tells, the counts of channels too full to tell."""

    life: str
    version: int
    full: Mapping[str, int]

    def encode(self) -> bytes:
        """As the fleet carries it."""
        return orjson.dumps(list(self))

    @classmethod
    def decode(cls, report: bytes) -> Report:
        """The report that :meth:`encode` wrote; raises ``ValueError``."""
        life, version, full = orjson.loads(report)
        return cls(str(life), int(version), dict(full))


class Teller:
    """Lives for as long as this process holds the lease. ``own`` is asked for the changes of this process's roll."""

    def __init__(self, context: SourceContext, question: str, own: Callable[[Known], Changes]) -> None:
        self._context = context
        self._company = context.company
        self._question = question
        self._own = own
        self._presence = Presence(context.settings.presence_grace)
        self._begun = self._now()
        self._heard: dict[str, float] = {}
        self._owing: dict[str, float] = {}
        """Processes whose roll is not known as far as they reported, and since when."""
        self._epoch: str | None = None
        self._recheck_at = 0.0
        self.full: Mapping[str, int] = {}
        """How many users are on each channel of which not all are told."""

    def _now(self) -> float:
        return self._context.clock.monotonic()

    def follow(self, reports: Mapping[str, Report]) -> None:
        """Ask every process whose roll has changed for what changed. Raises :class:`~hermes.errors.Unavailable`."""
        begun = self._now()
        self._note(self._company.node, self._catch_up(self._company.node, self._own))
        for node in sorted(reports, key=self._owing.__contains__):  # whoever did not answer before is asked last
            known, report = self._presence.known(node), reports[node]
            self._heard[node] = self._now()
            if known.life == report.life and known.after >= report.version:
                self._note(node, True)
            else:
                may_ask = self._now() - begun < ASKING
                self._note(node, may_ask and self._catch_up(node, partial(self._ask, node)))
        for node in [node for node, heard in self._heard.items() if self._now() - heard > SETTLING]:
            self._presence.forget(node)
            self._owing.pop(node, None)
            del self._heard[node]

    def _note(self, node: str, knows_all: bool) -> None:
        if knows_all:
            self._owing.pop(node, None)
        else:
            self._owing.setdefault(node, self._now())

    def _catch_up(self, node: str, ask: Callable[[Known], Changes | None]) -> bool:
        for _ in range(MOST_PIECES):
            changes = ask(self._presence.known(node))
            if changes is None:
                return False
            self._presence.take(node, changes)
            if not changes.more:
                return True
        return False

    def _ask(self, node: str, known: Known) -> Changes | None:
        answer = self._company.ask(node, self._question, known.encode())
        return None if answer is None else Changes.decode(answer)

    def due(self) -> list[Move]:
        """What is to be told now, to be given to :meth:`tell`. Raises :class:`~hermes.errors.Unavailable`."""
        now = self._now()
        if self._is_in_doubt(now) or self._context.retained(()).epoch != self._epoch:
            self._begin(now)
        moves = self._presence.due(now, MOST_EVENTS, settled=self._is_settled(now))
        self.full = self._presence.full()
        return moves

    def _is_in_doubt(self, now: float) -> bool:
        """Whether what is told has to be read again; where there is no other process, nobody else told anything."""
        return self._epoch is None or (now >= self._recheck_at and bool(self._heard))

    def _begin(self, now: float) -> None:
        snapshot = self._context.retained((PREFIX + "*",))
        self._presence.begin(told_by(entry.event for entry in snapshot.entries))
        self._epoch, self._recheck_at = snapshot.epoch, now + RECHECK

    def _is_settled(self, now: float) -> bool:
        return now - self._begun >= SETTLING and all(now - since >= MUTE for since in self._owing.values())

    def tell(self, moves: Sequence[Move]) -> None:
        """Publish ``moves``, all or none. Raises :class:`~hermes.errors.Unavailable`: then they are not known to be told."""
        timestamp = iso_time(milliseconds(self._context.clock.now()))
        epoch, self._epoch = self._epoch, None
        self._context.publisher.publish_batch([event for move in moves for event in move.events(timestamp)])
        self._presence.told(moves)
        self._epoch = epoch
