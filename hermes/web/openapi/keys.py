"""API keys: ``/api/v1/keys``."""

from __future__ import annotations

from hermes.access.key import CREATED, INSTALLATION, SETTINGS
from hermes.access.key_fields import LONGEST, MAX_NAME
from hermes.web.keys import MAX_PAGE, PAGE
from hermes.web.openapi.grants import PATTERNS, RIGHTS, SHOWN
from hermes.web.openapi.parts import (
    PRINTABLE,
    Call,
    Node,
    Section,
    answer,
    in_path,
    json_answer,
    json_body,
    nullable,
    page_of,
    paging,
    record,
    ref,
    text,
)

ID = in_path("id", "The key's id, which is also in the key itself.", text(minLength=1))

MORE_THAN_SPACES: Node = {"not": {"pattern": "^ +$"}}

NEW_KEY: dict[str, Node] = {
    "name": text("Whose key it is.", minLength=1, maxLength=MAX_NAME, pattern=PRINTABLE, **MORE_THAN_SPACES),
    **PATTERNS,
    **RIGHTS,
    "expires_in": nullable(
        {"type": "number", "minimum": 1, "maximum": LONGEST, "description": "Seconds that the key counts."}
    ),
    "expires_at": nullable(
        text("When the key ends, with its zone; not together with `expires_in`.", format="date-time")
    ),
}

KEY: dict[str, Node] = {
    "id": text(),
    "name": text(),
    "kind": {
        "type": "string",
        "enum": [CREATED, SETTINGS, INSTALLATION],
        "description": "Only keys that were created can be revoked here.",
    },
    **SHOWN,
    **{name: nullable(ref("Time")) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")},
}

SECTION = Section(
    "Keys",
    "API keys, which last until they are revoked or expire.",
    {
        "POST /api/v1/keys": Call(
            body=json_body("What the key is for.", ref("NewKey")),
            answers={201: json_answer("The key, in `key`.", record({**KEY, "key": text("The key itself.")}))},
        ),
        "GET /api/v1/keys": Call(
            parameters=paging(MAX_PAGE, PAGE),
            answers={200: json_answer("A page of keys.", page_of(ref("Key")))},
        ),
        "GET /api/v1/keys/{id}": Call(
            parameters=[ID],
            answers={200: json_answer("The key, without the key itself.", ref("Key"))},
        ),
        "DELETE /api/v1/keys/{id}": Call(
            parameters=[ID],
            answers={204: answer("It counts no more.", {})},
        ),
    },
    {
        "Key": record(KEY),
        "NewKey": record(
            NEW_KEY,
            optional=[name for name in NEW_KEY if name != "name"],
            **{
                "not": {
                    "required": ["expires_in", "expires_at"],
                    "properties": {"expires_in": {"type": "number"}, "expires_at": {"type": "string"}},
                }
            },
        ),
    },
)
