"""Who is connected: ``/api/v1/connections``."""

from __future__ import annotations

from hermes.core.channel import MAX_NAME
from hermes.web.connections import MAX_PAGE, PAGE, SENT_FIELDS
from hermes.web.openapi.events import WHAT
from hermes.web.openapi.parts import (
    Call,
    Node,
    Section,
    answer,
    given,
    in_path,
    json_answer,
    json_body,
    leading_to,
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

ID = in_path("id", "The connection's id, as its frame `connected` has it.", text(minLength=1))

FILTERS = {
    "user": "Only this user's.",
    "channel": "Only those that subscribe to this channel, by name or by pattern.",
    "node": "Only those of this process.",
}

CONNECTION: dict[str, Node] = {
    "connection_id": text(),
    "user_id": nullable(text()),
    "principal": text("Whose key or token opened it."),
    "address": text("Where it comes from."),
    "channels": listed(ref("Pattern")),
    "types": listed(ref("Pattern"), description="None: all."),
    "filters": nullable(ref("Filters")),
    "connected_at": ref("Time"),
    "node": text("The process that has it."),
    "last_event_id": nullable(
        text("How far it has come; `null` where its process does not answer, like the next two.")
    ),
    "lag": nullable(whole(description="Numbers between it and its process.")),
    "queued": nullable(whole(description="Bytes that wait for its socket.")),
}

FIRST = {"id": "/items/0/connection_id"}

SECTION = Section(
    "Connections",
    "The open streams of all processes.",
    {
        "GET /api/v1/connections": Call(
            parameters=[
                *(query(name, about, given(maxLength=MAX_NAME)) for name, about in FILTERS.items()),
                *paging(MAX_PAGE, PAGE),
            ],
            answers={
                200: leading_to(
                    json_answer(
                        "A page of streams; long lists of channels and types are cut.", page_of(ref("Connection"))
                    ),
                    **dict.fromkeys(("connections_one", "connections_send", "connections_disconnect"), FIRST),
                )
            },
        ),
        "GET /api/v1/connections/{id}": Call(
            parameters=[ID], answers={200: json_answer("The stream.", ref("Connection"))}
        ),
        "DELETE /api/v1/connections/{id}": Call(parameters=[ID], answers={204: answer("It ends.", {})}),
        "POST /api/v1/connections/{id}/events": Call(
            parameters=[ID],
            body=json_body("The event.", record({name: WHAT[name] for name in SENT_FIELDS}, optional=SENT_FIELDS)),
            answers={200: json_answer("Whether it was delivered.", record({"delivered": {"type": "boolean"}}))},
        ),
    },
    {"Connection": record(CONNECTION)},
)
