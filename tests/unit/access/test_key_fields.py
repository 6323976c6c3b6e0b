"""What may be asked for in a new key."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.access.grants import Grants
from hermes.access.key_fields import LONGEST, NAMES, new_key
from hermes.errors import InvalidInput
from tests.unit.strategies import json_values

NOW = 1_800_000_000_000
NAME = {"name": "app"}


def problems(fields: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        new_key(fields, NOW)
    assert all(10 < len(problem.message) < 300 for problem in error.value.problems)
    return [problem.field for problem in error.value.problems]


def test_the_least() -> None:
    assert new_key(NAME, NOW) == ("app", Grants(), None)


def test_everything() -> None:
    fields = {"subscribe": ["a", "b:*"], "publish": ["c"], "admin": False, "tokens": True, "expires_in": 1.5}
    assert new_key({**NAME, **fields}, NOW) == ("app", Grants(("a", "b:*"), ("c",), False, True), NOW + 1500)


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2027-01-15T08:00:01Z", NOW + 1000),
        ("2027-01-15T08:00:01.5+00:00", NOW + 1500),
        ("2027-01-15T10:00:01+02:00", NOW + 1000),
    ],
)
def test_an_end_by_time(time: str, at: int) -> None:
    assert new_key({**NAME, "expires_at": time}, NOW).expires_at == at


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "name"),
        *[
            ({"name": name}, "name")
            for name in ("", " ", "x" * 101, "a\nb", "a\0", "\ud800", "\u202ea", 5, None, ["a"])
        ],
        ({**NAME, "subscribe": "news"}, "subscribe"),
        ({**NAME, "publish": ["a b"]}, "publish"),
        ({**NAME, "publish": ["hermes:status"]}, "publish"),
        ({**NAME, "subscribe": ["a"] * 101}, "subscribe"),
        ({**NAME, "admin": 1}, "admin"),
        ({**NAME, "tokens": "yes"}, "tokens"),
        ({**NAME, "grants": []}, "grants"),
        *[
            ({**NAME, "expires_in": value}, "expires_in")
            for value in (0, -1, True, "90d", [], LONGEST + 1, 1e300, float("nan"), float("inf"), 10**400)
        ],
        *[
            ({**NAME, "expires_at": value}, "expires_at")
            for value in (
                "2027-01-15T08:00:01",
                "2027-01-15T08:00:00Z",
                "1970-01-01T00:00:00Z",
                "0001-01-01T00:00:00+23:59",
                "9999-12-31T23:59:59-23:59",
                "2099-01-01T00:00:00Z",
                "tomorrow",
                "",
                5,
                True,
                {},
                "\ud800",
            )
        ],
        ({**NAME, "expires_in": 5, "expires_at": "2027-01-15T08:00:01Z"}, "expires_at"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], field: str) -> None:
    assert problems(fields) == [field]


def test_each_bad_field_is_named() -> None:
    assert problems({"nam": "a", "admin": 1, "publish": 2, "expires_in": 0}) == [
        "nam",
        "name",
        "publish",
        "admin",
        "expires_in",
    ]


def test_not_every_one_of_a_hundred_thousand() -> None:
    found = problems({**NAME, **{f"{'x' * 100}{number}": 1 for number in range(100_000)}})
    assert len(found) == 20
    assert max(len(field) for field in found) == 64


@given(st.dictionaries(st.sampled_from(NAMES), json_values))
def test_no_json_is_an_error_of_ours(fields: dict[str, Any]) -> None:
    try:
        made = new_key(fields, NOW)
    except InvalidInput:
        return
    assert made.expires_at is None or NOW < made.expires_at <= NOW + LONGEST * 1000
