"""Idempotency: which of the events of some calls are new, and what the others were answered before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from hermes.brokers.journal_file import as_list, insert
from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.publisher import Once
from hermes.errors import Conflict

KEEP_MS = 600_000
"""How long a key is known: 10 minutes."""


@dataclass(slots=True)
class Call:
    """One call of ``publish``. The records are made in the caller's turn, so that a bad event fails nobody else's call."""

    events: Sequence[Event]
    records: Sequence[bytes]
    once: Once | None = None
    each: Mapping[int, Once] = field(default_factory=dict)

    @property
    def keys(self) -> Iterable[Once]:
        """The idempotency keys of the call and of its events."""
        return [*self.each.values(), self.once] if self.once else self.each.values()


class Answer(NamedTuple):
    """What a key was used for, and what was answered."""

    digest: str
    cursors: Sequence[Cursor]


@dataclass(slots=True)
class Numbered:
    """Some calls with their numbers: what is new and in its order, an answer for each call, and the keys to remember."""

    events: list[Event] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    answers: list[list[Cursor] | Conflict] = field(default_factory=list)
    remember: dict[str, Answer] = field(default_factory=dict)


def number_calls(calls: Sequence[Call], epoch: str, tip: int, known: Mapping[str, Answer]) -> Numbered:
    """Give numbers above ``tip`` to the events of ``calls`` that are not ``known``; a call with a conflict gets none."""
    numbered = Numbered()
    for call in calls:
        try:
            numbered.answers.append(_number(call, Cursor(epoch, tip + len(numbered.events)), known, numbered))
        except Conflict as error:
            numbered.answers.append(error)
    return numbered


def _number(call: Call, at: Cursor, known: Mapping[str, Answer], numbered: Numbered) -> list[Cursor]:
    before = _former(call.once, None, numbered.remember, known)
    if before is not None:
        return list(before)
    cursors, new, remember = _number_each(call, at, known, numbered.remember)
    if call.once:
        remember[call.once.key] = Answer(call.once.digest, cursors)
    numbered.remember.update(remember)
    numbered.events += [call.events[index] for index in new]
    numbered.records += [call.records[index] for index in new]
    return cursors


def _number_each(
    call: Call, at: Cursor, known: Mapping[str, Answer], earlier: Mapping[str, Answer]
) -> tuple[list[Cursor], Sequence[int], dict[str, Answer]]:
    if not call.each:
        new = range(len(call.events))
        return [Cursor(at.epoch, at.number + 1 + index) for index in new], new, {}
    cursors: list[Cursor] = []
    fresh: list[int] = []
    remember: dict[str, Answer] = {}
    for index in range(len(call.events)):
        once = call.each.get(index)
        before = _former(once, index, remember, earlier, known)
        if before is not None:
            cursors.append(before[0])
            continue
        fresh.append(index)
        cursors.append(Cursor(at.epoch, at.number + len(fresh)))
        if once:
            remember[once.key] = Answer(once.digest, cursors[-1:])
    return cursors, fresh, remember


def _former(once: Once | None, index: int | None, *tables: Mapping[str, Answer]) -> Sequence[Cursor] | None:
    """What was answered to this key, if it was used; raises ``Conflict`` where that was for something else."""
    if once is None:
        return None
    for table in tables:
        answer = table.get(once.key)
        if answer is not None:
            if answer.digest != once.digest:
                what = "this call" if index is None else f"event {index}"
                raise Conflict(
                    f"the idempotency key of {what} was used for another body: take a new key for new events"
                )
            return answer.cursors
    return None


# The table

_KNOWN = """
    SELECT json_group_array(json_array(key, digest, cursors)) FROM idempotency
    WHERE expires_ms > ? AND key IN (SELECT value FROM json_each(?))"""


def look_up(connection: sqlite3.Connection, calls: Iterable[Call], now_ms: int) -> dict[str, Answer]:
    """What is remembered of the keys of ``calls``."""
    keys = [once.key for call in calls for once in call.keys]
    if not keys:
        return {}
    found = connection.execute(_KNOWN, (now_ms, as_list(keys))).fetchone()[0]
    return {key: Answer(digest, _from_runs(runs)) for key, digest, runs in orjson.loads(found)}


def remember(connection: sqlite3.Connection, answers: Mapping[str, Answer], now_ms: int) -> None:
    """Keep ``answers`` for ten minutes."""
    expires_ms = now_ms + KEEP_MS
    rows = [(key, answer.digest, _as_runs(answer.cursors), expires_ms) for key, answer in answers.items()]
    insert(connection, "OR REPLACE INTO idempotency", rows)


def any_expired(connection: sqlite3.Connection, now_ms: int) -> bool:
    """Whether there is something for :func:`forget`."""
    return (
        connection.execute("SELECT 1 FROM idempotency WHERE expires_ms <= ? LIMIT 1", (now_ms,)).fetchone() is not None
    )


def forget(connection: sqlite3.Connection, now_ms: int, at_most: int) -> None:
    """Remove some of what has expired."""
    connection.execute(
        """DELETE FROM idempotency WHERE key IN
            (SELECT key FROM idempotency WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)""",
        (now_ms, at_most),
    )


def _as_runs(cursors: Sequence[Cursor]) -> str:
    """Cursors as JSON, contiguous numbers as one entry: a call of a thousand events is remembered in 30 bytes."""
    runs: list[list[str | int]] = []
    expected: Cursor | None = None
    for cursor in cursors:
        if cursor == expected:
            runs[-1][2] = int(runs[-1][2]) + 1
        else:
            runs.append([cursor.epoch, cursor.number, 1])
        expected = Cursor(cursor.epoch, cursor.number + 1)
    return orjson.dumps(runs).decode()


def _from_runs(text: str) -> list[Cursor]:
    return [Cursor(epoch, first + step) for epoch, first, count in orjson.loads(text) for step in range(count)]
