"""The stream endpoint: from a request to a listener on the right lane, and refusals that an EventSource survives."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response
from werkzeug.wrappers import Request

from hermes.access.guard import ANYONE, guarded
from hermes.core.subscription import Subscription
from hermes.errors import Forbidden, Retryable, SseDisabled, Unauthorized
from hermes.streaming.direct import DirectMember, DirectStream
from hermes.streaming.listener import Listener, Pace, Place, jittered
from hermes.streaming.member import Waiter
from hermes.streaming.opening import Opener
from hermes.streaming.portable import PortableStream, WatchedStream
from hermes.streaming.query import STREAM_NAMES, StreamQuery, parse_query, subscription_of
from hermes.streaming.sockets import ENVIRON_KEY, PlainSocket
from hermes.web.events import poll_response
from hermes.web.refusals import HEADERS, refusal
from hermes.web.requests import Call, current_call

if TYPE_CHECKING:
    from hermes.runtime import Runtime

blueprint = Blueprint("streams", __name__)


@blueprint.get("/api/v1/events/stream")
@guarded(ANYONE, stream=True)
def stream() -> Response:
    """A stream, or with ``poll=1`` one page of it."""
    return stream_to(current_call())


@blueprint.get("/events")
@guarded(ANYONE, stream=True)
def alias() -> Response:
    """The same stream by a path that other programs use: parameters that are not ours are passed over."""
    call = current_call()
    args = {name: value for name, value in call.request.args.items() if name in STREAM_NAMES}
    return _answer(call, {"missing": "pass", **args})


@blueprint.get("/events/authenticated")
@guarded(ANYONE, stream=True)
def authenticated_alias() -> Response:
    """The same again, for callers with credentials only."""
    if current_call().principal.anonymous:
        raise Unauthorized("this stream needs credentials: send 'Authorization: Bearer <key>'")
    return alias()


def stream_to(call: Call) -> Response:
    """See :func:`stream`."""
    return _answer(call, call.request.args.to_dict())


def _answer(call: Call, args: Mapping[str, str]) -> Response:
    if args.get("poll") == "1":
        return poll_response(call, args, _header_cursor(call.request))
    try:
        return _open(call, args)
    except Retryable as error:
        call.refused(error)
        return refusal(error, call.request)
    except Forbidden as error:
        call.refused(error)
        raise


def _open(call: Call, args: Mapping[str, str]) -> Response:
    runtime, principal, request, _ = call
    settings = runtime.settings
    query = parse_query(args, _header_cursor(request), settings.max_channels)
    subscription = subscription_of(
        query,
        principal.subscribe,
        everything=principal.admin,
        defaults=settings.default_channels,
        own=principal.own_channel,
    )
    if not settings.enable_sse:
        raise SseDisabled("streaming is switched off here: poll instead")
    if request.method == "HEAD":
        return Response(status=200, headers=HEADERS)
    runtime.registry.admit()
    place = runtime.limits.open(principal, call.address)
    try:
        return _open_at(call, query, subscription, place)
    except BaseException:
        place.close()
        raise


def _open_at(call: Call, query: StreamQuery, subscription: Subscription, place: Place) -> Response:
    runtime, request = call.runtime, call.request
    settings = runtime.settings
    opener = Opener(runtime.store, runtime.hub, subscription, query.retained)
    opening = opener.open(query.cursor)
    plain: PlainSocket | None = request.environ.get(ENVIRON_KEY)
    connection_id = secrets.token_urlsafe(12)
    ids = (connection_id, query.former_connection) if query.former_connection else (connection_id,)
    now = runtime.clock.monotonic()
    if plain is not None and settings.direct_lane:
        member: Waiter = DirectMember(subscription, opening.position, ids, now, chunked=plain.chunked)
    else:
        member = Waiter(subscription, opening.position, ids, now)
    listener = Listener(
        member,
        opening,
        opener,
        store=runtime.store,
        hub=runtime.hub,
        clock=runtime.clock,
        pace=_pace(runtime),
        bearer=call.bearer,
        place=place,
        latest=query.latest,
    )
    runtime.audit.opened(call.principal.id, call.address.text, subscription.items)
    return _response(runtime, listener, member, plain)


def _response(runtime: Runtime, listener: Listener, member: Waiter, plain: PlainSocket | None) -> Response:
    ended = runtime.ended
    iterable: PortableStream
    if isinstance(member, DirectMember):
        iterable = DirectStream(listener, member, ended, runtime.direct)
    elif plain is not None:
        iterable = WatchedStream(listener, member, ended, plain, runtime.direct.rules, runtime.direct.departures)
    else:
        iterable = PortableStream(listener, member, ended)
    runtime.registry.add(listener)
    return Response(iterable, headers=HEADERS, direct_passthrough=True)


def _pace(runtime: Runtime) -> Pace:
    settings = runtime.settings
    max_age = jittered(settings.connection_timeout) if settings.connection_timeout else 0.0
    return Pace(settings.heartbeat_interval, jittered(settings.retry), max_age)


def _header_cursor(request: Request) -> str | None:
    """``Last-Event-ID``, which browsers send as UTF-8 and WSGI hands over as latin-1."""
    header = request.headers.get("Last-Event-ID")
    return header.encode("latin-1", "replace").decode("utf-8", "replace") if header else None
