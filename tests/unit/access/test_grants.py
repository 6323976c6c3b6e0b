"""Grants: what JSON may say, what a subject makes of them, and which go beyond which."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.access.grants import MAX_PATTERNS, Grants, granted, grants_from_fields
from hermes.core.channel import pattern
from hermes.errors import InvalidInput

FULL = Grants(("a*",), ("b",), admin=False, tokens=True)


def test_json_and_back() -> None:
    assert grants_from_fields(FULL.as_dict()) == FULL
    assert grants_from_fields({}) == Grants()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"subscribe": "a"}, "subscribe"),
        ({"subscribe": [1]}, "subscribe"),
        ({"subscribe": [""]}, "subscribe"),
        ({"subscribe": ["a b"]}, "subscribe"),
        ({"subscribe": ["a,b"]}, "subscribe"),
        ({"subscribe": ["a\n"]}, "subscribe"),
        ({"subscribe": ["a" * 256]}, "subscribe"),
        ({"subscribe": ["hermes:*"]}, "subscribe"),
        ({"publish": ["hermes:control"]}, "publish"),
        ({"publish": ["a"] * (MAX_PATTERNS + 1)}, "publish"),
        ({"publish": {"a": 1}}, "publish"),
        ({"admin": 1}, "admin"),
        ({"admin": "true"}, "admin"),
        ({"tokens": None}, "tokens"),
    ],
)
def test_bad_fields_are_named(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        grants_from_fields(fields)
    assert [problem.field for problem in refused.value.problems] == [field]


def test_every_bad_field_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        grants_from_fields({"subscribe": ["a b", "c d"], "publish": 7, "admin": 0})
    assert [problem.field for problem in refused.value.problems] == ["subscribe", "subscribe", "publish", "admin"]


def test_a_subject_stands_for_itself() -> None:
    grants = Grants(("orders:{sub}", "{sub}*{sub}", "team"), ("chat:{sub}",))
    assert grants.of_subject("7") == Grants(("orders:7", "7*7", "team"), ("chat:7",))
    assert grants.of_subject("{sub}").publish == ("chat:{sub}",)


@pytest.mark.parametrize("subject", ["*", "a*", "a,b", "a b", "", "a\n", "\x00", "\ud800", "x" * 256])
def test_a_subject_that_would_widen_a_grant_is_none(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        Grants(("orders:{sub}",)).of_subject(subject)


@pytest.mark.parametrize(
    ("wider", "narrower", "covers"),
    [
        (Grants(("a*",)), Grants(("ab",)), True),
        (Grants(("a*",)), Grants(("ab*",)), True),
        (Grants(("a*", "b")), Grants(("ab*", "b", "a*")), True),
        (Grants(("ab*",)), Grants(("a*",)), False),
        (Grants(("a",)), Grants(("*",)), False),
        (Grants(("*",)), Grants(("user:7",)), False),
        (Grants(("*",)), Grants(("user:*",)), False),
        (Grants(("user:*",)), Grants(("user:7",)), True),
        (Grants(("*a",)), Grants(("*ba",)), True),
        (Grants(("*a*",)), Grants(("*",)), False),
        (Grants(("a",)), Grants((), ("a",)), False),
        (Grants((), ("a",)), Grants((), ("a",)), True),
        (Grants(tokens=True), Grants(tokens=True), True),
        (Grants(), Grants(tokens=True), False),
        (Grants(("*",), ("*",), tokens=True), Grants(admin=True), False),
        (Grants(admin=True), Grants(("user:*",), ("hermes:x",), admin=True, tokens=True), True),
        (Grants(), Grants(), True),
    ],
)
def test_what_goes_beyond(wider: Grants, narrower: Grants, covers: bool) -> None:
    assert wider.covers(narrower) is covers


texts = st.text(st.sampled_from("ab*:u"), min_size=1, max_size=5)


@given(st.lists(texts, max_size=3), texts, st.text(st.sampled_from("ab:u"), min_size=1, max_size=6))
def test_what_is_covered_shows_nothing_more(wide: list[str], narrow: str, channel: str) -> None:
    if Grants(tuple(wide)).covers(Grants((narrow,))) and granted([narrow], channel):
        assert granted(wide, channel)


@given(texts, st.text(st.sampled_from("ab:u*."), min_size=1, max_size=6))
def test_matching_is_that_of_a_regular_expression(text: str, channel: str) -> None:
    expression = ".*".join(re.escape(part) for part in text.split("*"))
    assert pattern(text).matches(channel) == (re.fullmatch(expression, channel) is not None)


def test_channels_of_hermes_are_granted_by_no_pattern() -> None:
    assert not granted(["hermes:*", "*", "hermes:status"], "hermes:status")
