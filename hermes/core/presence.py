"""Presence: who is on each channel over all processes, and which joins and leaves that makes. Values in, values out.

On a channel is a user with a stream that names it (a pattern names no place: who watches all rooms is in none of them) and may
see it. Several streams are one user, on whatever processes; a stream without a user is nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import orjson

from hermes.core.channel import MAX_NAME, is_reserved_channel, name_problem, pattern
from hermes.core.event import Event
from hermes.core.roll import Changes, Known, Pair

PREFIX = "presence:"
JOIN, LEAVE, REMOVED = "presence_join", "presence_leave", "hermes.removed"
"""``REMOVED`` only takes a user out of the retained state: whoever subscribes to joins and leaves is not bothered with it."""

MAX_USERS = 10_000
MAX_BYTES = 3 * 1024 * 1024
"""How many users of a channel are told, and how many bytes of retained state that may take, within what a channel retains.

Others are only counted."""

LEAVE_EVENTS = 2
"""A leave is told, and takes its key out of the retained state."""


def presence_channel(channel: str) -> str:
    """Where the joins and leaves of ``channel`` are told."""
    return PREFIX + channel


class PresenceChannels:
    """The channels that have presence: those that the names and patterns of a setting select."""

    def __init__(self, items: Iterable[str]) -> None:
        self._patterns = [pattern(item) for item in items]
        self._is_one = lru_cache(maxsize=4096)(self._has_presence)  # asked for each channel of each stream

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def __contains__(self, channel: str) -> bool:
        return self._is_one(channel)

    def _has_presence(self, channel: str) -> bool:
        # Hermes' own channels never have.
        if is_reserved_channel(channel) or name_problem(presence_channel(channel)) is not None:
            return False
        return any(item.matches(channel) for item in self._patterns)


def may_be_told(user: str) -> bool:
    """Whether ``user`` can be the key of retained state; whoever cannot is nobody."""
    return 1 <= len(user) <= MAX_NAME and user.isprintable()


class Move(NamedTuple):
    """A user joins a channel, or leaves it."""

    channel: str
    user: str
    joins: bool

    def events(self, timestamp: str) -> list[dict[str, object]]:
        """The events that tell it, to be published in one call."""
        channel = presence_channel(self.channel)
        data = {"user_id": self.user, "timestamp": timestamp}
        if self.joins:
            return [{"channel": channel, "type": JOIN, "key": self.user, "data": data}]
        return [
            {"channel": channel, "type": LEAVE, "data": data},
            {"channel": channel, "type": REMOVED, "key": self.user, "data": None},
        ]


def told_by(events: Iterable[Event]) -> dict[str, set[str]]:
    """Who is told to be on each channel, by retained ``events``."""
    told: dict[str, set[str]] = {}
    for event in events:
        for channel in event.channels:
            if channel.startswith(PREFIX) and event.key is not None:
                told.setdefault(channel.removeprefix(PREFIX), set()).add(event.key)
    return told


class _Told:
    """Who is told to be on one channel, with the bytes that this retains."""

    __slots__ = ("_each", "_size", "absent", "users")

    def __init__(self, channel: str) -> None:
        self._each = len(channel.encode()) + 160
        self._size = 0
        self.users: set[str] = set()
        self.absent: dict[str, float] = {}

    def add(self, user: str) -> None:
        self.users.add(user)
        self._size += self.cost(user)

    def remove(self, user: str) -> None:
        self.users.discard(user)
        self.absent.pop(user, None)
        self._size -= self.cost(user)

    def room(self, users: int, size: int) -> bool:
        return len(self.users) + users < MAX_USERS and self._size + size < MAX_BYTES

    def cost(self, user: str) -> int:
        return self._each + 2 * len(orjson.dumps(user))


class Presence:
    """What all processes say, beside what is told. ``grace`` (s): a leave is told when a user has been away for so long."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._known: dict[str, Known] = {}
        self._pairs: dict[str, set[Pair]] = {}
        self._here: dict[str, dict[str, int]] = {}
        self._told: dict[str, _Told] = {}
        self._open: dict[str, None] = {}
        """Channels to look at, longest unseen first."""
        self._full: set[str] = set()

    # What the processes say

    def known(self, node: str) -> Known:
        """How far the roll of ``node`` is known."""
        return self._known.get(node, Known())

    def take(self, node: str, changes: Changes) -> None:
        """What ``node`` answered when it was asked for what is not known yet."""
        if changes.anew:
            self.forget(node)
        self._known[node] = changes.known
        pairs = self._pairs.setdefault(node, set())
        for pair in changes.here:
            if pair not in pairs:
                pairs.add(pair)
                self._count(pair, 1)
        for pair in changes.gone:
            if pair in pairs:
                pairs.remove(pair)
                self._count(pair, -1)

    def forget(self, node: str) -> None:
        """``node`` has left, and whoever was there with it."""
        self._known.pop(node, None)
        for pair in self._pairs.pop(node, ()):
            self._count(pair, -1)

    def _count(self, pair: Pair, nodes: int) -> None:
        channel, user = pair
        users = self._here.setdefault(channel, {})
        users[user] = users.get(user, 0) + nodes
        if not users[user]:
            del users[user]
            if not users:
                del self._here[channel]
        self._open[channel] = None

    # What is told

    def begin(self, told: Mapping[str, Iterable[str]]) -> None:
        """Go on from what the store retains: from here on only differences are told."""
        self._told.clear()
        for channel, users in told.items():
            entry = self._told[channel] = _Told(channel)
            for user in users:
                entry.add(user)
        self._open = dict.fromkeys([*self._open, *self._told, *self._here])

    def due(self, now: float, limit: int, *, settled: bool) -> list[Move]:
        """The joins and leaves to be told now, for at most ``limit`` events; then call :meth:`told`, or :meth:`begin` again.

        Until it is ``settled`` that every process has been heard nobody is away, so nobody leaves.
        """
        moves: list[Move] = []
        for channel in list(self._open):
            if limit < LEAVE_EVENTS:
                break
            found, closed = self._due_on(channel, now, limit, settled)
            del self._open[channel]
            if not closed:
                self._open[channel] = None  # at the end: others have their turn
            moves += found
            limit -= sum(1 if move.joins else LEAVE_EVENTS for move in found)
        return moves

    def _due_on(self, channel: str, now: float, limit: int, settled: bool) -> tuple[list[Move], bool]:
        """What is due on one channel, and whether it needs no further look until something changes."""
        here: Mapping[str, int] = self._here.get(channel, {})
        told = self._told.get(channel) or _Told(channel)
        away = told.users - here.keys()
        told.absent = {user: told.absent.get(user, now) for user in away} if settled else {}
        over = [user for user, since in told.absent.items() if now - since >= self._grace]
        leaves = [Move(channel, user, False) for user in over[: limit // LEAVE_EVENTS]]
        limit -= len(leaves) * LEAVE_EVENTS
        joins, waiting = self._joins(channel, here, told, limit)
        return leaves + joins, not waiting and len(away) == len(leaves)

    def _joins(self, channel: str, here: Mapping[str, int], told: _Told, limit: int) -> tuple[list[Move], bool]:
        """Who joins, and whether others wait only for their turn."""
        self._full.discard(channel)
        joins: list[Move] = []
        size = 0
        if len(here) > len(told.users) or not told.users >= here.keys():
            for user in here:
                if user in told.users:
                    continue
                if not told.room(len(joins), size):
                    self._full.add(channel)
                    return joins, False
                if len(joins) == limit:
                    return joins, True
                joins.append(Move(channel, user, True))
                size += told.cost(user)
        return joins, False

    def told(self, moves: Iterable[Move]) -> None:
        """``moves`` are stored."""
        for channel, user, joins in moves:
            entry = self._told.get(channel)
            if entry is None:
                entry = self._told[channel] = _Told(channel)
            if joins:
                entry.add(user)
                continue
            entry.remove(user)
            if not entry.users:
                del self._told[channel]
            if channel in self._full:
                self._open[channel] = None  # there is room

    def full(self) -> dict[str, int]:
        """How many users are on each channel where not all are told."""
        return {channel: len(self._here.get(channel, ())) for channel in self._full}
