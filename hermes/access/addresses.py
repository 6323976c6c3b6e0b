"""Where a request comes from: the client's own address, where that can be known, and what limits count it by.

A header is the word of whoever sent it. Each proxy in front appends the address of its own client to ``X-Forwarded-For``, so
behind *n* proxies that are ours the n-th entry from the right is what the outermost of them saw; all to the left of it may be
forged. gunicorn leaves ``REMOTE_ADDR`` alone (``forwarded_allow_ips`` decides about the scheme, not about the address): it is
the TCP peer, or empty on a Unix socket.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

from hermes.core.clock import Clock

FORWARDING = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")
"""Headers by which proxies tell whom they speak for, as WSGI names them."""

LONGEST = 100
"""Characters of an entry that may be an address, with brackets, zone and port."""

MOST_PEERS = 32
"""Peers of which is remembered that their forwarding headers did not count."""

_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([0-9.]*))(?::([0-9]{1,5}))?", re.ASCII)
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052, section 2.1): all of it would be one /64."""


class Address(NamedTuple):
    """An address as text; ``known`` where it is the client's own, else it is the peer's, or empty.

    ``forwarded_untrusted`` marks a request that says that it was forwarded where no proxy is declared. ``group`` is what limits
    count by: the address, of IPv6 its /64, which one household or one rented machine has to itself (RFC 6177).
    """

    text: str
    known: bool
    forwarded_untrusted: bool
    group: str = ""


def client_address(environ: Mapping[str, Any], trusted_proxies: int) -> Address:
    """The address that the WSGI request ``environ`` comes from, behind so many proxies that are ours.

    With *n* of them it is known where ``X-Forwarded-For`` (all its lines together) has at least *n* entries and the n-th from
    the right is an address. Fewer entries mean that the request did not come through all of them, or that one does not add
    itself: whose address the peer's is cannot be told, and to count all clients of a proxy as one would lock them all out. With
    none declared, a request that carries a forwarding header comes from a proxy that nobody declared, or from somebody who
    forges: it is not known either.
    """
    peer = parse_address(str(environ.get("REMOTE_ADDR") or ""))
    if trusted_proxies:
        entries = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rsplit(",", trusted_proxies)
        found = parse_address(entries[-trusted_proxies].strip(" \t")) if len(entries) >= trusted_proxies else None
        if found is not None:
            return found
        return _not_known(peer)
    for name in FORWARDING:
        if name in environ:
            return _not_known(peer)._replace(forwarded_untrusted=True)
    return peer or NOWHERE


NOWHERE = Address("", known=False, forwarded_untrusted=False)
"""Of a request without any address: it came by a Unix socket."""


def _not_known(peer: Address | None) -> Address:
    return peer._replace(known=False, group="") if peer is not None else NOWHERE


def parse_address(text: str) -> Address | None:
    """The address that ``text`` is, in its one spelling; ``None`` where it is none.

    IPv4 and IPv6, each with or without a port (IPv6 then in brackets); the zone of a link-local address is left out, and
    IPv4 that IPv6 carries along (mapped, or translated by the well-known prefix) is IPv4.
    """
    return _parsed(text) if 2 <= len(text) <= LONGEST else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    match = _WITH_PORT.fullmatch(text)
    if match is not None:
        bracketed, plain, port = match.groups()
        if int(port or 0) > 65_535:
            return None
        text = plain if bracketed is None else bracketed
        if bracketed is not None and ":" not in bracketed:
            return None
    try:
        return _as_address(ip_address(text))
    except ValueError:
        return None


def _as_address(address: IPv4Address | IPv6Address) -> Address:
    if isinstance(address, IPv6Address):
        embedded = address.ipv4_mapped
        if embedded is None and address in _TRANSLATED:
            embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
        if embedded is None:
            network = int(address) >> 64 << 64
            return Address(str(IPv6Address(int(address))), True, False, f"{IPv6Address(network)}/64")
        address = embedded
    return Address(str(address), True, False, str(address))


class Forwarder(NamedTuple):
    """A peer whose requests say that they were forwarded in a way that does not count, and when that was last (s since 1970).

    ``declared`` is how many proxies it would have to have come through: 0 where none is declared.
    """

    peer: str
    at: float
    declared: int


class UntrustedForwarding:
    """Remembers by which peers addresses cannot be known, so that the dashboard can say that limits by address are off."""

    def __init__(self, clock: Clock, trusted_proxies: int) -> None:
        self._clock = clock
        self._trusted_proxies = trusted_proxies
        self._peers: OrderedDict[str, float] = OrderedDict()

    def note(self, address: Address) -> None:
        """Take a request's address into account that is not known, although it should be."""
        if address.known or not (address.forwarded_untrusted or self._trusted_proxies):
            return
        self._peers[address.text] = self._clock.now()
        self._peers.move_to_end(address.text)
        if len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)

    def seen(self) -> list[Forwarder]:
        """Those peers, the last one first."""
        return [Forwarder(peer, at, self._trusted_proxies) for peer, at in reversed(list(self._peers.items()))]
