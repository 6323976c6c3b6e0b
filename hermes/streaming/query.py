"""What a caller asks of a stream, read from its query and headers: values in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from hermes.core.channel import parse_patterns
from hermes.core.filter import Filter, parse_filter
from hermes.core.subscription import Subscription
from hermes.errors import Forbidden, InvalidInput, Problem, invalid

MAX_TYPES = 50
MAX_LIMIT = 1000
MAX_WAIT = 25.0
"""Seconds that a long poll may wait: below the 30 s after which common platforms cut."""

CURSOR_NAMES = ("last_event_id", "lastEventId", "Last-Event-ID")
STREAM_NAMES = frozenset(
    (
        *CURSOR_NAMES,
        "channels",
        "types",
        "filters",
        "missing",
        "download_id",
        "overflow",
        "retained",
        "envelope",
        "connection",
        "poll",
        "wait",
        "limit",
        "token",
    )
)


@dataclass(slots=True, frozen=True)
class StreamQuery:
    """One stream as it was asked for; see the HTTP reference for each."""

    channels: tuple[str, ...] | None
    types: tuple[str, ...]
    filter: Filter | None
    cursor: str | None
    latest: bool
    retained: str
    envelope: bool
    former_connection: str | None
    poll: bool
    wait: float
    limit: int


def parse_query(args: Mapping[str, str], header_cursor: str | None, max_channels: int) -> StreamQuery:
    """The query of a stream; raises :class:`~hermes.errors.InvalidInput` that names the field and the remedy.

    The cursor in the header wins over the query's: a browser that reconnects repeats the query of its first connect.
    """
    unknown = sorted(set(args) - STREAM_NAMES)
    if unknown:
        raise InvalidInput([Problem(name[:64], "unknown parameter; see the HTTP reference") for name in unknown])
    channels = parse_patterns(args["channels"], "channels", max_channels) if args.get("channels") else None
    cursor = header_cursor or next((args[name] for name in CURSOR_NAMES if args.get(name)), None)
    return StreamQuery(
        channels=channels,
        types=parse_patterns(args.get("types", ""), "types", MAX_TYPES),
        filter=_filter(args),
        cursor=cursor,
        latest=_choice(args, "overflow", ("resume", "latest")) == "latest",
        retained=_choice(args, "retained", ("auto", "1", "0")),
        envelope=_choice(args, "envelope", ("0", "1")) == "1",
        former_connection=(args.get("connection") or "")[:64] or None,
        poll=_choice(args, "poll", ("0", "1")) == "1",
        wait=number(args, "wait", 0.0, 0.0, MAX_WAIT),
        limit=int(number(args, "limit", 100, 1, MAX_LIMIT)),
    )


def _filter(args: Mapping[str, str]) -> Filter | None:
    filters = args.get("filters", "")
    if args.get("download_id"):
        if filters:
            raise invalid("download_id", "is short for a filter: give it inside 'filters' as {\"download_id\": ...}")
        filters = json.dumps({"download_id": args["download_id"]})
    return parse_filter(filters, args.get("missing", ""))


def _choice(args: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = args.get(name) or choices[0]
    if value not in choices:
        raise invalid(name, f"must be one of {', '.join(choices)}")
    return value


def number(args: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """A number in the query, within its bounds; raises :class:`~hermes.errors.InvalidInput`."""
    text = args.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise invalid(name, f"must be a number from {low:g} to {high:g}")
    return value


def subscription_of(
    query: StreamQuery, grants: tuple[str, ...], *, everything: bool, defaults: tuple[str, ...], own: str | None
) -> Subscription:
    """The subscription that ``query`` asks for, within a principal's ``grants``.

    A named channel that the principal may not see is a :class:`~hermes.errors.Forbidden` that names it; a pattern, and the
    ``defaults`` of a stream that names none, mean what of it may be seen. ``own`` is the caller's ``user:`` channel.
    """
    items = defaults if query.channels is None else query.channels
    if own is not None and own not in items:
        items = (*items, own)
    granted = grants if own is None else (*grants, own)
    subscription = _subscription(items, query, granted, everything)
    hidden = [name for name in items if "*" not in name and not subscription.covers(name)]
    if query.channels is not None and hidden:
        raise Forbidden(f"you may not subscribe to {hidden[0]!r}", {"channels": hidden})
    if not hidden:
        return subscription
    seen = tuple(item for item in items if item not in hidden)
    return _subscription(seen, query, granted, everything)


def _subscription(
    items: tuple[str, ...], query: StreamQuery, grants: tuple[str, ...], everything: bool
) -> Subscription:
    return _shared(items, query.types, query.filter, grants, everything, query.envelope)


@lru_cache(maxsize=1024)
def _shared(
    items: tuple[str, ...],
    types: tuple[str, ...],
    filter: Filter | None,
    grants: tuple[str, ...],
    everything: bool,
    envelope: bool,
) -> Subscription:
    """Equal subscriptions are one object: thousands of streams ask for the same."""
    return Subscription(items, types, filter, grants, everything=everything, envelope=envelope)
