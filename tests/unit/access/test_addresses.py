"""Where a request comes from: whose word counts, which texts are addresses, and what limits count by."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.access.addresses import (
    MOST_PEERS,
    NOWHERE,
    Address,
    Forwarder,
    UntrustedForwarding,
    client_address,
    parse_address,
)
from hermes.testing import FakeClock

PEER = "192.0.2.1"
CLIENT = "203.0.113.9"


def from_peer(forwarded: str | None = None, peer: str = PEER, **headers: str) -> dict[str, str]:
    """A WSGI environ; `forwarded` is its X-Forwarded-For."""
    environ = {"REMOTE_ADDR": peer, **headers}
    return environ if forwarded is None else {**environ, "HTTP_X_FORWARDED_FOR": forwarded}


# Nobody in front


def test_the_peer_itself() -> None:
    assert client_address(from_peer(), 0) == Address(PEER, known=True, forwarded_untrusted=False, group=PEER)


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"])
@pytest.mark.parametrize("value", [CLIENT, f"for={CLIENT}", "", "garbage"])
def test_who_forwards_without_being_declared_is_not_known(header: str, value: str) -> None:
    found = client_address(from_peer(**{header: value}), 0)
    assert found == Address(PEER, known=False, forwarded_untrusted=True)


@pytest.mark.parametrize("peer", ["", "/run/hermes.sock", "unix:"])
def test_a_unix_socket_has_no_address(peer: str) -> None:
    assert client_address(from_peer(peer=peer), 0) == NOWHERE
    assert client_address(from_peer("1.2.3.4", peer=peer), 0) == NOWHERE._replace(forwarded_untrusted=True)
    assert client_address({}, 0) == NOWHERE
    assert client_address(from_peer(CLIENT, peer=peer), 1).text == CLIENT


# Behind proxies


@pytest.mark.parametrize(
    ("proxies", "forwarded", "text"),
    [
        (1, CLIENT, CLIENT),
        (1, f"6.6.6.6, {CLIENT}", CLIENT),
        (1, f"6.6.6.6,7.7.7.7 ,\t{CLIENT} ", CLIENT),
        (2, f"6.6.6.6, {CLIENT}, 10.0.0.1", CLIENT),
        (3, f"{CLIENT}, 10.0.0.1, 10.0.0.2", CLIENT),
        (1, f'"6.6.6.6, {CLIENT}', CLIENT),
        (1, f"{'x,' * 5000}{CLIENT}", CLIENT),
    ],
)
def test_what_the_outermost_proxy_appended(proxies: int, forwarded: str, text: str) -> None:
    assert client_address(from_peer(forwarded), proxies) == Address(text, True, False, text)


@pytest.mark.parametrize(
    ("proxies", "forwarded"),
    [
        (1, None),
        (1, ""),
        (1, f"{CLIENT},"),
        (1, f"{CLIENT}, unknown"),
        (1, f"{CLIENT}, _hidden"),
        (2, CLIENT),
        (3, f"6.6.6.6, {CLIENT}"),
        (2, f"for={CLIENT}, 10.0.0.1"),
    ],
)
def test_too_few_entries_or_garbage_are_no_address(proxies: int, forwarded: str | None) -> None:
    assert client_address(from_peer(forwarded), proxies) == Address(PEER, known=False, forwarded_untrusted=False)


def test_only_the_header_that_proxies_append_to_counts() -> None:
    environ = from_peer(CLIENT, HTTP_X_REAL_IP="6.6.6.6", HTTP_FORWARDED="for=6.6.6.6")
    assert client_address(environ, 1).text == CLIENT
    assert not client_address(from_peer(HTTP_X_REAL_IP="6.6.6.6"), 1).known


entries = st.one_of(
    st.ip_addresses().map(str), st.text('0123456789abcdef.:[]%",; \t', max_size=30), st.text(max_size=10)
).map(lambda text: text.replace(",", ""))


@given(st.lists(entries, max_size=6), st.ip_addresses(), st.lists(st.ip_addresses().map(str), max_size=3))
def test_no_forged_entry_ever_counts(forged: list[str], client: IPv4Address | IPv6Address, proxies: list[str]) -> None:
    header = ", ".join([*forged, str(client), *proxies])
    found = client_address(from_peer(header), len(proxies) + 1)
    assert found == parse_address(str(client))


@given(st.text(), st.integers(0, 4), st.text(max_size=20))
def test_no_header_is_an_error(header: str, proxies: int, peer: str) -> None:
    found = client_address(from_peer(header, peer=peer), proxies)
    assert found.known == bool(found.group)
    assert not found.text or ip_address(found.text)
    assert found.known or not proxies or not found.forwarded_untrusted


# Texts


@pytest.mark.parametrize(
    ("text", "address", "group"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9", "203.0.113.9"),
        ("2001:DB8:0:1::9", "2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1::9]", "2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1:f::9]:443", "2001:db8:0:1:f::9", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("[fe80::1%eth0]:80", "fe80::1", "fe80::/64"),
        ("::1", "::1", "::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("[::ffff:cb00:7109]:1", "203.0.113.9", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_an_address_has_one_spelling(text: str, address: str, group: str) -> None:
    assert parse_address(text) == Address(address, known=True, forwarded_untrusted=False, group=group)


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "::x", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:1a",
        "1.2.3.4%eth0", "1.2.3.4/24", "[1.2.3.4]", "[1.2.3.4]:80", "[::1", "::1]", "[::1]:", "[::1]:70000", "[[::1]]",
        "[]", "[]:80", "2001:db8::9:443:443:1:2:3:4", "unknown", "_x", "localhost", "for=1.2.3.4", '"1.2.3.4"',
        "1.2.3.4 ", "١.٢.٣.٤", "1.2.3.4:٨٠", "fe80::1%", "fe80::1%a%b", "3405803785", "0x7f.0.0.1", "1.2.3.4\n",
        "fe80::1%" + "x" * 200,
    ],
)  # fmt: skip
def test_garbage_is_no_address(text: str) -> None:
    assert parse_address(text) is None


@given(st.ip_addresses(v=6), st.integers(0, (1 << 64) - 1))
def test_a_64_is_one_group(address: IPv6Address, host: int) -> None:
    one = parse_address(str(address))
    other = parse_address(str(IPv6Address(int(address) >> 64 << 64 | host)))
    assert one is not None
    assert other is not None
    if ":" in one.group and ":" in other.group:
        assert one.group == other.group


@given(st.ip_addresses(v=4))
def test_mapped_addresses_are_those_of_ipv4(address: IPv4Address) -> None:
    assert parse_address(f"::ffff:{address}") == parse_address(str(address)) == parse_address(f"{address}:80")


# What the dashboard is told


def test_peers_that_forward_undeclared_are_remembered(clock: FakeClock) -> None:
    seen = UntrustedForwarding(clock, 0)
    for environ in (from_peer(), from_peer(CLIENT), from_peer(CLIENT, peer="192.0.2.2")):
        seen.note(client_address(environ, 0))
    clock.advance(5)
    seen.note(client_address(from_peer(CLIENT), 0))
    now = clock.now()
    assert seen.seen() == [Forwarder(PEER, now, 0), Forwarder("192.0.2.2", now - 5, 0)]


def test_so_are_those_with_too_few_entries(clock: FakeClock) -> None:
    seen = UntrustedForwarding(clock, 2)
    seen.note(client_address(from_peer(f"{CLIENT}, 10.0.0.1"), 2))
    assert seen.seen() == []
    seen.note(client_address(from_peer(CLIENT), 2))
    assert seen.seen() == [Forwarder(PEER, clock.now(), 2)]


def test_no_number_of_peers_takes_more_than_its_memory(clock: FakeClock) -> None:
    seen = UntrustedForwarding(clock, 0)
    for number in range(1000):
        seen.note(client_address(from_peer(CLIENT, peer=f"192.0.{number // 250}.{number % 250}"), 0))
    assert len(seen.seen()) == MOST_PEERS
    assert seen.seen()[0].peer == "192.0.3.249"
