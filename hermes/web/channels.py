"""The channels in use, and who is there: ``/api/v1/channels``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from hermes.access.grants import granted
from hermes.access.guard import ANYONE, KNOWN, guarded
from hermes.access.principal import Principal
from hermes.core.channel import CONTROL_CHANNEL, MAX_NAME, name_problem
from hermes.core.clock import iso_time
from hermes.core.cursor import Cursor
from hermes.core.presence import presence_channel
from hermes.core.retained import visible
from hermes.core.subscription import Subscription
from hermes.errors import Forbidden, NotFound, invalid
from hermes.streaming.channels import Recent
from hermes.streaming.poll import Poll
from hermes.streaming.query import number
from hermes.web.json import json_response
from hermes.web.names import ends_with_part, takes_names
from hermes.web.requests import Call, current_call

blueprint = Blueprint("channels", __name__)
takes_names(blueprint)

PATH = "/api/v1/channels"
PRESENCE = "presence"
LIST_NAMES = frozenset({"after", "limit"})
PAGE, MAX_PAGE = 100, 1000
EVENTS, MAX_EVENTS = 20, 100


@blueprint.get(PATH)
@guarded(KNOWN)
def page() -> Response:
    """The channels in use that the caller may see, by name: those that streams name, and those of the newest events."""
    call = current_call()
    after, limit = _paging(LIST_NAMES, PAGE, MAX_PAGE)
    named, recent = call.runtime.channels.named(), call.runtime.channels.recent()
    names = sorted(name for name in {*named, *recent} if name > after and may_see(call.principal, name))
    items = [_summary(call, name, recent) | {"subscribers": named.get(name, 0)} for name in names[:limit]]
    return json_response({"items": items, "next": names[limit - 1] if len(names) > limit else None})


@blueprint.get(f"{PATH}/<name:name>", merge_slashes=False)
@guarded(KNOWN)
def one(name: str) -> Response:
    """One channel, with its newest events."""
    return _channel(current_call(), name)


@blueprint.get(f"{PATH}/<name:name>/{PRESENCE}", merge_slashes=False)
@guarded(ANYONE)
def presence(name: str) -> Response:
    """Who is on a channel: the users with a stream that names it, on any process."""
    call = current_call()
    if ends_with_part(request, PRESENCE):
        return _presence(call, name)
    call.runtime.guard.check(KNOWN, call.principal)
    return _channel(call, f"{name}/{PRESENCE}")


def may_see(principal: Principal, channel: str) -> bool:
    """Whether a stream of ``principal`` could name ``channel``."""
    if principal.admin:
        return channel != CONTROL_CHANNEL
    return channel == principal.own_channel or granted(principal.subscribe, channel)


def _channel(call: Call, name: str) -> Response:
    _check(call.principal, name, name)
    _, limit = _paging(frozenset({"limit"}), EVENTS, MAX_EVENTS)
    runtime = call.runtime
    subscription = Subscription([name], everything=True)
    subscribers = runtime.channels.subscribers(name)
    state = runtime.store.snapshot([name])
    cursor = Cursor(runtime.hub.epoch, runtime.channels.after_newest_but(name, limit))
    answer = (
        Poll(runtime.store, runtime.hub, runtime.clock, subscription).answer(str(cursor), "0", limit, 0.0).as_dict()
    )
    return json_response(
        {
            **_summary(call, name, runtime.channels.recent()),
            "subscribers": subscribers.named + subscribers.by_pattern,
            "retained": len(visible(state, subscription)),
            "events": answer["events"],
            "cursor": answer["cursor"],
        }
    )


def _presence(call: Call, name: str) -> Response:
    channel = presence_channel(name)
    _check(call.principal, name, channel)
    if not call.runtime.presence.is_on(name):
        raise NotFound(f"{name!r} has no presence: HERMES_PRESENCE_CHANNELS names the channels that have")
    after, limit = _paging(LIST_NAMES, PAGE, MAX_PAGE)
    state = visible(call.runtime.store.snapshot([channel]), Subscription([channel], everything=True))
    since = {event.key: event.time for event, _ in state if event.key is not None}
    users = sorted(user for user in since if user > after)
    return json_response(
        {
            "items": [{"user_id": user, "since": iso_time(since[user])} for user in users[:limit]],
            "next": users[limit - 1] if len(users) > limit else None,
            "count": call.runtime.presence.count(name, len(since)),
        }
    )


def _check(principal: Principal, name: str, channel: str) -> None:
    """Raise ``InvalidInput`` where ``name`` is no channel's, ``Forbidden`` where the caller may not subscribe to ``channel``."""
    problem = name_problem(name)
    if problem is not None:
        raise invalid("channel", problem)
    if not may_see(principal, channel):
        raise Forbidden(f"you may not subscribe to {channel!r}", {"channels": [channel]})


def _summary(call: Call, name: str, recent: Mapping[str, Recent]) -> dict[str, Any]:
    found = recent.get(name)
    return {
        "channel": name,
        "rate": found.rate if found is not None else 0.0,
        "last_event_at": iso_time(found.last) if found is not None else None,
        "presence": call.runtime.presence.is_on(name),
    }


def _paging(names: frozenset[str], page: int, most: int) -> tuple[str, int]:
    args = request.args
    unknown = sorted(set(args) - names)
    if unknown:
        raise invalid(unknown[0][:64], f"unknown parameter; use {', '.join(sorted(names))}")
    after = args.get("after", "")
    if len(after) > MAX_NAME:
        raise invalid("after", "must be what 'next' of the page before said")
    return after, int(number(args, "limit", page, 1, most))
