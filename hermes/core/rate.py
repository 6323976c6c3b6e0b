"""Counting: how much may happen in a second, and how much there is at once. Values in, values out; time is an argument.

Every process counts by itself and hears about once a second what the others counted, so that no decision asks anybody. How
far a fleet may go beyond a bound for that: a rate, by what each further process admits in the second before it hears of the
others (its burst and one second's worth); a number held at once, by what the others let in during that second. In the long
run the rate holds over the fleet, and a process that is alone in using it has all of it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter

MOST_BUCKETS = 10_000
"""Buckets that a table keeps, whatever the number of keys."""

INTERVAL = 1.0
"""Seconds between two reports. Use that is reported sooner is still the use of a second."""

MOST_DEBT = 10
"""Bursts that a process waits for at most because of what others used before it heard of them."""

SLACK = 1.1
"""Of the rate: no second is measured so exactly that less beyond it were a debt."""

_SECOND = itemgetter(1)
_ROUNDING = 1e-9
"""Tokens: who waits as long as was asked for is not refused for the last digit of a float."""


@lru_cache(maxsize=8192)
def key_of(text: str) -> int:
    """64 bits that stand for ``text``, the same in every process: tables and reports hold no addresses and no names."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Use:
    """What the other processes used of one key in a second (``level``), and how much of that is ``news``; how many they are
    (``nodes``), and how many of them had not enough (``hungry``).
    """

    __slots__ = ("hungry", "level", "news", "nodes")

    def __init__(self, level: int, news: int, nodes: int, hungry: int) -> None:
        self.level = level
        self.news = news
        self.nodes = nodes
        self.hungry = hungry


class Bucket:
    """Tokens of one key, as they were at the time ``at``; ``refill`` is what comes in a second. Debts are below zero."""

    __slots__ = ("at", "refill", "tokens")

    def __init__(self, tokens: float, at: float, refill: float) -> None:
        self.tokens = tokens
        self.at = at
        self.refill = refill


