"""Errors: the one shape that they have, and the codes of each status, from the tree of exceptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus

from hermes.errors import RequestError, Retryable
from hermes.web.openapi.parts import JSON, Node, listed, record, text, whole

PROBLEMS = listed(
    record(
        {
            "field": text("Which field is wrong."),
            "message": text("What is wrong, and the remedy."),
            "index": whole(description="Which event of a batch."),
        },
        optional=["index"],
    )
)

TOO_LONG: Node = {
    "description": "The address is longer than the web server reads: its own answer, which may be no JSON."
}


def codes_of(error: type[RequestError]) -> set[str]:
    """The codes of a kind of error and of all kinds below it."""
    return {found.code for found in _tree(error)}


def _tree(error: type[RequestError]) -> Iterator[type[RequestError]]:
    yield error
    for kind in error.__subclasses__():
        yield from _tree(kind)


def responses() -> dict[str, Node]:
    """The errors by status, as components of the document."""
    kinds: dict[int, list[type[RequestError]]] = defaultdict(list)
    for kind in _tree(RequestError):
        kinds[kind.status].append(kind)
    found = {_name(status): _response(status, of_status) for status, of_status in sorted(kinds.items())}
    return {**found, _name(HTTPStatus.REQUEST_URI_TOO_LONG): TOO_LONG}


def error(status: int) -> Node:
    """A reference to the error of that status."""
    return {"$ref": f"#/components/responses/{_name(status)}"}


def _name(status: int) -> str:
    return f"Error{status}"


def _response(status: int, kinds: list[type[RequestError]]) -> Node:
    details = PROBLEMS if status == HTTPStatus.BAD_REQUEST else {"type": "object", "additionalProperties": True}
    body = record(
        {
            "code": {"type": "string", "enum": sorted({kind.code for kind in kinds})},
            "message": text("For people."),
            "details": {"anyOf": [details, {"type": "null"}]},
        }
    )
    found: Node = {
        "description": HTTPStatus(status).phrase,
        "content": {JSON: {"schema": record({"error": body})}},
    }
    if any(issubclass(kind, Retryable) for kind in kinds):
        about = "Seconds after which to try again."
        found["headers"] = {"Retry-After": {"description": about, "required": True, "schema": whole(1)}}
    return found
