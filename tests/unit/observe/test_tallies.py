"""Sums: what is counted together, what is told apart, and what happens beyond the bounds."""

import pytest

from hermes.access.principal import ANONYMOUS_ID
from hermes.observe.tallies import (
    ANONYMOUS,
    MOST_CALLERS,
    MOST_DETAIL,
    MOST_REASONS,
    MOST_STRANGERS,
    MOST_TARGETS,
    MOST_TEXT,
    OK,
    OTHERS,
    WRITTEN_STRANGERS,
    Entry,
    Tallies,
    clean,
)


def entry(
    principal: str = "key:a",
    target: str = "orders",
    *,
    action: str = "publish",
    address: str = "10.0.0.1",
    outcome: str = OK,
    count: int = 1,
    detail: str = "",
    at: int = 1,
) -> Entry:
    return Entry(at, action, principal, address, target, outcome, count, detail)


def counts(tallies: Tallies) -> dict[tuple[str, str, str], int]:
    return {(one.principal, one.target, one.outcome): one.count for one in tallies.take()}


def test_the_anonymous_are_named_alike_everywhere() -> None:
    assert ANONYMOUS == ANONYMOUS_ID


def test_callers_are_told_apart_by_name_and_target_not_by_address() -> None:
    tallies = Tallies()
    for n in range(3):
        tallies.add(entry(address=f"10.0.0.{n}", at=10 + n, count=2))
    tallies.add(entry(target="other", at=1))
    tallies.add(entry("key:b", at=20))
    other, ours, theirs = tallies.take()
    assert (other.target, other.count) == ("other", 1)
    assert (ours.principal, ours.count, ours.at, ours.address) == ("key:a", 6, 12, "10.0.0.2")
    assert (theirs.principal, theirs.count) == ("key:b", 1)
    assert tallies.take() == []


def test_strangers_are_told_apart_by_address_and_reason_not_by_target() -> None:
    tallies = Tallies()
    for n in range(5):
        tallies.add(entry(ANONYMOUS, f"/{n}", outcome="UNAUTHORIZED", detail="expired", address="10.0.0.1"))
    tallies.add(entry(ANONYMOUS, "/5", outcome="UNAUTHORIZED", detail="forged", address="10.0.0.1"))
    tallies.add(entry(ANONYMOUS, "/6", outcome="UNAUTHORIZED", detail="expired", address="10.0.0.2"))
    tallies.add(entry("key:a", "/7", outcome="FORBIDDEN", detail="expired", address="10.0.0.2"))
    found = [(one.principal, one.address, one.outcome, one.detail, one.target, one.count) for one in tallies.take()]
    assert found == [
        (ANONYMOUS, "10.0.0.1", "UNAUTHORIZED", "expired", "/0", 5),
        (ANONYMOUS, "10.0.0.1", "UNAUTHORIZED", "forged", "/5", 1),
        (ANONYMOUS, "10.0.0.2", "UNAUTHORIZED", "expired", "/6", 1),
        ("key:a", "10.0.0.2", "FORBIDDEN", "expired", "/7", 1),
    ]


def test_one_caller_with_many_targets_does_not_hide_the_others() -> None:
    tallies = Tallies()
    for n in range(5000):
        tallies.add(entry("key:a", f"c{n}"))
        tallies.add(entry("key:b", f"c{n % 3}"))
    found = tallies.take()
    of_a = [one for one in found if one.principal == "key:a"]
    assert len(of_a) == MOST_TARGETS + 1
    assert sum(one.count for one in of_a) == 5000
    (rest,) = [one for one in of_a if one.target == OTHERS]
    assert (rest.count, rest.detail, rest.address) == (4900, "and 4900 more", "")
    assert len([one for one in found if one.principal == "key:b"]) == 3


def test_memory_is_bounded_and_nothing_is_uncounted() -> None:
    tallies = Tallies()
    for n in range(20_000):
        tallies.add(entry(f"user:{n}", "mine", action="open"))
        tallies.add(entry(ANONYMOUS, "x", action="refuse", outcome="UNAUTHORIZED", address=f"10.{n}", count=2))
    tallies.add(entry("key:a", "orders"))
    assert len(tallies) <= MOST_CALLERS + MOST_STRANGERS + 3
    found = tallies.take()
    assert sum(one.count for one in found if one.action == "open") == 20_000
    assert sum(one.count for one in found if one.action == "refuse") == 40_000
    assert [one.count for one in found if one.action == "publish"] == [1]
    (rest,) = [one for one in found if one.action == "open" and one.principal == OTHERS]
    assert (rest.target, rest.count, rest.detail) == (OTHERS, 16_000, "and 16000 more")


def test_of_strangers_the_largest_are_named() -> None:
    tallies = Tallies()
    for n in range(900):
        tallies.add(entry(ANONYMOUS, "x", action="refuse", outcome="UNAUTHORIZED", address=f"a{n}", count=1 + n))
    found = tallies.take()
    named = [one for one in found if one.principal != OTHERS]
    assert {one.address for one in named} == {f"a{n}" for n in range(900 - WRITTEN_STRANGERS, 900)}
    (rest,) = [one for one in found if one.principal == OTHERS]
    assert rest.detail == f"and {900 - WRITTEN_STRANGERS} more"
    assert sum(one.count for one in found) == sum(range(1, 901))


def test_one_address_with_many_reasons_is_bounded() -> None:
    tallies = Tallies()
    for n in range(500):
        tallies.add(entry(ANONYMOUS, "x", action="refuse", outcome="FORBIDDEN", detail=f"not {n}"))
    found = tallies.take()
    assert len(found) == MOST_REASONS + 1
    assert sum(one.count for one in found) == 500


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("orders:1", "orders:1"),
        ("a\r\nb\x00c\x1b[31m\x7f", "abc[31m"),
        ("evil\u202etxt\u2066\u2028\u0085\ufeff", "eviltxt"),
        ("lone\ud800", "lone"),
        ("Zoë 日本 🙂", "Zoë 日本 🙂"),
        ("x" * 10_000, "x" * MOST_TEXT),
        ("\n" * 100_000 + "x", ""),
    ],
)
def test_text_of_callers(text: str, left: str) -> None:
    assert clean(text) == left
    tallies = Tallies()
    for outcome in (OK, "FORBIDDEN"):
        for _ in range(2):
            tallies.add(entry(text, text, address=text, outcome=outcome, detail=text))
    first, second = tallies.take()
    assert (first.principal, first.target, first.address, first.count) == (left, left, left, 2)
    assert (second.principal, second.target, second.address, second.count) == (left, left, left, 2)
    assert len(second.detail) <= MOST_DETAIL
