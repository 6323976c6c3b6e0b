"""Publishing and reading: ``/api/v1/events``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from hermes.access.guard import ANYONE, KNOWN, guarded
from hermes.core.event import Event
from hermes.errors import Forbidden, RateLimited, Retryable, Unauthorized, invalid
from hermes.streaming.poll import Answer, Poll
from hermes.streaming.query import MAX_WAIT, StreamQuery, parse_query, subscription_of
from hermes.web.body import read_events
from hermes.web.json import JsonAnswer, json_response
from hermes.web.requests import Call, current_call

blueprint = Blueprint("events", __name__)

READ_NAMES = frozenset({"channels", "types", "filters", "missing", "after", "limit", "wait"})


@blueprint.post("/api/v1/events")
@guarded(KNOWN)
def publish() -> Response:
    """Publish one event, an array or NDJSON: all or none."""
    return publish_by(current_call()).response()


def publish_by(call: Call) -> JsonAnswer:
    """See :func:`publish`."""
    batch, many = read_events(call.request)
    return publish_events(call, batch, many)


def publish_events(call: Call, batch: Sequence[Any], many: bool) -> JsonAnswer:
    """Publish ``batch``, events as JSON has them, for the caller; ``many`` answers with a list."""
    key = call.request.headers.get("Idempotency-Key") or None
    if key is not None and len(key) > 255:
        raise invalid("Idempotency-Key", "at most 255 characters")
    permitted: list[Sequence[str]] = []
    try:
        cursors = call.runtime.publisher.publish_batch(
            batch, scope=call.principal.id, idempotency_key=key, permit=partial(permit, call, permitted)
        )
    except (Forbidden, RateLimited) as error:
        call.refused(error)
        raise
    call.runtime.audit.published(call.principal.id, call.address.text, permitted)
    ids = [{"id": str(cursor)} for cursor in cursors]
    return JsonAnswer({"events": ids} if many else ids[0], 201)


def permit(call: Call, permitted: list[Sequence[str]], events: Sequence[Event]) -> None:
    """Hold ``events`` to the grants and rates of their publisher, and add their channels to ``permitted``.

    Raises ``Forbidden`` or ``RateLimited``.
    """
    call.principal.check_publish(channel for event in events for channel in event.channels)
    call.runtime.limits.publish(call.principal, [event.channels for event in events])
    permitted += [event.channels for event in events]


@blueprint.get("/api/v1/events")
@guarded(ANYONE)
def read() -> Response:
    """History above a cursor, with ``wait`` a long poll; without a cursor the retained state and the tip."""
    unknown = sorted(set(request.args) - READ_NAMES)
    if unknown:
        raise invalid(unknown[0][:64], f"unknown parameter; use {', '.join(sorted(READ_NAMES))}")
    args = {name: value for name, value in request.args.items() if name != "after"}
    return poll_response(current_call(), args, request.args.get("after") or None)


def poll_response(call: Call, args: Mapping[str, str], cursor: str | None) -> Response:
    """The JSON page that a stream's query asks for with ``poll=1``."""
    try:
        return json_response(_page(call, args, cursor).as_dict())
    except (Forbidden, Unauthorized, Retryable) as error:
        call.refused(error)
        raise


def _page(call: Call, args: Mapping[str, str], cursor: str | None) -> Answer:
    runtime, principal = call.runtime, call.principal
    settings = runtime.settings
    query = parse_query(args, cursor, settings.max_channels)
    subscription = subscription_of(
        query,
        principal.subscribe,
        everything=principal.admin,
        defaults=settings.default_channels,
        own=principal.own_channel,
    )
    ids = (query.former_connection,) if query.former_connection else ()
    poll = Poll(runtime.store, runtime.hub, runtime.clock, subscription, ids, call.bearer)
    answer = _answered(call, poll, query)
    runtime.access.check(principal)  # it may have waited for long: who is revoked sees nothing of what came since
    return answer


def _answered(call: Call, poll: Poll, query: StreamQuery) -> Answer:
    """What ``poll`` gives; one that waits is counted like a stream, and waits no longer than its credentials count."""
    runtime, principal = call.runtime, call.principal
    wait = min(query.wait, MAX_WAIT)
    if principal.expires_at is not None:
        wait = min(wait, max(0.0, principal.expires_at - runtime.clock.now()))
    if not wait:
        return poll.answer(query.cursor, query.retained, query.limit, 0.0)
    with closing(runtime.limits.wait(principal, call.address)), runtime.registry.waiting(poll):
        return poll.answer(query.cursor, query.retained, query.limit, wait)
