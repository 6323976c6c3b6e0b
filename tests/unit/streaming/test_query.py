"""The query of a stream, and what a principal gets of it."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermes.core.subscription import Subscription
from hermes.errors import Forbidden, InvalidInput
from hermes.streaming.query import (
    CURSOR_NAMES,
    MAX_LIMIT,
    MAX_TYPES,
    MAX_WAIT,
    STREAM_NAMES,
    StreamQuery,
    parse_query,
    subscription_of,
)
from tests.unit.events import event
from tests.unit.strategies import odd_text

DEFAULTS = ("download:updates", "system:notifications")


def parsed(header: str | None = None, **args: str) -> StreamQuery:
    return parse_query(args, header, 5)


def refused(**args: str) -> list[str]:
    """The fields that are named."""
    with pytest.raises(InvalidInput) as error:
        parsed(**args)
    return [problem.field for problem in error.value.problems]


# What is read


def test_the_defaults() -> None:
    query = parsed()
    assert query == StreamQuery(
        channels=None,
        types=(),
        filter=None,
        cursor=None,
        latest=False,
        retained="auto",
        envelope=False,
        former_connection=None,
        poll=False,
        wait=0.0,
        limit=100,
    )


def test_everything() -> None:
    query = parsed(
        channels="a,b*",
        types="x,y*",
        filters='{"n":1}',
        missing="pass",
        last_event_id="e-1",
        overflow="latest",
        retained="1",
        envelope="1",
        connection="c1",
        poll="1",
        wait="2.5",
        limit="7",
        token="secret",
    )
    assert (query.channels, query.types, query.cursor) == (("a", "b*"), ("x", "y*"), "e-1")
    assert (query.latest, query.retained, query.envelope, query.poll) == (True, "1", True, True)
    assert (query.former_connection, query.wait, query.limit) == ("c1", 2.5, 7)
    assert query.filter is not None
    assert query.filter.matches({})
    assert "secret" not in repr(query)


@pytest.mark.parametrize("name", CURSOR_NAMES)
def test_a_cursor_in_the_query(name: str) -> None:
    assert parsed(**{name: "e-1"}).cursor == "e-1"
    assert parsed(header="e-2", **{name: "e-1"}).cursor == "e-2"


def test_an_unreadable_cursor_is_no_error() -> None:
    assert parsed(last_event_id="\0 junk").cursor == "\0 junk"


def test_empty_values_are_as_good_as_none() -> None:
    assert parse_query(dict.fromkeys(STREAM_NAMES, ""), None, 5) == parsed()


def test_a_download() -> None:
    query = parsed(download_id="d_1")
    assert query.filter is not None
    assert query.filter.matches({"download_id": "d_1"})
    assert not query.filter.matches({"download_id": "d_2"})
    assert not query.filter.matches({})


def test_a_download_is_short_for_a_filter() -> None:
    assert parsed(download_id="d_1") == parsed(filters='{"download_id":"d_1"}')
    passing = parsed(download_id="d_1", missing="pass")
    assert passing == parsed(filters='{"download_id":"d_1"}', missing="pass")
    assert passing.filter is not None
    assert passing.filter.matches({})


# What is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", "a b"),
        ("channels", "a,b,c,d,e,f"),
        ("types", "a\n"),
        ("types", ",".join(f"t{index}" for index in range(MAX_TYPES + 1))),
        ("filters", "{"),
        ("filters", '{"a":{"regex":"x"}}'),
        ("missing", "skip"),
        ("overflow", "drop"),
        ("retained", "yes"),
        ("envelope", "2"),
        ("poll", "true"),
        ("wait", "-1"),
        ("wait", str(MAX_WAIT + 1)),
        ("wait", "nan"),
        ("wait", "x"),
        ("limit", "0"),
        ("limit", str(MAX_LIMIT + 1)),
        ("limit", "inf"),
        ("limit", "1e9"),
        ("chanels", "a"),
    ],
)
def test_a_bad_value_names_its_field(name: str, value: str) -> None:
    assert refused(**{name: value}) == [name]


def test_all_unknown_names_are_told() -> None:
    assert refused(b="1", a="1", channels="a") == ["a", "b"]


def test_a_download_and_filters_do_not_go_together() -> None:
    assert refused(download_id="d_1", filters='{"a":1}') == ["download_id"]


def test_a_download_with_a_bad_word_for_missing() -> None:
    assert refused(download_id="d_1", missing="skip") == ["missing"]


@example({"download_id": "\ud800"}, None)
@given(st.dictionaries(st.one_of(st.sampled_from(sorted(STREAM_NAMES)), odd_text), odd_text), st.none() | odd_text)
def test_every_query_is_read_or_refused(args: dict[str, str], header: str | None) -> None:
    try:
        parse_query(args, header, 5)
    except InvalidInput as error:
        error.message.encode()


# What a principal gets


def subscription(channels: str | None, *grants: str, own: str | None = None, everything: bool = False) -> Subscription:
    args: dict[str, Any] = {} if channels is None else {"channels": channels}
    return subscription_of(parsed(**args), grants, everything=everything, defaults=DEFAULTS, own=own)


def test_what_is_named_and_granted() -> None:
    made = subscription("a,b", "a", "b")
    assert made.items == ("a", "b")
    assert made.match(event(1, "a"))


def test_a_named_channel_that_is_not_granted_is_forbidden_by_name() -> None:
    with pytest.raises(Forbidden) as error:
        subscription("a,secret,other", "a")
    assert error.value.message == "you may not subscribe to 'secret'"
    assert error.value.details == {"channels": ["secret", "other"]}


def test_a_pattern_means_what_of_it_is_granted() -> None:
    made = subscription("*", "a")
    assert made.items == ("*",)
    assert made.match(event(1, "a"))
    assert made.match(event(1, "b")) is None


def test_the_defaults_are_those_that_are_granted() -> None:
    assert subscription(None, "download:*").items == ("download:updates",)
    assert subscription(None).items == ()
    assert subscription(None, everything=True).items == DEFAULTS


def test_everybody_gets_his_own_channel_without_asking() -> None:
    made = subscription("a", "a", own="user:7")
    assert made.items == ("a", "user:7")
    assert made.match(event(1, "user:7"))
    assert subscription("user:7", own="user:7").items == ("user:7",)
    assert subscription(None, own="user:7").items == ("user:7",)


def test_nobody_gets_another_ones() -> None:
    made = subscription("user:*", "*", own="user:7")
    assert made.match(event(1, "user:7"))
    assert made.match(event(1, "user:8")) is None
    with pytest.raises(Forbidden):
        subscription("user:8", "*", own="user:7")


@pytest.mark.parametrize("everything", [True, False])
def test_the_control_channel_is_forbidden_to_all(everything: bool) -> None:
    with pytest.raises(Forbidden):
        subscription("hermes:control", "*", "hermes:*", everything=everything)


def test_the_rest_of_the_query_goes_along() -> None:
    query = parsed(channels="a", types="x", filters='{"n":1}', envelope="1")
    made = subscription_of(query, ("a",), everything=False, defaults=(), own=None)
    assert made.envelope
    assert made.match(event(1, "a", type="x"))
    assert made.match(event(1, "a", type="y")) is None
    assert made.match(event(2, "a", type="x")) is None
