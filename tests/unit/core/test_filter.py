"""Filters against a second evaluator, written from the HTTP reference alone."""

import contextlib
import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.filter import MAX_BYTES, MAX_CONDITIONS, OPERATORS, Filter, compile_filter, parse_filter
from hermes.errors import InvalidInput
from tests.unit.strategies import json_values, odd_text

ABSENT = object()

scalars = st.sampled_from([None, True, False, 0, 1, 1.0, -1, 2.5, "", "a", "ab", "b", "1", "true"])
values = st.one_of(scalars, st.just([1]), st.just({"x": 1}))
paths = st.sampled_from(["a", "b", "a.b", "a.b.c"])
operands = {
    **dict.fromkeys(("eq", "ne"), scalars),
    **dict.fromkeys(("gt", "gte", "lt", "lte"), st.sampled_from([0, 1, 1.5, "", "a", "b"])),
    **dict.fromkeys(("in", "nin"), st.lists(scalars, max_size=3)),
    "prefix": st.sampled_from(["", "a", "ab", "1"]),
    "exists": st.booleans(),
}
conditions = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.sampled_from(OPERATORS).flatmap(lambda op: operands[op].map(lambda operand: {op: operand})),
    st.tuples(operands["gt"], operands["lt"]).map(lambda pair: {"gt": pair[0], "lt": pair[1]}),
)
specs = st.dictionaries(paths, conditions, min_size=1, max_size=3)
data = st.recursive(values, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: `true` is not 1, and 1 is 1.0."""
    return json.dumps(plain(left)) == json.dumps(plain(right))


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def comparable(left: Any, right: Any) -> bool:
    return (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))


def holds(op: str, value: Any, operand: Any) -> bool:
    match op:
        case "eq":
            return same(value, operand)
        case "ne":
            return not same(value, operand)
        case "in":
            return any(same(value, one) for one in operand)
        case "nin":
            return all(not same(value, one) for one in operand)
        case "prefix":
            return isinstance(value, str) and value[: len(operand)] == operand
        case "gt":
            return comparable(value, operand) and value > operand
        case "gte":
            return comparable(value, operand) and value >= operand
        case "lt":
            return comparable(value, operand) and value < operand
        case _:
            return comparable(value, operand) and value <= operand


def passes(spec: dict[str, Any], value: Any, missing_passes: bool) -> bool:
    for path, condition in spec.items():
        found = value
        for name in path.split("."):
            found = found.get(name, ABSENT) if isinstance(found, dict) else ABSENT
        short = {"in" if isinstance(condition, list) else "eq": condition}
        for op, operand in (condition if isinstance(condition, dict) else short).items():
            if op == "exists":
                verdict = (found is not ABSENT) == operand
            else:
                verdict = missing_passes if found is ABSENT else holds(op, found, operand)
            if not verdict:
                return False
    return True


def compiled(spec: object, missing: str = "") -> Filter:
    made = parse_filter(orjson.dumps(spec).decode(), missing)
    assert made is not None
    return made


@given(specs, data, st.booleans())
def test_as_the_reference_says(spec: dict[str, Any], value: Any, missing_passes: bool) -> None:
    made = compiled(spec, "pass" if missing_passes else "")
    assert made.matches(value) == passes(spec, value, missing_passes)


@pytest.mark.parametrize(("operand", "value"), [(1, True), (0, False), (True, 1), ("1", 1), (None, 0), (None, False)])
def test_types_of_json_differ(operand: object, value: object) -> None:
    assert not compiled({"a": operand}).matches({"a": value})
    assert not compiled({"a": [operand]}).matches({"a": value})
    assert compiled({"a": {"ne": operand}}).matches({"a": value})


def test_a_missing_field_does_not_match() -> None:
    for condition in (1, [1], {"ne": 1}, {"nin": [1]}, {"lt": 9}):
        assert not compiled({"a": condition}).matches({})
        assert compiled({"a": condition}, "pass").matches({})


def test_missing_pass_does_not_reach_exists() -> None:
    assert not compiled({"a": {"exists": True}}, "pass").matches({})
    assert not compiled({"a": {"exists": False}}, "pass").matches({"a": None})


@given(json_values)
def test_any_data_can_be_filtered(value: Any) -> None:
    compiled({"a.b": {"gt": 1, "prefix": "x"}, "c": [None]}).matches(orjson.loads(orjson.dumps(value)))


@given(odd_text)
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    for candidate in (text, json.dumps({text: text})):
        with contextlib.suppress(InvalidInput):
            parse_filter(candidate)


@pytest.mark.parametrize(
    "spec",
    [
        *([], 1, "a", None, {"": 1}, {"a.": 1}, {"a..b": 1}, {"a.b.c.d": 1}, {"a": {}}, {"a": {"regex": "x"}}),
        *({"a": {"in": 1}}, {"a": {"in": [[1]]}}, {"a": [{"b": 1}]}, {"a": {"exists": 1}}, {"a": {"prefix": 1}}),
        *({"a": {"gt": True}}, {"a": {"gt": None}}, {"a": {"eq": [1]}}, {"a": {"eq": {"b": 1}}}),
        {f"a{index}": 1 for index in range(MAX_CONDITIONS + 1)},
    ],
)
def test_a_bad_filter_is_refused(spec: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        compile_filter(spec)
    assert refused.value.problems[0].field == "filters"


@pytest.mark.parametrize(
    "text", ["{", "NaN", '{"a":NaN}', "[" * 100_000, '{"a":1e999}', '{"a":"' + "x" * MAX_BYTES + '"}']
)
def test_a_bad_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_filter(text)


def test_missing_takes_one_word() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_filter("", "skip")
    assert refused.value.problems[0].field == "missing"


@pytest.mark.parametrize("text", ["", "{}"])
def test_no_conditions_are_no_filter(text: str) -> None:
    assert parse_filter(text) is None


def test_the_bounds_can_be_reached() -> None:
    assert compiled({f"a.b.c{index}": 1 for index in range(MAX_CONDITIONS)}) is not None


@given(specs, specs, st.booleans(), st.booleans())
def test_streams_share_only_what_is_the_same(
    left: dict[str, Any], right: dict[str, Any], left_passes: bool, right_passes: bool
) -> None:
    one, other = compiled(left, "pass" if left_passes else ""), compiled(right, "pass" if right_passes else "")
    if one.key == other.key:
        assert left_passes == right_passes
        assert same_spec(left, right)


def same_spec(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def test_the_largest_filter_takes_little_time() -> None:
    """Scenario 25: 5 ms per event at most."""
    entries = list(range(100))
    spec: dict[str, Any] = {f"a.b.{name}": {"nin": entries[:40]} for name in "cdefghijklmn"}
    made = compiled(spec)
    value = {"a": {"b": dict.fromkeys("cdefghijklmn", 1000)}}
    begun = time.process_time()
    for _ in range(20):
        assert made.matches(value)
    assert (time.process_time() - begun) / 20 < 0.005
