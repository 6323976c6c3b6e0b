"""Schemas that several parts of the API have in common: names, times, events as they are read, pages of history."""

from __future__ import annotations

from hermes.core.channel import MAX_NAME
from hermes.core.event import DEFAULT_TYPE
from hermes.core.recovery import ResetReason
from hermes.settings import Settings
from hermes.web.openapi.parts import Node, listed, nullable, record, ref, text, whole

NAME_PATTERN = r"^[^\s\x00-\x1f\x7f-\x9f,*]+$"
"""What :func:`~hermes.core.channel.name_problem` asks for; a test compares the two character by character."""

PATTERN_PATTERN = r"^[^\s\x00-\x1f\x7f-\x9f,]+$"

USER_ID = text(minLength=1, maxLength=MAX_NAME - len("user:"), pattern=NAME_PATTERN)
"""What makes the name of a channel with ``user:`` before it."""

EVENT: dict[str, Node] = {
    "id": text("The event's place in the log: a cursor."),
    "channel": ref("ChannelName"),
    "type": ref("EventType"),
    "data": {"description": "The event's data: any JSON."},
    "time": ref("Time"),
}

SCHEMAS: dict[str, Node] = {
    "ChannelName": text(
        "The name of a channel.", minLength=1, maxLength=MAX_NAME, pattern=NAME_PATTERN, examples=["orders"]
    ),
    "Pattern": text(
        "The name of a channel, or a pattern in which `*` stands for any run of characters. `user:`, `presence:` and `hermes:` "
        "channels match only patterns that spell that prefix.",
        minLength=1,
        maxLength=MAX_NAME,
        pattern=PATTERN_PATTERN,
        examples=["orders:*"],
    ),
    "EventType": text(
        "The type of an event.", minLength=1, maxLength=MAX_NAME, pattern=NAME_PATTERN, examples=[DEFAULT_TYPE]
    ),
    "Time": text(
        "UTC, ISO 8601 with milliseconds.", format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
    ),
    "Event": record(EVENT),
    "RetainedEvent": record(
        {**{name: schema for name, schema in EVENT.items() if name != "id"}, "key": text("Whose state it is.")}
    ),
    "Reset": record(
        {
            "reason": {"type": "string", "enum": [reason.value for reason in ResetReason]},
            "channels": listed(ref("Pattern"), description="The names and patterns asked for that are affected."),
        },
        description="Events of some channels may be missing.",
    ),
    "History": record(
        {
            "events": listed(ref("Event")),
            "cursor": text("Where to go on from."),
            "reset": nullable(ref("Reset")),
            "retained": listed(ref("RetainedEvent")),
            "close": nullable(ref("Close")),
        },
        description="One page of JSON.",
    ),
    "StoredEvent": record({"id": text("The event's place in the log: a cursor.")}),
}


def limits(settings: Settings) -> dict[str, Node]:
    """The schemas whose bounds an operator sets."""
    most = settings.max_channels
    return {
        "Channels": listed(ref("Pattern"), maxItems=most, description=f"Up to {most} names and patterns of channels."),
        "TokenLifetime": whole(
            1,
            settings.token_max_ttl,
            default=min(settings.token_ttl, settings.token_max_ttl),
            description="Seconds that the token counts, but not longer than its key does.",
        ),
    }