class Rates:
    """A token bucket for each key: ``burst`` at once, ``rate`` a second in the long run.

    What the others use of a key comes out of this process's refill, so that a quiet process leaves the whole rate to a busy
    one; a process that uses it too keeps at least its equal share. What the fleet used beyond the rate before its processes
    heard of each other is a debt of each of them, paid back by waiting, up to ``MOST_DEBT`` bursts.

    A key that nobody has used for long enough to be full again is forgotten, and of more than ``most`` keys those that were
    used longest ago are.
    """

    def __init__(self, rate: float, burst: float, most: int = MOST_BUCKETS) -> None:
        self.rate = rate
        self.burst = burst
        self._half = max(1, most // 2)
        self._young: dict[int, Bucket] = {}
        self._old: dict[int, Bucket] = {}
        self._turned_at = -math.inf
        self._used: dict[int, int] = {}
        self._hungry: set[int] = set()
        self._used_before: dict[int, int] = {}
        self._reported_at: float | None = None
        self._others: Mapping[int, Use] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    # Using

    def take(self, key: int, amount: int, now: float) -> float:
        """Use ``amount`` of ``key``: 0 where that was possible, else nothing is used and these seconds are to be waited."""
        bucket = self.bucket(key, now)
        if self.has(bucket, amount):
            self.spend(key, bucket, amount)
            return 0.0
        return self.refuse(key, bucket, amount)

    def bucket(self, key: int, now: float) -> Bucket:
        """The bucket of ``key`` as it is now; for those who look at several before they spend of any."""
        bucket = self._young.get(key)
        if bucket is None:
            bucket = self._old.pop(key, None) or self._begin(key, now)
            if len(self._young) >= self._half:
                self._turn(now)
            self._young[key] = bucket
        if now > bucket.at:
            self._settle(bucket, now)
        return bucket

    def known(self, key: int, now: float) -> Bucket | None:
        """The same, but ``None`` for a key that was not used lately: its bucket is full."""
        return self.bucket(key, now) if key in self._young or key in self._old else None

    def has(self, bucket: Bucket, amount: int) -> bool:
        """Whether ``amount`` can be spent now. What is more than the burst needs a full bucket."""
        return bucket.tokens >= min(amount, self.burst) - _ROUNDING

    def spend(self, key: int, bucket: Bucket, amount: int) -> None:
        """Take ``amount`` out of the bucket of ``key``, whatever is in it."""
        bucket.tokens -= amount
        used = self._used.get(key)
        if used is not None or len(self._used) < self._half:
            self._used[key] = (used or 0) + amount

    def refuse(self, key: int, bucket: Bucket, amount: int) -> float:
        """Seconds until ``amount`` can be spent, as far as is known now; the others hear that this process lacks it."""
        if len(self._hungry) < self._half:
            self._hungry.add(key)
        debt = max(0.0, -bucket.tokens)
        missing = min(amount, self.burst) - bucket.tokens - debt
        return debt / self.rate + (missing / bucket.refill if bucket.refill > 0 else missing / self.rate + INTERVAL)

    def _begin(self, key: int, now: float) -> Bucket:
        others = self._others.get(key)
        if others is None:
            return Bucket(self.burst, now, self.rate)
        left = max(0.0, self.rate - others.level)
        return Bucket(self.burst * left / self.rate, now, left)

    def _settle(self, bucket: Bucket, now: float) -> None:
        seconds, tokens = now - bucket.at, bucket.tokens
        bucket.at = now
        if tokens < 0:  # the whole fleet pays a debt back, at the rate of the whole fleet
            tokens += seconds * self.rate
            bucket.tokens = tokens if tokens < 0 else min(self.burst, tokens * bucket.refill / self.rate)
        else:
            bucket.tokens = min(self.burst, tokens + seconds * bucket.refill)

    # Forgetting

    def tidy(self, now: float) -> None:
        """Forget what is full again; called now and then."""
        if now - self._turned_at >= self.burst / self.rate:
            self._turn(now)

    def _turn(self, now: float) -> None:
        """Forget what was not asked for since the last turn: where that is long enough ago, those buckets are full again.

        Those with a debt are kept, for as long as there is room.
        """
        owing = {key: bucket for key, bucket in self._old.items() if bucket.tokens < 0}
        self._old, self._young = self._young, {}
        if len(owing) < self._half:
            self._young = owing
        self._turned_at = now

    # The others

    def report(self, now: float, most: int) -> list[tuple[int, int]]:
        """What was used in a second since the last report, of the ``most`` keys of which it was most.

        As pairs of the key and twice the amount, with one more where there was not enough.
        """
        used, hungry = self._used, self._hungry
        seconds = max(INTERVAL, now - self._reported_at) if self._reported_at is not None else INTERVAL
        self._used_before = {key: max(1, round(amount / seconds)) for key, amount in used.items()}
        self._used, self._hungry, self._reported_at = {}, set(), now
        for key in hungry:
            self._used_before.setdefault(key, 0)
        pairs = [(key, 2 * level + (key in hungry)) for key, level in self._used_before.items()]
        return heapq.nlargest(most, pairs, key=_SECOND) if len(pairs) > most else pairs

    def hear(self, others: Mapping[int, Use], now: float) -> None:
        """Take what the others use of each key into account until they are heard again."""
        for key in self._others.keys() - others.keys():
            bucket = self._find(key, now)
            if bucket is not None:
                bucket.refill = self.rate
        for key, use in others.items():
            bucket = self._find(key, now)
            if bucket is not None:
                self._lend(key, bucket, use)
        self._others = others

    def _find(self, key: int, now: float) -> Bucket | None:
        bucket = self._young.get(key) or self._old.get(key)
        if bucket is not None and now > bucket.at:
            self._settle(bucket, now)
        return bucket

    def _lend(self, key: int, bucket: Bucket, use: Use) -> None:
        own = self._used_before.get(key)
        used = own or 0
        beyond = use.news + used - SLACK * self.rate
        paid = max(0.0, used - bucket.refill)
        if beyond > paid:
            least = min(bucket.tokens, -MOST_DEBT * self.burst)
            bucket.tokens = max(least, bucket.tokens - (beyond - paid))
        unused = self.rate - use.level - used
        refill = used + (unused / (use.hungry + 1) if unused > 0 else unused)
        share = 0.0 if own is None else self.rate / (use.nodes + 1)
        bucket.refill = max(0.0, share, refill)


class Counts:
    """How many there are of each key at once, here and with the others; at most ``most`` (0: no bound).

    A key of which there are none takes no memory.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._here: dict[int, int] = {}
        self._others: Mapping[int, int] = {}

    def __len__(self) -> int:
        return len(self._here)

    def total(self, key: int) -> int:
        """How many there are in the fleet, as far as it was heard of."""
        return self._here.get(key, 0) + self._others.get(key, 0)

    def is_full(self, key: int) -> bool:
        """Whether there may not be one more."""
        return bool(self.most) and self.total(key) >= self.most

    def add(self, key: int) -> None:
        """One more here."""
        self._here[key] = self._here.get(key, 0) + 1

    def remove(self, key: int) -> None:
        """One less here."""
        left = self._here.get(key, 0) - 1
        if left > 0:
            self._here[key] = left
        else:
            self._here.pop(key, None)

    def report(self, most: int) -> list[tuple[int, int]]:
        """How many there are here: of the ``most`` keys of which there are most."""
        here = list(self._here.items())
        return heapq.nlargest(most, here, key=_SECOND) if len(here) > most else here

    def hear(self, others: Mapping[int, int]) -> None:
        """How many the others have of each key."""
        self._others = others


def summed(reports: Iterable[Iterable[tuple[int, int]]]) -> dict[int, int]:
    """The sum of several reports of counts."""
    total: dict[int, int] = {}
    for report in reports:
        for key, count in report:
            total[key] = total.get(key, 0) + count
    return total


def combined(reports: Iterable[tuple[bool, Iterable[tuple[int, int]]]]) -> dict[int, Use]:
    """What several reports of :meth:`Rates.report` come to; each with whether it is news, or was heard before."""
    total: dict[int, Use] = {}
    for is_new, report in reports:
        for key, told in report:
            used = told >> 1
            use = total.get(key)
            if use is None:
                total[key] = Use(used, used if is_new else 0, 1, told & 1)
            else:
                use.level += used
                use.news += used if is_new else 0
                use.nodes += 1
                use.hungry += told & 1
    return total
