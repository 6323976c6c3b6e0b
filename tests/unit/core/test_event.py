"""Events: what a caller may publish, and that what is received is what was published."""

import dataclasses
import enum
import math
import time
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermes.core.event import (
    FIELDS,
    MAX_CHANNELS,
    MAX_EVENT_BYTES,
    MAX_EXCLUDE,
    MAX_TTL,
    STREAM_TYPES,
    Event,
    event_from_fields,
)
from hermes.core.sse import Parser
from hermes.errors import InvalidInput
from tests.unit.strategies import json_values, names, odd_text

NOW = 1_795_202_284_123


def made(**fields: Any) -> Event:
    return event_from_fields({"channel": "a", **fields}, NOW)


def bad_fields(fields: object, *, internal: bool = False) -> list[str]:
    """The fields that are named when this is published."""
    with pytest.raises(InvalidInput) as refused:
        event_from_fields(fields, NOW, internal=internal)
    orjson.dumps(refused.value.as_dict())  # it can be answered
    return [problem.field for problem in refused.value.problems]


# What is received is what was published


def received(frame: bytes) -> tuple[str, Any, dict[str, str]]:
    """The type, data and further fields that a client sees of one frame."""
    parser = Parser()
    (seen,) = parser.feed(frame)
    assert not list(parser.feed(b"\n"))
    return seen.type, seen.data, {**seen.fields, "id": parser.last_event_id}


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: unlike `==` it tells 1 from true, and 0.0 from -0.0."""
    return orjson.dumps(left) == orjson.dumps(right)


@given(names, names, json_values)
@example("a", "b", "\u2028 \u2029 \x85 \0 \x7f \ufeff")
@example("a", "b", {"\u2028": 2**64 - 1, "\r\n": -(2**63), "": 1e308})
def test_received_is_published(channel: str, type_: str, data: Any) -> None:
    event = event_from_fields({"channel": channel, "type": type_, "data": data}, NOW, internal=True)
    event.number = 7
    seen = received(event.frame("e", channel, False))
    assert seen[0] == type_
    assert same(seen[1], data)
    assert seen[2] == {"channel": channel, "time": "2026-11-20T19:18:04.123Z", "id": "e-7"}


@given(names, names, json_values)
def test_the_envelope_holds_the_same(channel: str, type_: str, data: Any) -> None:
    event = event_from_fields({"channel": channel, "type": type_, "data": data}, NOW, internal=True)
    seen = received(event.frame("e", channel, True))
    envelope = {"id": "e-0", "channel": channel, "type": type_, "data": data, "time": "2026-11-20T19:18:04.123Z"}
    assert same(seen[1], envelope)


@given(st.dictionaries(st.sampled_from([*FIELDS, "more"]), st.one_of(odd_text, json_values, st.lists(odd_text))))
def test_whatever_is_published_is_kept_or_refused(fields: dict[str, Any]) -> None:
    try:
        event = event_from_fields(fields, NOW)
    except InvalidInput as refused:
        orjson.dumps(refused.as_dict())
        return
    type_, data, _ = received(event.frame("e", event.channels[0], False))
    assert type_ == fields.get("type", "message")
    assert same(data, fields.get("data"))


@given(
    st.fixed_dictionaries(
        {"channels": st.lists(names, min_size=1, max_size=10), "type": names, "data": json_values},
        optional={"exclude": st.lists(st.text("ab-_", min_size=1), max_size=3), "key": st.text("ab ", min_size=1)},
    ),
    st.integers(1, 10**12),
)
def test_the_record_holds_all_of_it(fields: dict[str, Any], number: int) -> None:
    event = event_from_fields(fields, NOW, internal=True)
    again = Event.from_record(event.record(), number)
    assert again.number == number
    for name in ("channels", "type", "data", "time", "key", "ttl", "exclude"):
        assert getattr(again, name) == getattr(event, name)


@pytest.mark.parametrize("text", ["\r", "\n", "\r\n", "\0", "\u2028", "\x85", "\ud800", "\x0b", "\x1b"])
@pytest.mark.parametrize("field", ["channel", "type", "key", "exclude", "idempotency_key"])
def test_control_characters_in_names_are_refused(field: str, text: str) -> None:
    value = f"a{text}b"
    assert bad_fields({"channel": "a", field: [value] if field == "exclude" else value}) == [field]


@pytest.mark.parametrize("text", ["\r", "\n", "\r\n\r\ndata: x", "\0", "\u2028", "\x85", "\x0b", "\x1b", "\ufeff"])
def test_control_characters_in_data_are_received(text: str) -> None:
    assert received(made(data={text: text}).frame("e", "a", False))[1] == {text: text}


# What is no JSON


class Mood(enum.Enum):
    UNKNOWN = math.nan


@dataclasses.dataclass
class Sample:
    value: float


@pytest.mark.parametrize(
    "data",
    [
        *(
            math.nan,
            math.inf,
            -math.inf,
            [math.nan],
            {"a": [{"b": math.inf}]},
            (None, math.nan),
            {"a": None, "b": math.nan},
        ),
        *(Mood.UNKNOWN, Sample(math.nan), {"a": Sample(math.inf)}, [Mood.UNKNOWN]),
        *("\ud800", {"\udfff": 1}, ["a\ud83d"], 2**64, -(2**63) - 1, b"a", {1: 2}, {1, 2}, object()),
    ],
)
def test_what_is_no_json_is_refused(data: Any) -> None:
    assert bad_fields({"channel": "a", "data": data}) == ["data"]


@pytest.mark.parametrize("data", [None, {"null": "null"}, [None], "null", Sample(1.5)])
def test_a_null_is_no_nan(data: Any) -> None:
    assert b"null" in made(data=data).data or isinstance(data, Sample)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_deep_json_is_refused_at_once() -> None:
    fields = {"channel": "a", "data": nested(100_000)}
    begun = time.process_time()
    assert bad_fields(fields) == ["data"]
    assert time.process_time() - begun < 0.25


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert bad_fields({"channel": "a", "data": loop}) == ["data"]


def test_what_is_as_deep_as_can_be_is_received() -> None:
    event = made(data=nested(254))
    assert received(event.frame("e", "a", True))[1]["data"] == nested(254)


# Each field


@pytest.mark.parametrize("fields", [None, 1, "a", [], b"a", [("channel", "a")]])
def test_an_event_is_an_object(fields: object) -> None:
    assert bad_fields(fields) == ["event"]


def test_the_defaults() -> None:
    event = made()
    assert (event.channels, event.type, event.data, event.time) == (("a",), "message", b"null", NOW)
    assert (event.key, event.ttl, event.exclude, event.number) == (None, None, (), 0)


@pytest.mark.parametrize("channels", [[], "a", {"a": 1}, [f"a{index}" for index in range(MAX_CHANNELS + 1)], None, 1])
def test_channels_is_a_list_of_one_to_ten(channels: object) -> None:
    assert bad_fields({"channels": channels}) == ["channels"]


@pytest.mark.parametrize("name", ["", "a b", "a,b", "*", "a*", 1, None, "a" * 256, ["a"], True])
def test_a_channel_is_a_name(name: object) -> None:
    assert bad_fields({"channel": name}) == ["channel"]
    assert bad_fields({"channels": ["a", name]}) == ["channels"]


def test_channel_or_channels() -> None:
    assert bad_fields({}) == ["channel"]
    assert bad_fields({"channel": "a", "channels": ["a"]}) == ["channel"]


def test_channels_come_once_and_in_order() -> None:
    assert event_from_fields({"channels": ["b", "a", "b"]}, NOW).channels == ("b", "a")


@pytest.mark.parametrize("name", ["hermes:a", "presence:a", "hermes:control"])
def test_reserved_channels(name: str) -> None:
    assert bad_fields({"channel": name}) == ["channel"]
    assert event_from_fields({"channel": name}, NOW, internal=True).channels == (name,)


@pytest.mark.parametrize("type_", [*sorted(STREAM_TYPES), "hermes.", "hermes.state"])
def test_reserved_types(type_: str) -> None:
    assert bad_fields({"channel": "a", "type": type_}) == ["type"]
    assert event_from_fields({"channel": "a", "type": type_}, NOW, internal=True).type == type_


@pytest.mark.parametrize("type_", ["", "a b", None, 1, "a" * 256, "a*", "a,b"])
def test_a_type_is_a_name(type_: object) -> None:
    assert bad_fields({"channel": "a", "type": type_}) == ["type"]


def test_a_type_beside_the_reserved_ones() -> None:
    assert made(type="hermes").type == "hermes"
    assert made(type="Close").type == "Close"


@pytest.mark.parametrize("key", ["", 1, "a" * 256, ["a"], "a\tb"])
def test_a_key_is_printable_text(key: object) -> None:
    assert bad_fields({"channel": "a", "key": key}) == ["key"]


@pytest.mark.parametrize("ttl", [0, -1, "1", True, math.nan, math.inf, MAX_TTL + 1, 10**400, [1]])
def test_a_ttl_is_a_bounded_number_of_seconds(ttl: object) -> None:
    assert bad_fields({"channel": "a", "ttl": ttl}) == ["ttl"]


def test_a_keyed_event_takes_no_ttl() -> None:
    assert bad_fields({"channel": "a", "key": "k", "ttl": 1}) == ["ttl"]


@pytest.mark.parametrize(
    "exclude", ["a", [1], [""], {"a": 1}, ["a"] * (MAX_EXCLUDE + 1), ["a", None], 1, "", 0, False, {}]
)
def test_exclude_is_a_list_of_connection_ids(exclude: object) -> None:
    assert bad_fields({"channel": "a", "exclude": exclude}) == ["exclude"]


@pytest.mark.parametrize("key", ["", 1, "a" * 256, {}])
def test_an_idempotency_key_is_printable_text(key: object) -> None:
    assert bad_fields({"channel": "a", "idempotency_key": key}) == ["idempotency_key"]


def test_unknown_fields_are_named() -> None:
    assert bad_fields({"channel": "a", "chanel": 1, "Data": 2}) == ["chanel", "Data"]


def test_an_unknown_name_that_cannot_be_written() -> None:
    assert len(bad_fields({"channel": "a", "\ud800": 1})) == 1


def test_every_problem_of_an_event_is_named() -> None:
    wrong = {"nope": 1, "type": "", "data": math.nan, "key": 1, "ttl": 0, "exclude": 1, "idempotency_key": 1}
    assert sorted(bad_fields(wrong)) == sorted([*wrong, "channel"])


# Size and age


def test_an_event_of_64_kb() -> None:
    room = MAX_EVENT_BYTES - len(made(data="").record())
    assert len(made(data="x" * room).record()) == MAX_EVENT_BYTES
    assert bad_fields({"channel": "a", "data": "x" * (room + 1)}) == ["data"]


def test_ten_megabytes_are_refused_at_once() -> None:
    huge = ["x" * 1000] * 10_000
    begun = time.process_time()
    assert bad_fields({"channel": "a", "data": huge}) == ["data"]
    assert time.process_time() - begun < 0.25


def test_every_part_of_an_event_counts() -> None:
    plain = made()
    for more in ({"key": "k" * 200}, {"exclude": ["c" * 200] * 100}, {"data": "x" * 300}):
        assert made(**more).size >= plain.size + 200


def test_a_ttl_ends() -> None:
    event = made(ttl=1.5)
    assert not event.expired(NOW + 1500)
    assert event.expired(NOW + 1501)
    assert not made().expired(NOW + 10**12)


# Retained


@pytest.mark.parametrize(("data", "key", "removes"), [(None, "k", True), (0, "k", False), (None, None, False)])
def test_null_removes_a_key(data: object, key: str | None, removes: bool) -> None:
    assert made(data=data, key=key).removes is removes


def test_a_retained_frame_is_marked_and_has_no_id() -> None:
    event = made(data=1, key="k")
    type_, data, fields = received(event.retained_frame("a", False))
    assert (type_, data) == ("message", 1)
    assert fields == {"channel": "a", "time": "2026-11-20T19:18:04.123Z", "retained": "1", "id": ""}
    assert received(event.retained_frame("a", True))[1]["id"] is None


# Frames


def test_each_variant_is_encoded_once() -> None:
    event = event_from_fields({"channels": ["a", "b"]}, NOW)
    variants = [
        event.frame("e", "a", False),
        event.frame("e", "b", False),
        event.frame("e", "a", True),
        event.retained_frame("a", False),
        event.retained_frame("a", True),
    ]
    assert len(set(variants)) == len(variants)
    assert event.frame("e", "a", False) is variants[0]
    assert event.retained_frame("a", True) is variants[4]


def test_the_frame_reads_as_documented() -> None:
    event = made(type="download_progress", data={"progress": 42.5})
    event.number = 1042
    assert event.frame("k3f9", "a", False).decode() == (
        "id: k3f9-1042\nevent: download_progress\nchannel: a\ntime: 2026-11-20T19:18:04.123Z\n"
        'data: {"progress":42.5}\n\n'
    )


def test_data_is_decoded_once() -> None:
    event = made(data={"a": [1]})
    assert event.value == {"a": [1]}
    assert event.value is event.value


def test_an_event_shows_what_it_is() -> None:
    assert repr(made(data="xy", type="t")) == "Event(#0 t on a, 4 B)"
