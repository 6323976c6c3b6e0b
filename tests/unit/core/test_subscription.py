"""Subscriptions: what a stream gets, by way of which channel, and that nothing is seen without a grant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.channel import CONTROL_CHANNEL, Pattern
from hermes.core.filter import compile_filter
from hermes.core.subscription import Subscription
from tests.unit.core.test_channel import selects
from tests.unit.events import event, wanted, ways

NAMES = ["a", "b", "ab", "user:1", "user:2", "presence:a", "hermes:status", CONTROL_CHANNEL]
PATTERNS = ["*", "a*", "*b", "user:*", "user:1*", "hermes:*", "presence:*", "u*"]

channels = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
items = st.lists(st.sampled_from(NAMES + PATTERNS), max_size=4, unique=True).map(tuple)
types = st.lists(st.sampled_from(["x", "y", "x*", "*"]), max_size=2).map(tuple)
number = st.integers(1, 6)


@given(channels, items, items, types, st.sampled_from(["x", "y", "xy"]), st.booleans(), st.booleans())
def test_as_the_reference_says(
    published: list[str],
    items: tuple[str, ...],
    grants: tuple[str, ...],
    types: tuple[str, ...],
    type_: str,
    everything: bool,
    filtered: bool,
) -> None:
    fields = {"n": 1} if filtered else {}
    made = Subscription(items, types, compile_filter(fields), grants, everything=everything)
    one = event(1, *published, type=type_)
    seen = ways(published, items, grants, everything=everything)
    assert made.match(one) == (seen[0][0] if seen and wanted(one, types, fields) else None)
    for channel in published:
        assert made.covers(channel) == any(way[0] == channel for way in seen)
        if made.covers(channel):
            assert set(made.items_of(channel)) == {way[1] for way in seen if way[0] == channel}


@given(items, items, st.booleans())
def test_all_that_is_seen_is_sought_and_nothing_beyond_items_and_grants(
    items: tuple[str, ...], grants: tuple[str, ...], everything: bool
) -> None:
    made = Subscription(items, grants=grants, everything=everything)
    sought = made.sought(items)
    assert sought <= {*items, *grants}
    for name in NAMES:
        assert not made.covers(name) or any(selects(one, name) for one in sought), name


@pytest.mark.parametrize(
    ("items", "grants", "sought"),
    [
        (("*",), ("public:*",), {"public:*"}),
        (("*", "user:*"), ("public:*", "user:7"), {"public:*", "user:7"}),
        (("public:a*", "a"), ("public:*",), {"public:a*"}),
        (("private:*", "user:*"), ("public:*",), set()),
        (("user:7*", "u*"), ("*",), {"u*"}),
        (("*:news",), ("public:*", "a:*:weather", "b:news"), {"public:*", "b:news"}),
        (("*",), (), set()),
    ],
)
def test_what_is_not_granted_is_not_sought(items: tuple[str, ...], grants: tuple[str, ...], sought: set[str]) -> None:
    assert Subscription(items, grants=grants).sought(items) == sought


def test_of_many_patterns_and_few_grants_the_few_are_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's hundred patterns took a second for what the log holds of channels that are not public (measured)."""
    made = Subscription([f"*{n}*" for n in range(100)], grants=["public:*"])
    tried, matches = [], Pattern.matches

    def counted(self: Pattern, channel: str) -> bool:
        tried.append(channel)
        return matches(self, channel)

    monkeypatch.setattr(Pattern, "matches", counted)
    assert not made.covers("private:7")
    assert len(tried) == 1
    assert made.covers("public:7")


few = ["a", "b", "*", "a*"]
few_items = st.lists(st.sampled_from(few), min_size=1, max_size=3, unique=True).map(tuple)


@given(channels, few_items, st.sampled_from([("*",), ("a",)]), number, st.dictionaries(st.sampled_from(few), number))
def test_what_a_snapshot_stands_for_is_skipped(
    published: list[str], items: tuple[str, ...], grants: tuple[str, ...], number: int, owed_after: dict[str, int]
) -> None:
    made = Subscription(items, grants=grants)
    owed = [way for way in ways(published, items, grants) if number > owed_after.get(way[1], 0)]
    assert made.match_after(event(number, *published), owed_after) == (owed[0][0] if owed else None)


def test_one_item_that_is_still_owed_is_enough() -> None:
    made = Subscription(["a", "*"])
    assert made.match_after(event(3, "a"), {"*": 5}) == "a"
    assert made.match_after(event(3, "a"), {"*": 5, "a": 3}) is None
    assert made.match_after(event(3, "b"), {"*": 5}) is None


def test_the_first_channel_that_is_visible_is_named() -> None:
    made = Subscription(["c", "*"], grants=["b", "c"])
    assert made.match(event(1, "a", "b", "c")) == "b"


def test_an_event_whose_only_match_is_not_granted_is_not_seen() -> None:
    made = Subscription(["a", "b"], grants=["b"])
    assert made.match(event(1, "a")) is None
    assert made.match(event(1, "a", "c")) is None
    assert made.match(event(1, "a", "b")) == "b"


@pytest.mark.parametrize("item", [CONTROL_CHANNEL, "hermes:*", "hermes:control*", "*"])
def test_not_even_an_administrator_sees_the_control_channel(item: str) -> None:
    made = Subscription([item], everything=True)
    assert not made.covers(CONTROL_CHANNEL)
    assert not made.may_see(CONTROL_CHANNEL)
    assert made.match(event(1, CONTROL_CHANNEL)) is None


@pytest.mark.parametrize("prefix", ["user:", "presence:", "hermes:"])
def test_a_plain_star_opens_no_protected_channel(prefix: str) -> None:
    for made in (Subscription(["*"], everything=True), Subscription([f"{prefix}a", f"{prefix}*"], grants=["*"])):
        assert made.match(event(1, f"{prefix}a")) is None
    assert Subscription([f"{prefix}*"], grants=[f"{prefix}*"]).match(event(1, f"{prefix}a"))


def test_equal_subscriptions_share_a_key_and_others_do_not() -> None:
    def key(items: str = "a", **more: object) -> object:
        return Subscription([items], **more).key

    assert key(grants=["a"]) == key(grants=["a"])
    variants = [
        key(),
        key("b"),
        key(types=["x"]),
        key(grants=["a"]),
        key(grants=["x"]),
        key(everything=True),
        key(envelope=True),
        key(filter=compile_filter({"n": 1})),
        key(filter=compile_filter({"n": 1}, missing_passes=True)),
        key(filter=compile_filter({"n": "1"})),
    ]
    assert len(set(variants)) == len(variants)


def test_names_and_patterns_are_told_apart() -> None:
    made = Subscription(["b", "a*", "a"])
    assert made.exact == {"a", "b"}
    assert [one.text for one in made.patterns] == ["a*"]
    assert made.items == ("b", "a*", "a")


def test_types_have_no_protected_prefixes() -> None:
    assert Subscription(["a"], types=["*"]).match(event(1, "a", type="user:x"))
