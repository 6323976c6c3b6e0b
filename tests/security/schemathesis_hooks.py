"""What Schemathesis has to know of Hermes that no OpenAPI document can say; loaded by the program itself."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import category

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

from hermes.streaming.query import MAX_WAIT

LONGEST_WAIT = 0.02  # seconds: a long poll that waits its 25 s would be all that a run does
OPAQUE = ("/api/v1/keys", "/api/v1/audit")  # lists that know their own `next` and nothing else
IN_WORDS = (b"filters: at most ", b"data: the event is ")  # bounds on what is counted otherwise than a schema counts
PRINTABLE = {"key", "idempotency_key", "exclude", "name", "action", "principal", "outcome"}

_changed: set[str] = set()  # cases that may have lost what was wrong with them


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """One line for each entry, as the document says in words."""
    lines = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(line) for line in lines).encode()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Makes of each request one whose answer the document foretells."""
    changes = [_tidy_query(case.query)] if case.query else []
    bodies = case.body if isinstance(case.body, list) else [case.body]
    changes += [_tidy_fields(fields) for fields in bodies if isinstance(fields, dict)]
    if any(changes):
        _changed.add(case.id)


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Any, case: schemathesis.Case, response: schemathesis.Response
) -> bool:
    """A request that had something wrong taken out of it may well be accepted; a made-up `next` is well refused."""
    if isinstance(failure, RejectedPositiveData):
        made_up = case.operation.path in OPAQUE and "after" in case.query
        return not made_up and not any(bound in response.content for bound in IN_WORDS)
    return not (isinstance(failure, AcceptedNegativeData) and case.id in _changed)


def _tidy_query(query: dict[str, Any]) -> bool:
    """Waits that are allowed become short; what is empty, repeated or excluded by something else goes. Whether anything did."""
    if _is_number(query.get("wait")) and LONGEST_WAIT < float(query["wait"]) <= MAX_WAIT:
        query["wait"] = LONGEST_WAIT
    former = dict(query)
    for name, value in former.items():
        if next(_sent(value), "") == "":  # the server reads the first
            del query[name]
        elif isinstance(value, list):
            query[name] = [one for index, one in enumerate(value) if one not in value[:index]]
        elif isinstance(value, str) and name in ("channels", "types"):
            query[name] = ",".join(dict.fromkeys(value.split(",")))
    if "filters" in query:
        query.pop("download_id", None)
    _tidy_texts(query)
    return query != former


def _sent(value: Any) -> Iterator[Any]:
    """What is sent for a parameter: of a list its entries, of an object its names, of nothing nothing."""
    if isinstance(value, list | dict):
        for one in value:
            yield from _sent(one)
    elif value is not None:
        yield value


def _tidy_fields(fields: dict[str, Any]) -> bool:
    """An end that is a time is one to come, and a whole number is written as one. Whether anything changed."""
    former = dict(fields)
    if _is_time(fields.get("expires_at")):
        fields["expires_at"] = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    if isinstance(fields.get("ttl"), float) and fields["ttl"].is_integer():
        fields["ttl"] = int(fields["ttl"])
    _tidy_texts(fields)
    return fields != former


def _tidy_texts(fields: dict[str, Any]) -> None:
    """Which of the rarer characters can be printed is a matter of Unicode's version: the program's is newer than Python's."""
    for name in PRINTABLE & fields.keys():
        value = fields[name]
        fields[name] = [_known(one) for one in value] if isinstance(value, list) else _known(value)


def _known(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "".join(one if one.isprintable() or category(one) == "Cc" else "x" for one in value)


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) >= 0
    except (TypeError, ValueError):
        return False


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
