"""Streams: ``/api/v1/events/stream``, its aliases, and the frames that they are made of."""

from __future__ import annotations

from hermes.core.event import STREAM_TYPES
from hermes.errors import Retryable
from hermes.streaming.listener import CloseReason
from hermes.web.openapi.errors import codes_of
from hermes.web.openapi.events import LIMIT, WAIT
from hermes.web.openapi.filters import SELECTING
from hermes.web.openapi.parts import (
    JSON,
    Call,
    Node,
    Section,
    answer,
    given,
    header,
    listed,
    nullable,
    query,
    record,
    ref,
    text,
    whole,
)

EVENT_STREAM = "text/event-stream"


def choice(name: str, about: str, *values: str) -> Node:
    """A parameter of the query with a few values, of which the first is the default."""
    return query(name, about, {"type": "string", "enum": list(values), "default": values[0]})


CURSOR = "The cursor of the first connect; `earliest`: all that is kept. One that cannot be read gives a `reset`."

PARAMETERS: list[Node] = [
    *SELECTING,
    query("download_id", "Short for a filter of that name, instead of `filters`.", given()),
    query("last_event_id", CURSOR, given()),
    query("lastEventId", "The same as `last_event_id`.", given()),
    query("Last-Event-ID", "The same as `last_event_id`.", given()),
    header("Last-Event-ID", "The cursor, as browsers send it when they reconnect: it wins over the query's.", text()),
    choice("overflow", "`latest`: of keyed events that were missed only the newest of each key.", "resume", "latest"),
    choice(
        "retained",
        "`auto`: fresh streams and reset channels begin with their retained state. `1`: always. `0`: never.",
        "auto",
        "1",
        "0",
    ),
    choice("envelope", "`1`: `data` holds the event with its id, channel, type and time.", "0", "1"),
    query("connection", "The client's former connection id, so that `exclude` also holds in the replay.", given()),
    choice("poll", "`1`: one page of JSON instead of a stream; `wait` and `limit` count too.", "0", "1"),
    WAIT,
    LIMIT,
]

STREAM = answer(
    "The stream, which does not end by itself: in this schema each frame of it. With `poll=1` a page of JSON. A refusal that a "
    "retry can cure comes as a stream of one `error`, too, unless `Accept` names `application/json`.",
    {EVENT_STREAM: ref("Frame"), JSON: ref("History")},
)

CONNECTED = record(
    {
        "connection_id": text(),
        "timestamp": ref("Time"),
        "channels": listed(ref("Pattern"), description="All that is subscribed, the implicit ones too."),
        "user_id": nullable(text()),
        "heartbeat_interval": {"type": "number", "description": "Seconds."},
        "cursor": text("Where this stream goes on from."),
        "recovered": {"type": ["boolean", "null"], "description": "`null` without a cursor."},
    },
)
REFUSAL = record(
    {
        "code": {"type": "string", "enum": [*sorted(codes_of(Retryable)), "INTERNAL_ERROR"]},
        "message": text(),
        "error": text("The same text."),
    },
)
CLOSE = record(
    {
        "reason": {"type": "string", "enum": [reason.value for reason in CloseReason if reason != CloseReason.GONE]},
        "reconnect": {"type": "boolean", "description": "Whether to come back."},
    },
    description="Why the server ended the stream.",
)


FIELDS: dict[str, Node] = {
    "id": text("The cursor."),
    "retry": whole(description="Milliseconds to wait before a reconnect."),
    "channel": ref("ChannelName"),
    "time": ref("Time"),
    "retained": {"const": "1", "description": "It is retained state, not news."},
}


def frame(event: Node, data: Node, *optional: str) -> Node:
    """A frame: its event type, its data (JSON in a string), and which of ``FIELDS`` it may have besides."""
    return record(
        {
            "event": {"type": "string", **event},
            "data": {"type": "string", "contentMediaType": JSON, "contentSchema": data},
            **{name: FIELDS[name] for name in optional},
        },
        optional=optional,
    )


SECTION = Section(
    "Streams",
    "Server-sent events.",
    {
        f"GET {path}": Call(parameters=PARAMETERS, answers={200: STREAM}, errors=[403], notes=notes)
        for path, notes in {
            "/api/v1/events/stream": "",
            "/events": "`missing=pass` is the default.",
            "/events/authenticated": "`missing=pass` is the default.",
        }.items()
    },
    {
        "Close": CLOSE,
        "Frame": {
            "anyOf": [
                frame({"const": "connected"}, CONNECTED, "retry"),
                frame({"const": "reset"}, ref("Reset"), "id"),
                frame({"const": "heartbeat"}, record({"timestamp": ref("Time")}), "id"),
                frame({"const": "error"}, REFUSAL, "id", "retry"),
                frame({"const": "close"}, ref("Close"), "id", "retry"),
                frame(
                    {"not": {"enum": sorted(STREAM_TYPES)}},
                    {"description": "The event's data, or its envelope."},
                    *("id", "channel", "time", "retained"),
                ),
            ]
        },
    },
)
