"""What processes tell each other of their limits once a second: counts under 64-bit keys, in a few bytes each."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

VERSION = 1

MOST_BYTES = 64 * 1024
"""Of one report; more is of another program."""

MOST_PAIRS = 1000
"""Of each list, so that a report stays below its bound: 5 lists of 12 bytes a pair."""

_HEAD = struct.Struct("<BI5H")
_PAIR = struct.Struct("<QI")
_MOST = 0xFFFF_FFFF

Pairs = Sequence[tuple[int, int]]
"""Keys, each with how many."""


class Report(NamedTuple):
    """What one process counted: streams that are open, by caller and by address; use in the last second (see
    :meth:`hermes.core.rate.Rates.report`) of connects, by publisher and by channel. ``number`` tells one second from the next.
    """

    number: int
    clients: Pairs = ()
    addresses: Pairs = ()
    connects: Pairs = ()
    publishers: Pairs = ()
    channels: Pairs = ()

    @property
    def used(self) -> bool:
        """Whether anything was used in the last second."""
        return bool(self.connects or self.publishers or self.channels)


def encode(report: Report) -> bytes:
    """The bytes of ``report``; none where it holds nothing."""
    number, *lists = report
    if not any(lists):
        return b""
    head = _HEAD.pack(VERSION, number & _MOST if report.used else 0, *map(len, lists))
    return head + b"".join(_PAIR.pack(key, min(count, _MOST)) for pairs in lists for key, count in pairs)


def decode(data: bytes) -> Report | None:
    """The report in ``data``; ``None`` where it is none, or of another version of this program."""
    if not _HEAD.size <= len(data) <= MOST_BYTES or data[0] != VERSION:
        return None
    _, number, *lengths = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + _PAIR.size * sum(lengths):
        return None
    at, lists = _HEAD.size, []
    for length in lengths:
        end = at + length * _PAIR.size
        lists.append(list(_PAIR.iter_unpack(data[at:end])))
        at = end
    return Report(number, *lists)
