"""The cursor: ``<epoch>-<number>``, one short opaque string that resumes a stream of any channels and filters."""

from __future__ import annotations

import re
import secrets
import string
from typing import NamedTuple

EARLIEST = "earliest"
"""The word that asks for all that is kept."""

_CURSOR = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})(?:~.{0,128})?")
_ALPHABET = string.digits + string.ascii_lowercase


class Cursor(NamedTuple):
    """All events of ``epoch`` up to and with ``number`` were examined."""

    epoch: str
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}"


def parse_cursor(text: str) -> Cursor | None:
    """The cursor in ``text``, or ``None`` where it cannot be read: a browser may hold one of another server.

    A mark after ``~`` (the end of a run's stream) is not part of the position and is left out.
    """
    match = _CURSOR.fullmatch(text)
    return Cursor(match[1], int(match[2])) if match else None


def new_epoch() -> str:
    """A fresh name for the life of a sequence: 8 characters that need no quoting in a header (41 bits)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))
