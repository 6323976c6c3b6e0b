"""The channels in use, and who is there: ``/api/v1/channels``."""

from __future__ import annotations

from hermes.web.channels import EVENTS, MAX_EVENTS, MAX_PAGE, PAGE
from hermes.web.openapi.parts import (
    Call,
    Node,
    Section,
    in_path,
    json_answer,
    listed,
    nullable,
    page_of,
    paging,
    query,
    record,
    ref,
    text,
    whole,
)

NAME = in_path("name", "The channel's name, percent-encoded.", ref("ChannelName"))

CHANNEL: dict[str, Node] = {
    "channel": ref("ChannelName"),
    "rate": {"type": "number", "minimum": 0, "description": "Events a second, over the last minute."},
    "last_event_at": nullable(ref("Time")),
    "presence": {"type": "boolean", "description": "Whether Hermes knows who is there: `HERMES_PRESENCE_CHANNELS`."},
    "subscribers": whole(
        description="Streams of all processes: in a list those that name it, else those with a pattern, too."
    ),
}
DETAIL: dict[str, Node] = {
    "retained": whole(description="Keys of its retained state."),
    "events": listed(ref("Event"), description="Its newest events."),
    "cursor": text("Where to go on from."),
}
PRESENT = record({"user_id": text(), "since": ref("Time")})

SECTION = Section(
    "Channels",
    "The channels in use, and who is there.",
    {
        "GET /api/v1/channels": Call(
            parameters=paging(MAX_PAGE, PAGE),
            answers={200: json_answer("A page of channels.", page_of(ref("Channel")))},
        ),
        "GET /api/v1/channels/{name}": Call(
            parameters=[
                NAME,
                query(
                    "limit", "How many of its newest events come along at most.", whole(1, MAX_EVENTS, default=EVENTS)
                ),
            ],
            answers={200: json_answer("The channel.", record({**CHANNEL, **DETAIL}))},
            errors=[403],
        ),
        "GET /api/v1/channels/{name}/presence": Call(
            parameters=[NAME, *paging(MAX_PAGE, PAGE)],
            answers={
                200: json_answer(
                    "A page of users.", page_of(PRESENT, count=whole(description="How many they are, on all pages."))
                )
            },
            errors=[403],
            notes="Asks for the right to subscribe to `presence:` and the channel's name.",
        ),
    },
    {"Channel": record(CHANNEL)},
)
