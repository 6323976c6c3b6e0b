"""Who is connected, over all processes, for administrators: ``/api/v1/connections``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from hermes.access.guard import ADMIN, guarded
from hermes.core.channel import MAX_NAME
from hermes.core.clock import milliseconds
from hermes.core.event import Event, event_from_fields
from hermes.errors import NotFound, invalid
from hermes.observe.audit import KICK, SEND
from hermes.streaming.directory import Wanted
from hermes.streaming.query import number
from hermes.web.body import read_object
from hermes.web.json import json_response
from hermes.web.requests import Call, current_call

blueprint = Blueprint("connections", __name__)

PATH = "/api/v1/connections"
FILTERS = ("user", "channel", "node")
LIST_NAMES = frozenset({*FILTERS, "after", "limit"})
PAGE, MAX_PAGE = 100, 1000
SENT_FIELDS = ("type", "data")


@blueprint.get(PATH)
@guarded(ADMIN)
def page() -> Response:
    """The streams of all processes. A page may hold fewer than ``limit``; at the end ``next`` is null."""
    args = request.args
    unknown = sorted(set(args) - LIST_NAMES)
    if unknown:
        raise invalid(unknown[0][:64], f"unknown parameter; use {', '.join(sorted(LIST_NAMES))}")
    long = [name for name in (*FILTERS, "after") if len(args.get(name, "")) > MAX_NAME]
    if long:
        raise invalid(long[0], f"has at most {MAX_NAME} characters")
    wanted = Wanted(*(args.get(name) or None for name in FILTERS))
    limit = int(number(args, "limit", PAGE, 1, MAX_PAGE))
    found = current_call().runtime.directory.page(wanted, args.get("after", ""), limit)
    return json_response({"items": found.items, "next": found.next})


@blueprint.get(f"{PATH}/<id>")
@guarded(ADMIN)
def one(id: str) -> Response:
    """One stream."""
    return json_response(_found(current_call(), id))


@blueprint.delete(f"{PATH}/<id>")
@guarded(ADMIN)
def disconnect(id: str) -> Response:
    """End one stream, wherever it is. Its client is told not to come back by itself."""
    call = current_call()
    connection = _found(call, id)
    call.runtime.control.tell("kick", {"connection_id": id})
    call.runtime.audit.note(KICK, call.principal.id, call.address.text, id, detail=connection["principal"])
    return Response(status=204)


@blueprint.post(f"{PATH}/<id>/events")
@guarded(ADMIN)
def send(id: str) -> Response:
    """Send one event to one stream. It is stored nowhere; the answer says whether the stream was there to take it."""
    call = current_call()
    event = _sent_event(call)
    delivered = call.runtime.directory.send(id, event.type, event.data)
    call.runtime.audit.note(SEND, call.principal.id, call.address.text, id)
    return json_response({"delivered": delivered})


def _found(call: Call, id: str) -> dict[str, Any]:
    connection = call.runtime.directory.one(id) if len(id) <= MAX_NAME else None
    if connection is None:
        raise NotFound("no stream that is open has this connection id")
    return connection


def _sent_event(call: Call) -> Event:
    """The event in the body: only type and data, because it is in no channel and in no log."""
    fields = read_object(call.request, SENT_FIELDS)
    return event_from_fields({**fields, "channel": "connection"}, milliseconds(call.runtime.clock.now()))
