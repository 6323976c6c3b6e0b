"""One user's streams: ``/api/v1/users/{user_id}``."""

from __future__ import annotations

from hermes.web.openapi.events import IDEMPOTENCY_KEY, NO_TTL_WITH_KEY, STORED, WHAT, batches
from hermes.web.openapi.parts import Call, Section, in_path, json_answer, record, whole
from hermes.web.openapi.shared import USER_ID

ID = in_path(
    "user_id",
    "The user's id, percent-encoded: with `user:` before it the name of the user's own channel.",
    USER_ID,
)

SECTION = Section(
    "Users",
    "All streams of one user.",
    {
        "POST /api/v1/users/{user_id}/events": Call(
            parameters=[ID, IDEMPOTENCY_KEY],
            body=batches("NewUserEvent"),
            answers={201: STORED},
            errors=[409],
        ),
        "DELETE /api/v1/users/{user_id}/connections": Call(
            parameters=[ID],
            answers={200: json_answer("They end.", record({"connections": whole(description="How many.")}))},
        ),
    },
    {
        "NewUserEvent": record(
            WHAT,
            optional=list(WHAT),
            description="An event without a channel: that is the user's own.",
            **NO_TTL_WITH_KEY,
        )
    },
)
