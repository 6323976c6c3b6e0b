"""Channel names and patterns, the latter against a reference that is too slow to be used and too simple to be wrong."""

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.channel import (
    CONTROL_CHANNEL,
    MAX_NAME,
    PROTECTED_PREFIXES,
    Pattern,
    is_reserved_channel,
    name_problem,
    parse_patterns,
    pattern,
)
from hermes.errors import InvalidInput
from tests.unit.strategies import odd_text

CHANNELS = ["a", "b", "jobs:1", "user:1", "user:", "presence:a", "hermes:status", CONTROL_CHANNEL, "users:1", "User:1"]


def fits(text: str, name: str) -> bool:
    """Whether the wildcard `text` fits `name`, by trying everything that each `*` can stand for."""
    if not text:
        return not name
    if text[0] == "*":
        return any(fits(text[1:], name[skipped:]) for skipped in range(len(name) + 1))
    return bool(name) and text[0] == name[0] and fits(text[1:], name[1:])


def selects(text: str, channel: str) -> bool:
    """Whether the pattern `text` selects `channel`."""
    for prefix in PROTECTED_PREFIXES:
        if channel.startswith(prefix) and not text.startswith(prefix):
            return False
    return channel != CONTROL_CHANNEL and fits(text, channel)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_stands_for_any_run_of_characters(text: str, name: str) -> None:
    assert Pattern(text).fits(name) == fits(text, name)


@given(
    st.lists(st.sampled_from(["a", "*", "u", "user:", "hermes:", "control", ":", "1"]), max_size=4).map("".join),
    st.sampled_from(CHANNELS),
)
def test_protected_prefixes_must_be_spelled_out(text: str, channel: str) -> None:
    assert Pattern(text).matches(channel) == selects(text, channel)


@pytest.mark.parametrize("text", ["*", "h*", "hermes*", "hermes:*", "hermes:c*", "*control", CONTROL_CHANNEL])
def test_nothing_selects_the_control_channel(text: str) -> None:
    assert not Pattern(text).matches(CONTROL_CHANNEL)


@pytest.mark.parametrize(
    ("text", "name"),
    [("*a" * 127 + "b", "a" * MAX_NAME), ("*" * MAX_NAME, "a" * MAX_NAME), ("a*" * 127, "a" * 254 + "b")],
)
def test_a_hostile_pattern_takes_no_longer(text: str, name: str) -> None:
    hostile = Pattern(text)
    begun = time.process_time()
    for _ in range(100):
        hostile.fits(name)
    assert time.process_time() - begun < 1  # backtracking would need years


def test_patterns_are_shared() -> None:
    assert pattern("jobs:*") is pattern("jobs:*")


@given(odd_text)
def test_a_name_has_no_white_space_control_comma_or_star(name: str) -> None:
    def is_bad(character: str) -> bool:
        return character in ",*" or character.isspace() or unicodedata.category(character) in ("Cc", "Cs")

    assert (name_problem(name) is None) == (1 <= len(name) <= MAX_NAME and not any(map(is_bad, name)))


@pytest.mark.parametrize(
    "character", [chr(code) for code in (*range(33), *range(127, 161), 0x2028, 0x3000)] + [",", "*"]
)
def test_each_forbidden_character(character: str) -> None:
    assert name_problem(f"a{character}b")


@pytest.mark.parametrize(
    ("name", "fine"), [("", False), ("a", True), ("a" * 255, True), ("a" * 256, False), (7, False)]
)
def test_the_length_of_a_name(name: object, fine: bool) -> None:
    assert (name_problem(name) is None) == fine


@pytest.mark.parametrize(
    ("name", "reserved"), [("hermes:a", True), ("presence:a", True), ("user:a", False), ("hermes", False)]
)
def test_only_hermes_publishes_to_reserved_channels(name: str, reserved: bool) -> None:
    assert is_reserved_channel(name) is reserved


def test_a_list_keeps_its_order_and_drops_repeats() -> None:
    assert parse_patterns("b,a*,,b,a", "channels", 3) == ("b", "a*", "a")


def test_an_empty_list() -> None:
    assert parse_patterns(",", "channels", 3) == ()


@pytest.mark.parametrize("text", ["a,b,c,d", "a b", "a,\n", "a" * 256, "a\0", "\ud800"])
def test_a_bad_list_names_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_patterns(text, "types", 3)
    assert [problem.field for problem in refused.value.problems] == ["types"]


@given(odd_text)
def test_every_entry_can_be_matched(text: str) -> None:
    try:
        entries = parse_patterns(text, "channels", 5)
    except InvalidInput as refused:
        refused.message.encode()  # can be answered
        return
    for entry in entries:
        assert not re.search(r"[\s,\0]", entry)
        Pattern(entry).matches("a")
