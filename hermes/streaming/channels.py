"""The channels that are in use: how many streams of the fleet name each, and what of them is in the newest part of the log.

Nothing is counted while nobody asks, and what was found serves all who ask within a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import nlargest
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson

from hermes.core.clock import Clock, milliseconds
from hermes.core.hub import Hub
from hermes.core.log import Page
from hermes.streaming.connections import Answering
from hermes.streaming.directory import Asking
from hermes.streaming.registry import Registry

NAMED, SUBSCRIBED = "channels.named", "channels.subscribed"
"""The questions that each process answers about its channels."""

MOST_NAMED = 2000
NAMED_BYTES = 100_000
"""Channels of one process that it tells of, and their bytes: those with the most subscribers, and the users' own last."""

MOST_RECENT = 10_000
"""Channels of the tail that are told of, those of the newest events."""

COUNT_BYTES = 8
"""Of a number of streams, with what is around it."""

WINDOW = 60.0
"""Seconds over which a rate is taken."""

KEPT = 1.0
"""Seconds for which what was found is given again."""

MOST_KEPT = 100
"""Channels for which it is."""

OWN_PREFIX = "user:"

Found = TypeVar("Found")


class Recent(NamedTuple):
    """What the tail holds of a channel: events a second over the last minute, and the time of the newest (ms)."""

    rate: float
    last: int


class Subscribers(NamedTuple):
    """Streams that get a channel's events: those that ``named`` it, and those with a pattern that selects it."""

    named: int
    by_pattern: int


class Nodes(Protocol):
    """Knows the processes of the fleet."""

    @property
    def nodes(self) -> list[str]:
        """Every process of the fleet."""


class Channels:
    """Answers for this process, and asks all others."""

    def __init__(self, hub: Hub, registry: Registry, company: Asking, fleet: Nodes, clock: Clock) -> None:
        self._hub = hub
        self._registry = registry
        self._company = company
        self._fleet = fleet
        self._clock = clock
        self._kept: dict[str, tuple[float, Any]] = {}

    def listen(self, company: Answering) -> None:
        """Answer the questions of others."""
        company.on(NAMED, self._answer_named)
        company.on(SUBSCRIBED, self._answer_subscribed)

    # Of the fleet

    def named(self) -> Mapping[str, int]:
        """How many streams name each channel: of every process those that most streams name."""
        return self._once(NAMED, self._ask_named)

    def subscribers(self, channel: str) -> Subscribers:
        """The streams of ``channel``."""
        return self._once(f"{SUBSCRIBED} {channel}", lambda: self._ask_subscribed(channel))

    def recent(self) -> Mapping[str, Recent]:
        """The channels of the events that this process holds in memory."""
        return self._once("recent", self._look_at_tail)

    def after_newest_but(self, channel: str, count: int) -> int:
        """The number behind which the tail has ``count`` events of ``channel``, or all that it has of them."""
        number, left = self._hub.last, count
        for event in reversed(self._tail().events):
            if not left:
                break
            if channel in event.channels:
                number, left = event.number - 1, left - 1
        return number

    def _once(self, name: str, find: Callable[[], Found]) -> Found:
        now = self._clock.monotonic()
        kept = self._kept.get(name)
        if kept is not None and now - kept[0] < KEPT:
            found: Found = kept[1]
            return found
        found = find()
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[name] = now, found
        return found

    def _ask(self, name: str, question: bytes = b"{}") -> Iterator[Any]:
        for answer in self._company.ask_each(name, dict.fromkeys(self._fleet.nodes, question)).values():
            yield orjson.loads(answer)

    def _ask_named(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for answer in self._ask(NAMED):
            total.update(answer)
        return dict(total)

    def _ask_subscribed(self, channel: str) -> Subscribers:
        counts = [Subscribers(*answer) for answer in self._ask(SUBSCRIBED, orjson.dumps(channel))]
        return Subscribers(sum(count.named for count in counts), sum(count.by_pattern for count in counts))

    # Of this process

    def _answer_named(self, _question: bytes) -> bytes:
        counts: Counter[str] = Counter()
        for subscription, streams in Counter(listener.subscription for listener in self._registry).items():
            for name in subscription.exact:
                if subscription.covers(name):
                    counts[name] += streams
        told: dict[str, int] = {}
        left = NAMED_BYTES
        for name, streams in nlargest(MOST_NAMED, counts.items(), key=_weight):
            left -= len(orjson.dumps(name)) + COUNT_BYTES
            if left < 0:
                break
            told[name] = streams
        return orjson.dumps(told)

    def _answer_subscribed(self, question: bytes) -> bytes:
        channel = orjson.loads(question)
        named = by_pattern = 0
        for subscription, streams in Counter(listener.subscription for listener in self._registry).items():
            if subscription.covers(channel):
                if channel in subscription.exact:
                    named += streams
                else:
                    by_pattern += streams
        return orjson.dumps([named, by_pattern])

    def _look_at_tail(self) -> dict[str, Recent]:
        now = milliseconds(self._clock.now())
        counts: Counter[str] = Counter()
        last: dict[str, int] = {}
        page, oldest = self._tail(), now
        for event in reversed(page.events):
            oldest = min(oldest, event.time)
            for channel in event.channels:
                if channel in last or len(last) < MOST_RECENT:
                    last.setdefault(channel, event.time)
                    counts[channel] += event.time > now - WINDOW * 1000
        # A tail that is short for the load does not reach back so far.
        seconds = min(WINDOW, max(1.0, (now - oldest) / 1000)) if page.floor else WINDOW
        return {channel: Recent(round(counts[channel] / seconds, 3), time) for channel, time in last.items()}

    def _tail(self) -> Page:
        """All that this process holds in memory."""
        end = self._hub.page(self._hub.last, 1, 1)
        whole = self._hub.page(end.floor, self._hub.last + 1, 1 << 62) if end is not None else None
        return whole or Page(self._hub.epoch, self._hub.last, (), self._hub.last, self._hub.last)


def _weight(entry: tuple[str, int]) -> tuple[bool, int]:
    name, streams = entry
    return not name.startswith(OWN_PREFIX), streams
