"""Publishing and reading: ``/api/v1/events``."""

from __future__ import annotations

from hermes.core.channel import MAX_NAME, RESERVED_PREFIXES
from hermes.core.event import (
    DEFAULT_TYPE,
    MAX_CHANNELS,
    MAX_EVENT_BYTES,
    MAX_EXCLUDE,
    MAX_TTL,
    RESERVED_TYPE_PREFIX,
    STREAM_TYPES,
)
from hermes.core.publisher import MAX_BATCH
from hermes.streaming.query import MAX_LIMIT, MAX_WAIT
from hermes.web.body import MAX_BODY
from hermes.web.openapi.filters import SELECTING
from hermes.web.openapi.parts import (
    JSON,
    PRINTABLE,
    Call,
    Node,
    Section,
    body,
    given,
    header,
    json_answer,
    listed,
    nullable,
    query,
    record,
    ref,
    starting_with,
    text,
    whole,
)

PRINTABLE_TEXT = text("Printable characters.", minLength=1, maxLength=MAX_NAME, pattern=PRINTABLE)

LIMIT = query("limit", "How many events the page holds at most.", whole(1, MAX_LIMIT, default=100))
WAIT = query(
    "wait",
    "Seconds to wait for an event if there is none yet: a long poll.",
    {"type": "number", "minimum": 0, "maximum": MAX_WAIT, "default": 0},
)
AFTER = query("after", "A cursor, or `earliest`: all that is kept. Left out: the retained state, and the tip.", given())
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "The same call with the same key within 10 minutes stores nothing, and answers the same again.",
    {"type": "string", "maxLength": 255},
)


def batches(event: str) -> Node:
    """A body of events with the schema of that name: one, or many."""
    many = listed(ref(event), minItems=1, maxItems=MAX_BATCH)
    about = (
        f"One event, an array, or NDJSON (one event a line; in this schema their array): at most {MAX_BATCH} events and "
        f"{MAX_BODY} bytes, each event at most {MAX_EVENT_BYTES} bytes."
    )
    return body(about, {JSON: {"anyOf": [ref(event), many]}, "application/x-ndjson": many})


STORED = json_answer(
    "All of it is stored.",
    {"anyOf": [ref("StoredEvent"), record({"events": listed(ref("StoredEvent"))})]},
)


CHANNEL: Node = {**ref("ChannelName"), "not": starting_with(*RESERVED_PREFIXES)}

WHERE: dict[str, Node] = {
    "channel": CHANNEL,
    "channels": listed(
        CHANNEL,
        minItems=1,
        maxItems=MAX_CHANNELS,
        description="Instead of `channel`: a stream that has several of them gets the event once.",
    ),
}
WHAT: dict[str, Node] = {
    "type": {
        **ref("EventType"),
        "default": DEFAULT_TYPE,
        "not": {"anyOf": [{"enum": sorted(STREAM_TYPES)}, starting_with(RESERVED_TYPE_PREFIX)]},
    },
    "data": {"description": "Any JSON; left out: `null`."},
    "key": nullable({**PRINTABLE_TEXT, "description": "Makes the event the channel's retained state of this key."}),
    "ttl": nullable(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MAX_TTL,
            "description": "Seconds after which the event is not replayed; not together with `key`.",
        }
    ),
    "exclude": nullable(
        listed(PRINTABLE_TEXT, maxItems=MAX_EXCLUDE, description="Ids of connections that do not get the event.")
    ),
    "idempotency_key": nullable(
        {**PRINTABLE_TEXT, "description": "The same event with the same key within 10 minutes is stored once."}
    ),
}
NO_TTL_WITH_KEY: Node = {
    "not": {"required": ["key", "ttl"], "properties": {"key": {"type": "string"}, "ttl": {"type": "number"}}}
}

SECTION = Section(
    "Events",
    "Publishing, and reading what was published.",
    {
        "POST /api/v1/events": Call(
            body=batches("NewEvent"),
            parameters=[IDEMPOTENCY_KEY],
            answers={201: STORED},
            errors=[409],
            notes="Everything is checked first: one bad event is a 400 that names each index and field, and nothing is stored.",
        ),
        "GET /api/v1/events": Call(
            parameters=[*SELECTING, AFTER, LIMIT, WAIT],
            answers={200: json_answer("One page; go on with its `cursor` as the next `after`.", ref("History"))},
            errors=[403],
        ),
    },
    {
        "NewEvent": record(
            {**WHERE, **WHAT},
            optional=[*WHERE, *WHAT],
            oneOf=[{"required": ["channel"]}, {"required": ["channels"]}],
            **NO_TTL_WITH_KEY,
        ),
    },
)
