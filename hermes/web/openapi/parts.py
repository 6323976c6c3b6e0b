"""The pieces that descriptions are made of: a call, its parameters, its body, its answers, and schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Node = dict[str, Any]
"""An object of an OpenAPI document, a schema too (OpenAPI 3.1, section 4.8; JSON Schema 2020-12)."""

JSON = "application/json"
MAX_EXACT = 2**53 - 1
"""The largest whole number that every JSON parser keeps as it is (RFC 8259, section 6)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method of one address: what goes in and what comes out.

    ``answers`` has those that are no errors, by status. ``errors`` has the statuses of errors beyond those that any call of
    its kind may answer: see ``document.py``. ``notes`` tells more than the one sentence of the view's docstring.
    """

    answers: Mapping[int, Node]
    parameters: Sequence[Node] = ()
    body: Node | None = None
    errors: Sequence[int] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the API: its ``calls`` by method and address (``GET /api/v1/keys/{id}``), and the schemas that they name."""

    name: str
    about: str
    calls: Mapping[str, Call]
    schemas: Mapping[str, Node] = field(default_factory=dict)


PRINTABLE = r"^( |[^\p{C}\p{Z}])+$"
"""What :meth:`str.isprintable` asks for."""


# What goes in


def query(name: str, about: str, schema: Node, **more: Any) -> Node:
    """A parameter of the query, which may be left out."""
    return {"name": name, "in": "query", "description": about, "schema": schema, **more}


def given(**rules: Any) -> Node:
    """A string of the query: an empty one counts as left out."""
    return {"type": "string", "minLength": 1, **rules}


def comma_list(name: str, about: str, schema: Node) -> Node:
    """A parameter of the query that holds several entries with commas between them."""
    return query(name, about, schema, style="form", explode=False)


def json_query(name: str, about: str, schema: Node) -> Node:
    """A parameter of the query that holds JSON."""
    return {"name": name, "in": "query", "description": about, "content": {JSON: {"schema": schema}}}


def header(name: str, about: str, schema: Node) -> Node:
    """A header of the request, which may be left out."""
    return {"name": name, "in": "header", "description": about, "schema": schema}


def in_path(name: str, about: str, schema: Node) -> Node:
    """A part of the address."""
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


def paging(most: int, default: int) -> list[Node]:
    """The parameters of a list: how much of it, and where to go on."""
    return [
        query("limit", "How many entries the page holds at most.", whole(1, most, default=default)),
        query("after", "The `next` of the page before.", given()),
    ]


def body(about: str, contents: Mapping[str, Node]) -> Node:
    """A body that must be there, with its schema in each content type."""
    return {"description": about, "required": True, "content": _media(contents)}


def json_body(about: str, schema: Node) -> Node:
    """A body of JSON that must be there."""
    return body(about, {JSON: schema})


# What comes out


def answer(about: str, contents: Mapping[str, Node]) -> Node:
    """An answer, with its schema in each content type; without any it has no body."""
    return {"description": about, **({"content": _media(contents)} if contents else {})}


def json_answer(about: str, schema: Node) -> Node:
    """An answer of JSON."""
    return answer(about, {JSON: schema})


def leading_to(found: Node, **calls: Mapping[str, str]) -> Node:
    """An answer that names what other ``calls`` take: by their ids the parameters, and where in its body they stand."""
    links = {
        call: {
            "operationId": call,
            "parameters": {name: f"$response.body#{place}" for name, place in parameters.items()},
        }
        for call, parameters in calls.items()
    }
    return {**found, "links": links}


def _media(contents: Mapping[str, Node]) -> Node:
    return {kind: {"schema": schema} for kind, schema in contents.items()}


# Schemas


def ref(name: str) -> Node:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(about: str = "", **rules: Any) -> Node:
    """A string."""
    return {"type": "string", **({"description": about} if about else {}), **rules}


def whole(low: int = 0, high: int = MAX_EXACT, **more: Any) -> Node:
    """A whole number from ``low`` to ``high``."""
    return {"type": "integer", "minimum": low, "maximum": high, **more}


def listed(item: Node, **rules: Any) -> Node:
    """An array."""
    return {"type": "array", "items": item, **rules}


def starting_with(*prefixes: str) -> Node:
    """The strings that begin with one of ``prefixes``."""
    return {"pattern": f"^({'|'.join(map(re.escape, prefixes))})"}


def nullable(schema: Node) -> Node:
    """That, or ``null``."""
    if isinstance(schema.get("type"), str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: Mapping[str, Node], *, optional: Sequence[str] = (), **rules: Any) -> Node:
    """An object with these fields and no others; all are there but the ``optional``."""
    return {
        "type": "object",
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
        **rules,
    }


def page_of(item: Node, **more: Node) -> Node:
    """One page of a list, and what ``more`` it tells."""
    about = "Goes along as `after` for the next page; `null` on the last."
    return record({"items": listed(item), "next": nullable(text(about)), **more})
