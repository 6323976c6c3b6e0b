"""Limits: how many streams, connects and events one caller, one address and one channel may have, over all processes.

They are counted here and exchanged once a second (:mod:`hermes.core.rate`), so that no request asks the store: a reconnect storm
reads nothing. For that the fleet may go beyond a limit by what each of its processes lets in before it hears of the others:
numbers of streams by those opened within a second, rates by a burst and a second of each further process. What a rate was
overdrawn by is waited for, so that it holds over some seconds; a process that is alone in using a rate has all of it. What a
killed process held counts until the fleet forgets it, after ``SILENCE`` seconds.

Administrators have no limits here, and no address is counted that is not known to be the client's own.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hermes.access.addresses import Address, UntrustedForwarding, client_address
from hermes.access.limits_report import MOST_PAIRS, Report, decode, encode
from hermes.access.principal import Principal
from hermes.core.clock import Clock, iso_time, milliseconds
from hermes.core.rate import Bucket, Counts, Rates, combined, key_of, summed
from hermes.errors import RateLimited, TooManyConnections
from hermes.loop import state_lock
from hermes.settings import Settings

LEAST_BURST = 1000
"""Events that may be published at once where none were before: a whole batch passes, however low its rate."""

LEAST_WAIT = 1.0
"""Seconds that an address is asked to wait at least."""

ALL_PAIRS, LEAST_PAIRS = 5_000, 100
"""Keys of one list that all reports together may name, so that hearing them takes milliseconds; and what each process may."""

MOST_REFUSED = 100
LATELY = 60.0
"""Refusals that :meth:`Limits.status` tells of, and for how many seconds."""

FORWARDED_LATELY = 600.0
"""Seconds for which it tells by whom addresses cannot be known: a proxy with few clients is not heard of every minute."""


class Slot:
    """The place of one open stream; whoever ends the stream closes it."""

    __slots__ = ("_held", "_limits")

    def __init__(self, limits: Limits, held: tuple[int | None, int | None]) -> None:
        self._limits: Limits | None = limits
        self._held = held

    def close(self) -> None:
        """Give the place back. Idempotent."""
        limits, self._limits = self._limits, None
        if limits is not None:
            limits.let_go(*self._held)


class _Claim(NamedTuple):
    """An amount that is there, and not taken yet."""

    rates: Rates
    key: int
    bucket: Bucket
    amount: int


class _Refused(NamedTuple):
    """How often something was refused, from when to when (s since 1970)."""

    times: int
    since: float
    last: float


class Limits:
    """What this process counts; a part of the fleet (:class:`~hermes.fleet.base.Part`). A setting of 0 is no limit."""

    name = "limits"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = state_lock()
        self._clients = Counts(settings.max_connections_per_client)
        self._addresses = Counts(settings.max_connections_per_address)
        self._connects = _rates(settings.connects_per_address, settings.connects_per_address)
        self._credentials = _rates(settings.connects_per_address, settings.connects_per_address)
        self._publishers = _rates(settings.publish_rate, max(settings.publish_rate, LEAST_BURST))
        self._channels = _rates(settings.channel_rate, max(settings.channel_rate, LEAST_BURST))
        self._forwarding = UntrustedForwarding(clock, settings.trusted_proxies)
        self._refused: OrderedDict[tuple[str, str], _Refused] = OrderedDict()
        self._seconds = 0
        self._heard: dict[str, int] = {}
        self._most_pairs = MOST_PAIRS

    # Streams

    def address(self, environ: Mapping[str, Any]) -> Address:
        """Where a WSGI request comes from; where that cannot be known, by whom it came is remembered."""
        address = client_address(environ, self._settings.trusted_proxies)
        if not address.known:
            self._forwarding.note(address)
        return address

    def open(self, principal: Principal, address: Address) -> Slot:
        """A place for one more stream.

        Raises :class:`~hermes.errors.RateLimited` where the address opens too many in a second, and
        :class:`~hermes.errors.TooManyConnections` where the caller or the address holds as many as it may.
        """
        return self._place(principal, address, connects=True)

    def wait(self, principal: Principal, address: Address) -> Slot:
        """A place for a long poll, which holds a connection as a stream does; how often one comes is not limited.

        Raises :class:`~hermes.errors.TooManyConnections`.
        """
        return self._place(principal, address, connects=False)

    def _place(self, principal: Principal, address: Address, *, connects: bool) -> Slot:
        if principal.grants.admin:
            return UNCOUNTED
        client = None if principal.anonymous else key_of(principal.id)
        group = key_of(address.group) if address.known else None
        with self._lock:
            if group is not None:
                if connects:
                    self._connect(group, address)
                if self._addresses.is_full(group):
                    raise self._too_many("max_connections_per_address", address.group, "your address holds")
            if client is not None and self._clients.is_full(client):
                raise self._too_many("max_connections_per_client", principal.id, "you hold")
            if group is not None:
                self._addresses.add(group)
            if client is not None:
                self._clients.add(client)
        return Slot(self, (client, group))

    def _connect(self, group: int, address: Address) -> None:
        wait = self._connects.take(group, 1, self._clock.monotonic()) if self._connects is not None else 0
        if wait:
            what = f"your address opens more than {self._settings.connects_per_address} streams a second"
            raise self._too_fast("connects_per_address", address.group, what, max(wait, LEAST_WAIT))

    def let_go(self, client: int | None, group: int | None) -> None:
        """For :class:`Slot`: a stream has ended that was counted under these keys."""
        with self._lock:
            if client is not None:
                self._clients.remove(client)
            if group is not None:
                self._addresses.remove(group)

    # Credentials

    def check(self, address: Address) -> None:
        """Raise :class:`~hermes.errors.RateLimited` while an address shows too many credentials that do not count.

        To be asked before credentials are looked at, so that a guess that is right is not told from one that is wrong.
        """
        rates = self._credentials
        if rates is None or not rates or not address.known:
            return
        key = key_of(address.group)
        with self._lock:
            bucket = rates.known(key, self._clock.monotonic())
            if bucket is None or rates.has(bucket, 1):
                return
            wait = rates.refuse(key, bucket, 1)
        what = "your address shows too many credentials that do not count"
        raise self._too_fast("connects_per_address", address.group, what, max(wait, LEAST_WAIT))

    def failed(self, address: Address) -> None:
        """An address has shown credentials that do not count; that is a connect, too. Raises nothing."""
        if not address.known:
            return
        key, now = key_of(address.group), self._clock.monotonic()
        with self._lock:
            for rates in (self._connects, self._credentials):
                if rates is not None:
                    rates.take(key, 1, now)

    # Publishing

    def publish(self, principal: Principal, channels: Sequence[Sequence[str]]) -> None:
        """Let events pass, given by the channels of each: all of a call, or none.

        Raises :class:`~hermes.errors.RateLimited` where the caller publishes too much, or too much goes to a channel.
        """
        if principal.grants.admin:
            return
        now = self._clock.monotonic()
        with self._lock:
            claims = []
            if self._publishers is not None:
                what = "you publish more than {} events a second"
                claims.append(self._claim("publish_rate", self._publishers, principal.id, len(channels), now, what))
            if self._channels is not None:
                what = "more than {} events a second are published to {!r}"
                claims += [
                    self._claim("channel_rate", self._channels, channel, count, now, what)
                    for channel, count in _counted(channels)
                ]
            for rates, key, bucket, amount in claims:
                rates.spend(key, bucket, amount)

    def _claim(self, limit: str, rates: Rates, who: str, amount: int, now: float, what: str) -> _Claim:
        key = key_of(who)
        bucket = rates.bucket(key, now)
        if rates.has(bucket, amount):
            return _Claim(rates, key, bucket, amount)
        raise self._too_fast(limit, who, what.format(int(rates.rate), who), rates.refuse(key, bucket, amount))

    # Refusing

    def _too_many(self, limit: str, who: str, whose: str) -> TooManyConnections:
        self._note(limit, who)
        most = getattr(self._settings, limit)
        return TooManyConnections(
            f"{whose} {most} streams, as many as there may be: close some, or try again later",
            {"limit": limit, "most": most},
        )

    def _too_fast(self, limit: str, who: str, what: str, wait: float) -> RateLimited:
        self._note(limit, who)
        details = {"limit": limit, "per_second": getattr(self._settings, limit), "retry_after": round(wait, 3)}
        error = RateLimited(f"{what}; try again in {wait:.2g} s", details)
        error.retry_after = wait
        return error

    def _note(self, limit: str, who: str) -> None:
        now = self._clock.now()
        known = self._refused.pop((limit, who), None)
        if known is None or known.last < now - LATELY:
            known = _Refused(0, now, now)
        self._refused[limit, who] = _Refused(known.times + 1, known.since, now)
        if len(self._refused) > MOST_REFUSED:
            self._refused.popitem(last=False)

    def status(self) -> dict[str, Any]:
        """Who was refused in the last minute, the last first, and by whom addresses cannot be known; for administrators.

        What is refused again within a minute is one entry, since its first time.
        """
        now = self._clock.now()
        return {
            "refused": [
                {"limit": limit, "who": who, "times": one.times, "since": _time(one.since), "last": _time(one.last)}
                for (limit, who), one in reversed(list(self._refused.items()))
                if one.last >= now - LATELY
            ],
            "forwarding": [
                {"peer": peer, "last": _time(at), "trusted_proxies": declared}
                for peer, at, declared in self._forwarding.seen()
                if at >= now - FORWARDED_LATELY
            ],
        }

    # The fleet

    def report(self) -> bytes:
        """See :class:`~hermes.fleet.base.Part`: of each kind the keys that count most."""
        now, most = self._clock.monotonic(), self._most_pairs
        with self._lock:
            self._seconds += 1
            _told(self._credentials, now, 0)
            used = [_told(rates, now, most) for rates in (self._connects, self._publishers, self._channels)]
            return encode(Report(self._seconds, self._clients.report(most), self._addresses.report(most), *used))

    def hear(self, reports: Mapping[str, bytes]) -> None:
        """See :class:`~hermes.fleet.base.Part`: what the others count, and what they use of each rate."""
        told = {node: report for node, data in reports.items() if (report := decode(data)) is not None}
        now, before = self._clock.monotonic(), self._heard
        fresh = [(before.get(node) != report.number, report) for node, report in told.items()]
        with self._lock:
            self._clients.hear(summed(report.clients for report in told.values()))
            self._addresses.hear(summed(report.addresses for report in told.values()))
            if self._connects is not None:
                self._connects.hear(combined((is_new, report.connects) for is_new, report in fresh), now)
            if self._publishers is not None:
                self._publishers.hear(combined((is_new, report.publishers) for is_new, report in fresh), now)
            if self._channels is not None:
                self._channels.hear(combined((is_new, report.channels) for is_new, report in fresh), now)
        self._heard = {node: report.number for node, report in told.items()}
        self._most_pairs = min(MOST_PAIRS, max(LEAST_PAIRS, ALL_PAIRS // (len(told) + 1)))


class _Uncounted(Slot):
    """The place of a stream that nothing limits."""

    __slots__ = ()

    def __init__(self) -> None:
        self._limits = None


UNCOUNTED = _Uncounted()


def _rates(rate: int, burst: int) -> Rates | None:
    return Rates(rate, burst) if rate else None


def _told(rates: Rates | None, now: float, most: int) -> list[tuple[int, int]]:
    if rates is None:
        return []
    rates.tidy(now)
    return rates.report(now, most)


def _counted(channels: Sequence[Sequence[str]]) -> Iterable[tuple[str, int]]:
    """How many of the events go to each channel."""
    if len(channels) == 1:
        return [(channel, 1) for channel in dict.fromkeys(channels[0])]
    return Counter(channel for names in channels for channel in dict.fromkeys(names)).items()


def _time(at: float) -> str:
    return iso_time(milliseconds(at))
