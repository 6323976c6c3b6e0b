"""Runs and reports as callers write them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import InvalidInput
from hermes.runs.change import UNSET
from hermes.runs.fields import MAX_LINE, MAX_LINES, MAX_TEXT, change_of, lines_of, new_id, new_run
from hermes.runs.status import Kind, Status


def bad(call: Any, *arguments: Any) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        call(*arguments)
    return [problem.field for problem in error.value.problems]


def test_the_least() -> None:
    new = new_run({"name": "import"})
    assert (new.kind, new.name, new.test_id, new.report.status) == (Kind.JOB, "import", None, None)
    assert new.report.message is UNSET
    assert new_run({"name": "import", "run_id": new.id}).id == new.id
    assert len({new_id() for _ in range(100)}) == 100


def test_all_of_it() -> None:
    fields = {"run_id": "a-1", "kind": "test", "name": "suite", "test_id": "tests/a.py::test[x y]", "status": "success"}
    new = new_run(
        {**fields, "progress": 3, "done": 1, "total": 2.5, "phase": "p", "message": None, "result": [1], "error": "e"}
    )
    assert (new.id, new.kind, new.test_id, new.report.status) == (
        "a-1",
        Kind.TEST,
        "tests/a.py::test[x y]",
        Status.PASSED,
    )
    report = new.report
    assert (report.progress, report.done, report.total, report.phase, report.message) == (3.0, 1.0, 2.5, "p", None)
    assert (report.result, report.error) == ([1], "e")
    assert new_run({"kind": "test", "name": "suite"}).test_id == "suite"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"name": "x" * 256}, ["name"]),
        ({"name": 1, "kind": "task"}, ["kind", "name"]),
        ({"name": "a", "kind": None}, ["kind"]),
        ({"name": "a", "kind": []}, ["kind"]),
        ({"name": "a", "run_id": ""}, ["run_id"]),
        ({"name": "a", "run_id": ".."}, ["run_id"]),
        ({"name": "a", "run_id": "a/b"}, ["run_id"]),
        ({"name": "a", "run_id": "a~b"}, ["run_id"]),
        ({"name": "a", "run_id": "é"}, ["run_id"]),
        ({"name": "a", "run_id": "a\n"}, ["run_id"]),
        ({"name": "a", "test_id": "\x00"}, ["test_id"]),
        ({"name": "a", "state": "queued"}, ["state"]),
        ({"name": "a", "status": "nearly"}, ["status"]),
    ],
)
def test_a_new_run_that_is_refused(fields: dict[str, Any], named: list[str]) -> None:
    assert bad(new_run, fields) == named


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "b"}, ["name"]),
        ({"status": 1}, ["status"]),
        ({"progress": -1, "done": -1, "total": "3"}, ["progress", "done", "total"]),
        ({"progress": 100.5}, ["progress"]),
        ({"progress": True}, ["progress"]),
        ({"done": math.inf}, ["done"]),
        ({"total": math.nan}, ["total"]),
        ({"phase": "x" * 101, "message": "x" * 1001, "error": "x" * (MAX_TEXT + 1)}, ["phase", "message", "error"]),
        ({"message": "é" * 501}, ["message"]),
        ({"message": 1}, ["message"]),
        ({"result": "x" * MAX_TEXT}, ["result"]),
        ({"result": {"a": "\ud800"}}, ["result"]),
        ({"result": 2**64}, ["result"]),
    ],
)
def test_a_report_that_is_refused(fields: dict[str, Any], named: list[str]) -> None:
    assert bad(change_of, fields, Kind.JOB) == named


def test_null_clears_text_and_says_nothing_of_numbers() -> None:
    change = change_of({"message": None, "result": None, "progress": None, "status": None}, Kind.JOB)
    assert (change.message, change.result, change.progress, change.status) == (None, None, None, None)
    assert change.phase is change.error is UNSET


def test_lines() -> None:
    assert lines_of("") == []
    assert lines_of("a") == lines_of("a\n") == ["a"]
    assert lines_of("\n") == [""]
    assert lines_of("a\r\nb\u2028c\x0bd\n\n") == ["a", "b\u2028c\x0bd", ""]
    assert lines_of("x" * (MAX_LINE + 7)) == ["x" * MAX_LINE + " ... 7 characters more"]
    assert len(lines_of("\n" * MAX_LINES)) == MAX_LINES
    assert bad(lines_of, "\n" * (MAX_LINES + 1)) == ["body"]


@given(st.lists(st.text(st.characters(exclude_characters="\n\r"), max_size=20), min_size=1, max_size=20))
def test_lines_come_back(lines: list[str]) -> None:
    assert lines_of("\n".join(lines) + "\n") == lines


REPORTED = ["status", "progress", "done", "total", "phase", "message", "error", "x"]


@given(st.dictionaries(st.sampled_from(REPORTED), st.none() | st.booleans() | st.floats() | st.text(max_size=5)))
def test_a_report_is_taken_or_refused_by_name(fields: dict[str, Any]) -> None:
    refused = set()
    try:
        change_of(fields, Kind.TEST)
    except InvalidInput as error:
        refused = {problem.field for problem in error.problems}
    assert refused <= set(fields)
    assert ("x" in refused) == ("x" in fields)
