"""The OpenAPI document of an application: its routes, and what the modules beside this one tell of each.

Addresses, methods, who may call and what a call does in one sentence come from the routes and their views; a call that this
application does not serve is left out. Errors that any call of a kind may answer are added here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from hermes import __version__
from hermes.access.guard import ADMIN, ANYONE, KNOWN, OPEN, SAFE_METHODS, TOKENS
from hermes.settings import Settings
from hermes.web.openapi import (
    audit,
    channels,
    connections,
    errors,
    events,
    filters,
    health,
    keys,
    limits,
    reference,
    shared,
    streams,
    tokens,
    users,
)
from hermes.web.openapi.parts import Call, Node, Section
from hermes.web.openapi.security import SCHEMES, requirements

SECTIONS: tuple[Section, ...] = tuple(
    part.SECTION
    for part in (events, streams, users, channels, connections, tokens, keys, audit, limits, health, reference)
)

WHO = {
    OPEN: "anyone; credentials are not looked at",
    ANYONE: "anyone, within what they may see",
    KNOWN: "callers with credentials",
    TOKENS: "keys with the right to mint tokens",
    ADMIN: "administrators",
}

ABOUT = (
    "Server-sent events, published from anywhere. Times are UTC, ISO 8601 with milliseconds. A parameter of the query that is "
    'empty counts as left out. Every error has one shape: `{"error": {"code", "message", "details"}}`.'
)


def document(app: Flask, settings: Settings) -> dict[str, Any]:
    """The document of what ``app`` serves, with the bounds that ``settings`` set."""
    schemas = {**shared.SCHEMAS, **shared.limits(settings), **filters.SCHEMAS}
    for section in SECTIONS:
        schemas.update(section.schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hermes", "version": __version__, "description": ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": section.name, "description": section.about} for section in SECTIONS],
        "paths": _paths(app),
        "components": {"schemas": schemas, "responses": errors.responses(), "securitySchemes": SCHEMES},
    }


def calls_of(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Every call that ``app`` answers, as sections name them (``GET /api/v1/keys/{id}``), and its rule."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {path}", rule


def _paths(app: Flask) -> Node:
    served = dict(calls_of(app))
    paths: Node = {}
    ids: set[str] = set()
    for section in SECTIONS:
        for name, call in section.calls.items():
            if name in served:
                method, path = name.split(" ")
                operation = _operation(method, call, app.view_functions[served[name].endpoint])
                operation["operationId"] = _id(served[name].endpoint, path, ids)
                paths.setdefault(path, {})[method.lower()] = {"tags": [section.name], **operation}
    return paths


def _id(endpoint: str, path: str, taken: set[str]) -> str:
    """A name for programs that are generated from the document; a view with several addresses has one for each."""
    name = endpoint.replace(".", "_")
    if name in taken:
        name += re.sub(r"\W+", "_", path)
    taken.add(name)
    return name


def _operation(method: str, call: Call, view: Any) -> Node:
    summary, _, more = (
        (inspect.getdoc(view) or "").partition("\n")[0].replace("``", "`").removesuffix(".").partition(". ")
    )
    notes = [f"{more}." if more else "", call.notes, f"Who may call it: {WHO[view.guard]}."]
    operation: Node = {
        "summary": f"{summary}.",
        "description": "\n\n".join(note for note in notes if note),
        "parameters": list(call.parameters),
        "responses": {str(status): answer for status, answer in _answers(method, call, view.guard).items()},
        "security": requirements(view.guard, query_token=getattr(view, "is_stream", False)),
    }
    if call.body is not None:
        operation["requestBody"] = call.body
    return operation


def _answers(method: str, call: Call, level: str) -> dict[int, Node]:
    statuses = set(call.errors)
    if call.parameters or call.body:
        statuses.add(400)
    places = {parameter["in"] for parameter in call.parameters}
    if "path" in places:
        statuses.add(404)
    if "query" in places:
        statuses.add(414)
    if call.body:
        statuses.add(413)
    if level != OPEN:
        statuses |= {401, 429, 503}
    if level in {TOKENS, ADMIN} or (level != OPEN and method not in SAFE_METHODS):
        statuses.add(403)
    return {**call.answers, **{status: errors.error(status) for status in sorted(statuses - set(call.answers))}}
