"""One user's streams: ``/api/v1/users/<user>/events`` and ``/connections``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from hermes.access.guard import ADMIN, KNOWN, guarded
from hermes.core.channel import name_problem
from hermes.errors import InvalidInput, Problem, invalid
from hermes.observe.audit import KICK
from hermes.web.body import read_events
from hermes.web.events import publish_events
from hermes.web.json import json_response
from hermes.web.names import takes_names
from hermes.web.requests import current_call

blueprint = Blueprint("users", __name__)
takes_names(blueprint)

PREFIX = "/api/v1/users/"
CHANNEL_FIELDS = ("channel", "channels")


@blueprint.post(f"{PREFIX}<name:user_id>/events", merge_slashes=False)
@guarded(KNOWN)
def publish(user_id: str) -> Response:
    """Publish to every stream of a user: to the channel ``user:`` and the user's id, where the caller may publish there."""
    call = current_call()
    channel = _user_channel(user_id)
    batch, many = read_events(call.request)
    return publish_events(call, [_to(channel, fields) for fields in _checked(batch)], many).response()


@blueprint.delete(f"{PREFIX}<name:user_id>/connections", merge_slashes=False)
@guarded(ADMIN)
def disconnect(user_id: str) -> Response:
    """End all streams of a user, wherever they are. Answers how many there were."""
    call = current_call()
    _user_channel(user_id)
    match = {"user_id": user_id}
    count = call.runtime.directory.count(match)
    call.runtime.control.tell("kick", match)
    call.runtime.audit.note(KICK, call.principal.id, call.address.text, f"user:{user_id}", count=count)
    return json_response({"connections": count})


def _user_channel(user_id: str) -> str:
    """The channel of a user; raises :class:`~hermes.errors.InvalidInput` where nobody can have that id."""
    channel = f"user:{user_id}"
    problem = name_problem(channel)
    if problem is not None:
        raise invalid("user_id", problem)
    return channel


def _checked(batch: list[Any]) -> list[Any]:
    problems = [
        Problem(name, "is given by the address: leave it out", index if len(batch) > 1 else None)
        for index, fields in enumerate(batch)
        if isinstance(fields, dict)
        for name in CHANNEL_FIELDS
        if name in fields
    ]
    if problems:
        raise InvalidInput(problems)
    return batch


def _to(channel: str, fields: Any) -> Any:
    return {**fields, "channel": channel} if isinstance(fields, dict) else fields
