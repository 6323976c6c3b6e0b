"""Limits: who is refused what, when it may try again, what the fleet changes, and that no memory grows with strangers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.access.addresses import MOST_PEERS, Address, client_address
from hermes.access.grants import Grants
from hermes.access.limits import FORWARDED_LATELY, LATELY, LEAST_BURST, MOST_REFUSED, Limits
from hermes.access.limits_report import MOST_BYTES, Report, decode, encode
from hermes.access.principal import Principal, administrator, anonymous
from hermes.core.rate import MOST_BUCKETS
from hermes.errors import RateLimited, Retryable, TooManyConnections
from hermes.settings import load_settings
from hermes.testing import FakeClock

ADMIN = administrator("key:admin")
NOBODY = anonymous(("public:*",))
ANN = Principal("user:ann", "ann", Grants(publish=("*",)))
BOB = Principal("user:bob", "bob", Grants(publish=("*",)))

Open = Callable[..., Limits]


def at(text: str) -> Address:
    return client_address({"REMOTE_ADDR": text}, 0)


HERE, THERE = at("203.0.113.1"), at("203.0.113.2")
UNKNOWN = client_address({"REMOTE_ADDR": "203.0.113.3", "HTTP_X_FORWARDED_FOR": "1.2.3.4"}, 0)


@pytest.fixture
def limits_of(clock: FakeClock) -> Open:
    """Limits with these settings; those that are not named are off."""
    off = dict.fromkeys(
        (
            "max_connections_per_client",
            "max_connections_per_address",
            "connects_per_address",
            "publish_rate",
            "channel_rate",
        ),
        0,
    )
    return lambda **settings: Limits(load_settings(**(off | settings)), clock)


def exchange(*processes: Limits) -> None:
    """What a second of the fleet brings."""
    reports = {f"n{index}": one.report() for index, one in enumerate(processes)}
    for index, one in enumerate(processes):
        one.hear({node: data for node, data in reports.items() if node != f"n{index}" and data})


def refused(call: Callable[[], Any]) -> Retryable | None:
    try:
        call()
    except Retryable as error:
        return error
    return None


def passed(call: Callable[[], Any], times: int) -> int:
    return sum(refused(call) is None for _ in range(times))


# Streams


def test_a_caller_holds_so_many_streams(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_client=2)
    first, _ = limits.open(ANN, HERE), limits.open(ANN, THERE)
    limits.open(BOB, HERE)
    with pytest.raises(TooManyConnections) as error:
        limits.open(ANN, HERE)
    assert error.value.details == {"limit": "max_connections_per_client", "most": 2}
    assert error.value.retry_after > 1
    for _ in range(3):
        first.close()
    assert passed(lambda: limits.open(ANN, HERE), 3) == 1, "closed once, whoever closes it again"


def test_an_address_holds_so_many_streams_of_whoever(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_address=3)
    for principal in (ANN, BOB, NOBODY):
        limits.open(principal, HERE)
    with pytest.raises(TooManyConnections) as error:
        limits.open(NOBODY, HERE)
    assert error.value.details == {"limit": "max_connections_per_address", "most": 3}
    assert passed(lambda: limits.open(NOBODY, THERE), 9) == 3


def test_a_refused_stream_takes_no_place(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_client=1, max_connections_per_address=5)
    slot = limits.open(ANN, HERE)
    assert passed(lambda: limits.open(ANN, HERE), 9) == 0
    assert passed(lambda: limits.open(NOBODY, HERE), 9) == 4
    slot.close()
    assert passed(lambda: limits.open(ANN, HERE), 2) == 1


def test_ipv6_is_counted_by_its_64(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_address=2)
    limits.open(NOBODY, at("2001:db8:0:1::1"))
    limits.open(NOBODY, at("2001:db8:0:1:ffff::9"))
    assert refused(lambda: limits.open(NOBODY, at("2001:db8:0:1::3")))
    assert not refused(lambda: limits.open(NOBODY, at("2001:db8:0:2::3")))


def test_connects_of_a_second(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(connects_per_address=5)
    assert passed(lambda: limits.open(NOBODY, HERE).close(), 20) == 5
    error = refused(lambda: limits.open(ANN, HERE))
    assert isinstance(error, RateLimited)
    assert error.details == {"limit": "connects_per_address", "per_second": 5, "retry_after": 1.0}
    assert error.retry_after == 1.0, "no address is asked back sooner"
    assert passed(lambda: limits.open(NOBODY, THERE), 20) == 5
    clock.advance(1)
    assert passed(lambda: limits.open(NOBODY, HERE), 20) == 5


def test_a_long_poll_takes_the_place_of_a_stream_but_is_no_connect(limits_of: Open) -> None:
    """A client that waits for events comes back with each of them."""
    limits = limits_of(max_connections_per_client=2, max_connections_per_address=3, connects_per_address=5)
    assert passed(lambda: limits.wait(ANN, HERE).close(), 20) == 20
    limits.open(ANN, HERE)
    waits = limits.wait(ANN, HERE)
    for take in (limits.wait, limits.open):
        assert refused(lambda take=take: take(ANN, HERE)), "as many as the caller may hold"  # type: ignore[misc]
    assert passed(lambda: limits.wait(NOBODY, HERE), 5) == 1, "as many as the address may hold"
    waits.close()
    assert passed(lambda: limits.wait(ADMIN, HERE), 20) == 20


def test_administrators_and_addresses_that_are_not_known(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_client=1, max_connections_per_address=1, connects_per_address=1)
    assert passed(lambda: limits.open(ADMIN, HERE), 50) == 50
    assert passed(lambda: limits.open(NOBODY, UNKNOWN), 50) == 50
    assert passed(lambda: limits.open(ANN, UNKNOWN), 50) == 1, "a caller is known by more than its address"
    assert passed(lambda: limits.open(NOBODY, HERE), 50) == 1, "and none of those counted here"


def test_anonymous_callers_are_not_one_caller(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_client=1)
    assert passed(lambda: limits.open(NOBODY, HERE), 50) == 50


def test_settings_of_zero_are_no_limits(limits_of: Open) -> None:
    limits = limits_of()
    assert passed(lambda: limits.open(ANN, HERE), 500) == 500
    assert passed(lambda: limits.publish(ANN, [("a",)] * 1000), 50) == 50
    assert passed(lambda: limits.failed(HERE) or limits.check(HERE), 500) == 500


# Credentials


def test_guessing_is_slow(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(connects_per_address=5)
    tried = 0
    for _ in range(100):
        clock.advance(0.1)
        if refused(lambda: limits.check(HERE)) is None:
            limits.failed(HERE)
            tried += 1
    assert 5 <= tried <= 5 + 5 * 10
    error = refused(lambda: limits.check(HERE))
    assert error is None or error.retry_after >= 1
    assert refused(lambda: limits.check(THERE)) is None


def test_refused_credentials_are_connects(limits_of: Open) -> None:
    limits = limits_of(connects_per_address=5)
    for _ in range(4):
        limits.failed(HERE)
        limits.failed(UNKNOWN)
    assert passed(lambda: limits.open(NOBODY, HERE), 9) == 1
    assert refused(lambda: limits.check(HERE)) is None, "connects are no guesses"
    for _ in range(20):
        limits.failed(HERE)
    assert isinstance(refused(lambda: limits.check(HERE)), RateLimited)
    assert refused(lambda: limits.check(UNKNOWN)) is None


# Publishing


def test_a_caller_publishes_so_much(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(publish_rate=2000)
    assert passed(lambda: limits.publish(ANN, [("a",)] * 100), 99) == 20
    error = refused(lambda: limits.publish(ANN, [("a",)] * 100))
    assert isinstance(error, RateLimited)
    assert error.details == {"limit": "publish_rate", "per_second": 2000, "retry_after": 0.05}
    assert error.retry_after == pytest.approx(0.05)
    assert not refused(lambda: limits.publish(BOB, [("a",)] * 100))
    clock.advance(0.05)
    assert passed(lambda: limits.publish(ANN, [("a",)] * 100), 5) == 1


def test_a_channel_takes_so_much_from_whomever(limits_of: Open) -> None:
    limits = limits_of(channel_rate=1000)
    limits.publish(ANN, [("a", "b")] * 600)
    error = refused(lambda: limits.publish(BOB, [("b",)] * 401))
    assert isinstance(error, RateLimited)
    assert "'b'" in error.message
    assert error.details["limit"] == "channel_rate"
    assert not refused(lambda: limits.publish(BOB, [("b", "b")] * 400)), "an event goes to a channel once"
    assert not refused(lambda: limits.publish(BOB, [("c",)]))


def test_all_of_a_call_or_none(limits_of: Open) -> None:
    limits = limits_of(publish_rate=1000, channel_rate=1000)
    limits.publish(BOB, [("full",)] * 1000)
    assert refused(lambda: limits.publish(ANN, [("a",)] * 500 + [("full",)]))
    assert not refused(lambda: limits.publish(ANN, [("a",)] * 1000)), "nothing was taken"


@pytest.mark.parametrize("rate", [1, 10, 999])
def test_a_whole_batch_passes_where_nothing_was_before(limits_of: Open, clock: FakeClock, rate: int) -> None:
    limits = limits_of(publish_rate=rate, channel_rate=rate)
    batch = [("a",)] * LEAST_BURST
    assert not refused(lambda: limits.publish(ANN, batch))
    error = refused(lambda: limits.publish(ANN, [("a",)]))
    assert error is not None
    assert error.retry_after == pytest.approx(1 / rate)
    clock.advance(LEAST_BURST / rate)
    assert not refused(lambda: limits.publish(ANN, batch))


def test_administrators_publish_without_limits(limits_of: Open) -> None:
    limits = limits_of(publish_rate=1, channel_rate=1)
    assert passed(lambda: limits.publish(ADMIN, [("a",)] * 1000), 50) == 50
    assert not refused(lambda: limits.publish(ANN, [("a",)] * 1000))


def test_a_call_without_events(limits_of: Open) -> None:
    limits_of(publish_rate=1, channel_rate=1).publish(ANN, [])


# The fleet


def test_streams_count_over_all_processes(limits_of: Open) -> None:
    one, two, three = (limits_of(max_connections_per_client=4, max_connections_per_address=6) for _ in range(3))
    slots = [one.open(ANN, HERE), one.open(ANN, THERE), two.open(ANN, HERE)]
    exchange(one, two, three)
    assert passed(lambda: three.open(ANN, HERE), 9) == 1
    exchange(one, two, three)
    assert passed(lambda: one.open(NOBODY, HERE), 9) == 3
    for slot in slots:
        slot.close()
    exchange(one, two, three)
    assert passed(lambda: two.open(ANN, THERE), 9) == 3


def test_a_process_that_is_gone_counts_no_more(limits_of: Open) -> None:
    one, two = (limits_of(max_connections_per_client=3) for _ in range(2))
    for _ in range(3):
        one.open(ANN, HERE)
    exchange(one, two)
    assert refused(lambda: two.open(ANN, HERE))
    two.hear({})
    assert passed(lambda: two.open(ANN, HERE), 9) == 3


def test_a_rate_holds_over_all_processes(limits_of: Open, clock: FakeClock) -> None:
    processes = [limits_of(connects_per_address=20) for _ in range(3)]
    opened = 0
    for _ in range(30):
        for _ in range(10):
            clock.advance(0.1)
            opened += sum(passed(lambda one=one: one.open(NOBODY, HERE), 9) for one in processes)
        exchange(*processes)
    assert 0.7 * 20 * 30 <= opened <= 20 * 30 + 3 * 2 * 20


def test_a_rate_that_one_process_uses_alone_is_its(limits_of: Open, clock: FakeClock) -> None:
    processes = [limits_of(publish_rate=1000, channel_rate=1000) for _ in range(3)]
    published = 0
    for _ in range(10):
        for _ in range(10):
            clock.advance(0.1)
            published += 10 * passed(lambda: processes[0].publish(ANN, [("a",)] * 10), 20)
        exchange(*processes)
    assert published >= 0.99 * 1000 * 10


def test_the_same_report_heard_again_is_no_second_burst(limits_of: Open, clock: FakeClock) -> None:
    one, two = (limits_of(publish_rate=10) for _ in range(2))
    two.publish(ANN, [("a",)])
    for _ in range(2):
        one.publish(ANN, [("a",)] * 300)
    report = one.report()
    for _ in range(5):
        two.hear({"one": report})
    assert not refused(lambda: two.publish(ANN, [("a",)] * 400))
    assert refused(lambda: two.publish(ANN, [("a",)] * 400))
    one.publish(ANN, [("a",)] * 300)
    two.hear({"one": one.report()})
    assert refused(lambda: two.publish(ANN, [("a",)]))


def test_a_process_with_nothing_to_tell_tells_nothing(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(max_connections_per_client=9, connects_per_address=9)
    assert limits.report() == b""
    slot = limits.open(ANN, HERE)
    assert limits.report() != b""
    slot.close()
    assert limits.report() == b""


def test_reports_stay_small_and_name_those_with_most(limits_of: Open) -> None:
    one, two = (
        limits_of(
            max_connections_per_client=9,
            max_connections_per_address=9,
            connects_per_address=9,
            publish_rate=9,
            channel_rate=9,
        )
        for _ in range(2)
    )
    for number in range(5000):
        who = Principal(f"user:{number}", str(number), Grants(publish=("*",)))
        one.open(who, at(f"10.1.{number // 250}.{number % 250}"))
        one.publish(who, [(f"channel{number}",)])
    for _ in range(8):
        one.open(ANN, HERE)
    report = one.report()
    assert len(report) <= MOST_BYTES
    two.hear({"one": report})
    assert passed(lambda: two.open(ANN, THERE), 9) == 1, "the heaviest is in it"


def test_many_processes_tell_less_each(limits_of: Open) -> None:
    one = limits_of(max_connections_per_client=9)
    for number in range(2000):
        one.open(Principal(f"user:{number}"), HERE)
    alone = len(one.report())
    one.hear({f"n{number}": one.report() for number in range(50)})
    assert len(one.report()) < alone / 5


@given(st.binary(max_size=200))
def test_no_report_can_break_anything(data: bytes) -> None:
    limits = Limits(load_settings(), FakeClock())
    limits.hear({"a": data, "b": b"\x01" + data, "c": b"\x02" + encode(Report(1, [(1, 1)]))[1:]})
    limits.open(ANN, HERE)


pairs = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)), max_size=5)


@given(st.builds(Report, st.integers(0, 2**32 - 1), pairs, pairs, pairs, pairs, pairs))
def test_reports_come_as_they_were_told(report: Report) -> None:
    data = encode(report)
    if not any(report[1:]):
        assert data == b""
    else:
        assert decode(data) == report._replace(number=report.number if report.used else 0)
        assert decode(data[:-1]) is None
        assert decode(data + b"x") is None
    assert decode(b"") is None


# Memory


def test_ten_thousand_openings_leave_nothing(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(max_connections_per_client=50, max_connections_per_address=200, connects_per_address=50)
    for number in range(10_000):
        address = at(f"10.1.{number // 250}.{number % 250}")
        limits.open(ANN, address).close()
        limits.failed(address)
    for _ in range(3):
        clock.advance(1)
        limits.report()
    assert limits.report() == b""
    assert (len(limits._clients), len(limits._addresses)) == (0, 0)
    assert limits._connects is not None
    assert limits._credentials is not None
    assert (len(limits._connects), len(limits._credentials)) == (0, 0)


def test_strangers_take_bounded_memory(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(connects_per_address=50, max_connections_per_address=200)
    limits_sizes = []
    for second in range(5):
        for number in range(10_000):
            address = at(f"{second + 1}.1.{number // 250}.{number % 250}")
            limits.open(NOBODY, address).close()
            limits.failed(address)
            limits.address({"REMOTE_ADDR": address.text, "HTTP_X_FORWARDED_FOR": "x"})
        clock.advance(1)
        limits.report()
        limits_sizes.append((len(limits._connects or ""), len(limits._credentials or "")))
    assert max(max(sizes) for sizes in limits_sizes) <= MOST_BUCKETS
    assert len(limits.status()["forwarding"]) == MOST_PEERS
    assert sys.getsizeof(limits._refused) < 100_000


# What the dashboard is told


def test_what_is_limited_now(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(max_connections_per_client=1, connects_per_address=2)
    assert limits.status() == {"refused": [], "forwarding": []}
    limits.open(ANN, UNKNOWN)
    for _ in range(2):
        refused(lambda: limits.open(ANN, UNKNOWN))
    clock.advance(1)
    for _ in range(4):
        refused(lambda: limits.open(NOBODY, HERE))
    status = limits.status()["refused"]
    assert [(one["limit"], one["who"], one["times"]) for one in status] == [
        ("connects_per_address", "203.0.113.1", 2),
        ("max_connections_per_client", "user:ann", 2),
    ]
    clock.advance(LATELY - 0.5)
    assert [one["who"] for one in limits.status()["refused"]] == ["203.0.113.1"]
    clock.advance(1)
    assert limits.status()["refused"] == []
    refused(lambda: limits.open(ANN, UNKNOWN))
    (anew,) = limits.status()["refused"]
    assert (anew["times"], anew["since"]) == (1, anew["last"])


def test_refusals_without_a_pause_are_one(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(max_connections_per_client=1)
    limits.open(ANN, UNKNOWN)
    for _ in range(5):
        refused(lambda: limits.open(ANN, UNKNOWN))
        clock.advance(LATELY)
    (one,) = limits.status()["refused"]
    assert (one["times"], one["since"], one["last"]) == (5, "2027-01-15T08:00:00.000Z", "2027-01-15T08:04:00.000Z")


def test_the_list_of_refusals_is_bounded(limits_of: Open) -> None:
    limits = limits_of(max_connections_per_client=1)
    for number in range(300):
        who = Principal(f"user:{number}")
        limits.open(who, UNKNOWN)
        refused(lambda who=who: limits.open(who, UNKNOWN))
    assert len(limits.status()["refused"]) == MOST_REFUSED


def test_forwarding_that_does_not_count(limits_of: Open, clock: FakeClock) -> None:
    limits = limits_of(trusted_proxies=0)
    assert limits.address({"REMOTE_ADDR": "203.0.113.9"}).known
    assert not limits.address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}).known
    (seen,) = limits.status()["forwarding"]
    assert seen == {"peer": "10.0.0.1", "last": "2027-01-15T08:00:00.000Z", "trusted_proxies": 0}
    clock.advance(FORWARDED_LATELY)
    assert limits.status()["forwarding"] == [seen]
    clock.advance(1)
    assert limits.status()["forwarding"] == [], "it is over"
    behind = limits_of(trusted_proxies=1)
    assert behind.address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}).known
    assert behind.status()["forwarding"] == []
