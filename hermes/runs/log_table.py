"""The log of runs: numbered lines in chunks, of which the newest are kept up to a bound.

A chunk is at most ``CHUNK_BYTES`` of text and is never split: what is over the bound goes chunk by chunk, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from hermes.db.tables import run_log

CHUNK_BYTES = 32 * 1024
"""Of the text of a chunk, but for one whose only line is longer."""

SMALL_BYTES = 8 * 1024
"""A chunk below this takes what comes next: lines that come one by one must not be a row each."""


CHUNKS_OF_PAGE = 16
"""Chunks that are read at once, half a megabyte: who asks for more lines than they hold goes on from there."""


class Chunk(NamedTuple):
    """Lines with the numbers from ``first`` on."""

    first: int
    lines: Sequence[str]


def append(connection: Connection, run_id: str, first: int, lines: Sequence[str]) -> None:
    """Keep ``lines``, the first of which has the number ``first``: one more than the last that is kept."""
    columns = run_log.c
    newest = (
        select(columns.first, columns.text, columns.size)
        .where(columns.run_id == run_id)
        .order_by(columns.first.desc())
        .limit(1)
    )
    last = connection.execute(newest).first()
    if last is not None and last.size < SMALL_BYTES:
        connection.execute(delete(run_log).where(columns.run_id == run_id, columns.first == last.first))
        first, lines = last.first, [*last.text.split("\n"), *lines]
    for chunk in _chunks(first, lines):
        text = "\n".join(chunk.lines)
        values = {"run_id": run_id, "first": chunk.first, "count": len(chunk.lines), "size": _size(text), "text": text}
        connection.execute(insert(run_log).values(values))


def trim(connection: Connection, run_id: str, most: int) -> int:
    """Remove the oldest chunks until ``most`` bytes are kept, but not the newest one; the last number that is gone, or 0."""
    columns = run_log.c
    sizes = select(columns.first, columns.count, columns.size).where(columns.run_id == run_id).order_by(columns.first)
    chunks = connection.execute(sizes).all()
    over, gone = sum(chunk.size for chunk in chunks) - most, 0
    for chunk in chunks[:-1]:
        if over <= 0:
            break
        over -= chunk.size
        gone = chunk.first + chunk.count - 1
    if gone:
        connection.execute(delete(run_log).where(columns.run_id == run_id, columns.first <= gone))
    return gone


def read(connection: Connection, run_id: str, after: int, limit: int) -> Chunk:
    """At most ``limit`` lines with numbers above ``after``, or above what is gone. There may be more though it gives fewer."""
    columns = run_log.c
    rows = (
        select(columns.first, columns.text)
        .where(columns.run_id == run_id, columns.first + columns.count - 1 > after)
        .order_by(columns.first)
        .limit(CHUNKS_OF_PAGE)
    )
    first, lines = after + 1, list[str]()
    for row in connection.execute(rows):
        found = row.text.split("\n")
        if not lines:
            skipped = max(0, after + 1 - row.first)
            first, found = row.first + skipped, found[skipped:]
        lines += found
        if len(lines) >= limit:
            break
    return Chunk(first, lines[:limit])


def size(connection: Connection, run_id: str) -> int:
    """Bytes of log that are kept of a run."""
    total = select(func.coalesce(func.sum(run_log.c.size), 0)).where(run_log.c.run_id == run_id)
    return int(connection.execute(total).scalar_one())


def _chunks(first: int, lines: Sequence[str]) -> Iterator[Chunk]:
    held: list[str] = []
    bytes_held = 0
    for number, line in enumerate(lines, first):
        length = _size(line) + 1
        if held and bytes_held + length > CHUNK_BYTES:
            yield Chunk(number - len(held), held)
            held, bytes_held = [], 0
        held.append(line)
        bytes_held += length
    if held:
        yield Chunk(first + len(lines) - len(held), held)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
