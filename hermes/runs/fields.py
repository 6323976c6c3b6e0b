"""Runs and reports as JSON gives them, checked: every bad field is named with its remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice
from secrets import token_urlsafe
from typing import Any, NamedTuple

import orjson

from hermes.errors import InvalidInput, Problem
from hermes.runs.change import UNSET, Change, Unset
from hermes.runs.status import ALIASES, SUCCESS, Kind, Status, status_of

IDENTITY = ("run_id", "kind", "name", "test_id")
REPORT = ("status", "progress", "done", "total", "phase", "message", "result", "error")
MAX_UNKNOWN = 20
"""Unknown fields that an error names."""

MAX_NAME = 255
MAX_PHASE = 100
MAX_MESSAGE = 1000
"""Characters."""

MAX_TEXT = 16 * 1024
"""Bytes of an error, and of a result as JSON: an update carries both, and an event has at most 64 kB."""

MAX_LINE = 4000
"""Characters of a line of log; what is longer is cut."""

MAX_LINES = 10_000
"""Lines of one report."""

ID_BYTES = 9

_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:@+-]{1,128}", re.ASCII)


class NewRun(NamedTuple):
    """A run to be entered in the ledger, and what is known of it already."""

    id: str
    kind: Kind
    name: str
    test_id: str | None
    report: Change


def new_id() -> str:
    """An id that no run has yet: 72 bits by chance."""
    return f"r_{token_urlsafe(ID_BYTES)}"


def new_run(fields: Mapping[str, Any]) -> NewRun:
    """The run that ``fields`` tell of. Raises :class:`~hermes.errors.InvalidInput` that names each bad field."""
    problems = _unknown(fields, (*IDENTITY, *REPORT))
    id, kind = fields.get("run_id"), fields.get("kind", Kind.JOB)
    if id is None:
        id = new_id()
    elif not isinstance(id, str) or not _ID.fullmatch(id):
        problems.append(Problem("run_id", "must have 1 to 128 letters, digits and . _ : @ + -"))
    if kind not in tuple(Kind):
        problems.append(Problem("kind", f"must be one of {', '.join(Kind)}"))
        kind = Kind.JOB
    name = _printable("name", fields.get("name"), MAX_NAME, problems)
    if name is None and not any(problem.field == "name" for problem in problems):
        problems.append(Problem("name", f"say what is executed, in 1 to {MAX_NAME} printable characters"))
    test_id = _printable("test_id", fields.get("test_id"), MAX_NAME, problems)
    report = _report(fields, Kind(kind), problems)
    if problems:
        raise InvalidInput(problems)
    if test_id is None and kind == Kind.TEST:
        test_id = name
    return NewRun(str(id), Kind(kind), name or "", test_id, report)


def change_of(fields: Mapping[str, Any], kind: Kind) -> Change:
    """The report that ``fields`` make of a run of that kind. Raises :class:`~hermes.errors.InvalidInput`."""
    problems = _unknown(fields, REPORT)
    report = _report(fields, kind, problems)
    if problems:
        raise InvalidInput(problems)
    return report


def lines_of(text: str) -> list[str]:
    """The lines of a text: only a line feed ends one, and the last one may have none. Very long ones are cut.

    Raises :class:`~hermes.errors.InvalidInput` for too many.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    if len(lines) > MAX_LINES:
        raise InvalidInput([Problem("body", f"has {len(lines)} lines, at most {MAX_LINES} may come at once: split it")])
    return [_cut(line.removesuffix("\r")) for line in lines]


def _cut(line: str) -> str:
    left = len(line) - MAX_LINE
    return line if left <= 0 else f"{line[:MAX_LINE]} ... {left} characters more"


def _unknown(fields: Mapping[str, Any], known: tuple[str, ...]) -> list[Problem]:
    unknown = islice((name for name in fields if name not in known), MAX_UNKNOWN)
    return [Problem(name[:64], f"is not a field of a run; use {', '.join(known)}") for name in unknown]


def _report(fields: Mapping[str, Any], kind: Kind, problems: list[Problem]) -> Change:
    return Change(
        status=_status(fields.get("status"), kind, problems),
        progress=_number("progress", fields.get("progress"), 100, problems),
        done=_number("done", fields.get("done"), math.inf, problems),
        total=_number("total", fields.get("total"), math.inf, problems),
        phase=_text("phase", fields, MAX_PHASE, problems),
        message=_text("message", fields, MAX_MESSAGE, problems),
        result=_result(fields, problems),
        error=_text("error", fields, MAX_TEXT, problems),
    )


def _status(value: Any, kind: Kind, problems: list[Problem]) -> Status | None:
    if value is None:
        return None
    status = status_of(value, kind) if isinstance(value, str) else None
    if status is None:
        words = ", ".join((*Status, *sorted({*ALIASES, *SUCCESS})))
        problems.append(Problem("status", f"must be one of {words}"))
    return status


def _number(name: str, value: Any, most: float, problems: list[Problem]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or math.isinf(value):
        bound = "" if math.isinf(most) else f" to {most:g}"
        problems.append(Problem(name, f"must be a number from 0{bound}, or null where it is not known"))
        return None
    return float(value)


def _text(name: str, fields: Mapping[str, Any], most: int, problems: list[Problem]) -> str | Unset | None:
    if name not in fields:
        return UNSET
    value = fields[name]
    if value is None:
        return None
    if not isinstance(value, str) or len(value.encode("utf-8", "surrogatepass")) > most:
        problems.append(Problem(name, f"must be text of at most {most} bytes in UTF-8, or null"))
        return UNSET
    return value


def _printable(name: str, value: Any, most: int, problems: list[Problem]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= most or not value.isprintable() or not value.strip():
        problems.append(Problem(name, f"must have 1 to {most} printable characters"))
        return None
    return value


def _result(fields: Mapping[str, Any], problems: list[Problem]) -> Any:
    if "result" not in fields:
        return UNSET
    try:
        size = len(orjson.dumps(fields["result"]))
    except TypeError as error:
        problems.append(Problem("result", f"cannot be written as JSON: {error}"))
        return UNSET
    if size > MAX_TEXT:
        problems.append(Problem("result", f"has {size} bytes as JSON, at most {MAX_TEXT}: keep it as an artifact"))
        return UNSET
    return fields["result"]
