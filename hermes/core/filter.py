"""Filters over an event's data: a JSON object of dotted paths and conditions, compiled once, with bounded work per event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from hermes.errors import InvalidInput, invalid

MAX_BYTES = 2048
MAX_CONDITIONS = 20
MAX_LEVELS = 3
"""Names in a dotted path, and levels of nesting in the filter itself."""

OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "prefix", "exists")

_MISSING = object()
_Test = Callable[[Any], bool]


class Filter:
    """Conditions that must all hold. A missing field does not match, unless ``missing_passes``."""

    __slots__ = ("_conditions", "_missing_passes", "key")

    def __init__(self, conditions: list[tuple[tuple[str, ...], str, Any]], missing_passes: bool, key: bytes) -> None:
        self._conditions = [(path, op, operand, _test(op, operand)) for path, op, operand in conditions]
        self._missing_passes = missing_passes
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def matches(self, data: Any) -> bool:
        """Whether decoded JSON ``data`` meets every condition."""
        return all(self._holds(data, path, op, operand, test) for path, op, operand, test in self._conditions)

    def _holds(self, data: Any, path: tuple[str, ...], op: str, operand: Any, test: _Test) -> bool:
        value = _lookup(data, path)
        if op == "exists":
            return (value is not _MISSING) is operand
        if value is _MISSING:
            return self._missing_passes
        return test(value)


def parse_filter(text: str, missing: str = "") -> Filter | None:
    """The filter in ``text`` (JSON), or ``None`` for an empty one; ``missing`` is ``pass`` or empty.

    Raises :class:`~hermes.errors.InvalidInput` that names the field ``filters`` or ``missing``.
    """
    if missing not in ("", "pass"):
        raise invalid("missing", "must be 'pass' or left out")
    if not text:
        return None
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise invalid("filters", f"at most {MAX_BYTES} bytes: filter by channel or type first")
    try:
        spec = orjson.loads(text)
    except ValueError as error:
        raise invalid("filters", f'must be a JSON object such as {{"status": "failed"}}: {error}') from None
    return compile_filter(spec, missing_passes=missing == "pass")


def compile_filter(spec: object, *, missing_passes: bool = False) -> Filter | None:
    """The filter that the JSON object ``spec`` describes: path -> scalar, list (any of) or an object of operators."""
    if not isinstance(spec, Mapping):
        raise invalid("filters", "must be a JSON object of paths and conditions")
    conditions = [condition for path, condition in spec.items() for condition in _conditions(path, condition)]
    if len(conditions) > MAX_CONDITIONS:
        raise invalid("filters", f"at most {MAX_CONDITIONS} conditions, got {len(conditions)}")
    if not conditions:
        return None
    key = orjson.dumps([spec, missing_passes], option=orjson.OPT_SORT_KEYS)
    return Filter(conditions, missing_passes, key)


def _conditions(path: str, condition: object) -> list[tuple[tuple[str, ...], str, Any]]:
    names = tuple(path.split("."))
    if len(names) > MAX_LEVELS or not all(names):
        raise _bad(path, f"a path has 1 to {MAX_LEVELS} names with dots between them")
    if isinstance(condition, list):
        return [(names, "in", _checked(path, "in", condition))]
    if isinstance(condition, Mapping):
        if not condition:
            raise _bad(path, f"give at least one operator of {', '.join(OPERATORS)}")
        return [(names, op, _checked(path, op, operand)) for op, operand in condition.items()]
    return [(names, "eq", condition)]


def _checked(path: str, op: str, operand: Any) -> Any:
    if op not in OPERATORS:
        raise _bad(path, f"{op!r} is no operator; use {', '.join(OPERATORS)}")
    if op in ("in", "nin"):
        if not isinstance(operand, list) or any(isinstance(entry, list | dict) for entry in operand):
            raise _bad(path, f"{op!r} takes a list of strings, numbers, booleans or null")
    elif op == "exists":
        if not isinstance(operand, bool):
            raise _bad(path, "'exists' takes true or false")
    elif op == "prefix":
        if not isinstance(operand, str):
            raise _bad(path, "'prefix' takes a string")
    elif op in ("gt", "gte", "lt", "lte"):
        if isinstance(operand, bool) or not isinstance(operand, int | float | str):
            raise _bad(path, f"{op!r} takes a number or a string")
    elif isinstance(operand, list | dict):
        raise _bad(path, f"{op!r} takes a string, a number, a boolean or null")
    return operand


def _bad(path: str, message: str) -> InvalidInput:
    return invalid("filters", f"{path[:64]!r}: {message}")


def _lookup(data: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return _MISSING
        data = data[name]
    return data


def _kind(value: Any) -> str:
    """JSON's own types: ``true`` is not 1."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _same(left: Any, right: Any) -> bool:
    return _kind(left) == _kind(right) and bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool], operand: Any) -> _Test:
    return lambda value: _kind(value) == _kind(operand) and compare(value, operand)


def _test(op: str, operand: Any) -> _Test:
    tests: dict[str, Callable[[], _Test]] = {
        "eq": lambda: lambda value: _same(value, operand),
        "ne": lambda: lambda value: not _same(value, operand),
        "gt": lambda: _ordered(lambda value, bound: value > bound, operand),
        "gte": lambda: _ordered(lambda value, bound: value >= bound, operand),
        "lt": lambda: _ordered(lambda value, bound: value < bound, operand),
        "lte": lambda: _ordered(lambda value, bound: value <= bound, operand),
        "in": lambda: lambda value: any(_same(value, entry) for entry in operand),
        "nin": lambda: lambda value: not any(_same(value, entry) for entry in operand),
        "prefix": lambda: lambda value: isinstance(value, str) and value.startswith(operand),
        "exists": lambda: lambda _value: True,
    }
    return tests[op]()
