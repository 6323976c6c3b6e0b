"""The audit: ``/api/v1/audit``."""

from __future__ import annotations

from hermes.observe.tallies import MOST_TEXT, OK
from hermes.web.audit import MAX_LIMIT
from hermes.web.openapi.parts import (
    PRINTABLE,
    Call,
    Section,
    given,
    json_answer,
    page_of,
    paging,
    query,
    record,
    ref,
    text,
    whole,
)

FILTERS = {
    "action": "Only this action, such as `publish`, `open`, `refuse` or `key.create`.",
    "principal": "Only what this principal did.",
    "outcome": f"Only this outcome: `{OK}`, or the code of an error.",
}

SECTION = Section(
    "Audit",
    "Who did what.",
    {
        "GET /api/v1/audit": Call(
            parameters=[
                *(query(name, about, given(maxLength=MOST_TEXT, pattern=PRINTABLE)) for name, about in FILTERS.items()),
                *paging(MAX_LIMIT, 100),
            ],
            answers={200: json_answer("A page of entries.", page_of(ref("AuditEntry")))},
        ),
    },
    {
        "AuditEntry": record(
            {
                "id": whole(),
                "at": ref("Time"),
                "action": text(),
                "principal": text("Who."),
                "address": text("From where."),
                "target": text("A channel, a key, a connection, a path ..."),
                "outcome": text(f"`{OK}`, or the code of the error that it was refused with."),
                "count": whole(description="How often; traffic is summed up by the minute."),
                "detail": text(),
            }
        ),
    },
)
