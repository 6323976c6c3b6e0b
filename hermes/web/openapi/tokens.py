"""Short-lived tokens: ``/api/v1/tokens``."""

from __future__ import annotations

from hermes.core.channel import MAX_NAME
from hermes.web.openapi.grants import PATTERNS
from hermes.web.openapi.parts import (
    Call,
    Node,
    Section,
    answer,
    in_path,
    json_answer,
    json_body,
    nullable,
    record,
    ref,
    text,
)
from hermes.web.openapi.shared import USER_ID

SOMETHING: Node = {
    "anyOf": [
        {"required": ["user_id"], "properties": {"user_id": {"type": "string"}}},
        *({"required": [name], "properties": {name: {"type": "array", "minItems": 1}}} for name in PATTERNS),
    ]
}
"""A token is of somebody or for something."""

NEW_TOKEN: dict[str, Node] = {
    "user_id": nullable(
        {**USER_ID, "description": "Whose token it is: its streams get the channel `user:` and this id without asking."}
    ),
    **PATTERNS,
    "ttl": nullable(ref("TokenLifetime")),
}

SECTION = Section(
    "Tokens",
    "Short-lived credentials of one user, for a browser.",
    {
        "POST /api/v1/tokens": Call(
            body=json_body(
                "Whose token it is, and what it may do: nothing beyond its key's own grants.", ref("NewToken")
            ),
            answers={
                201: json_answer(
                    "The token, in `token`.",
                    record({"token": text("A JWT."), "jti": text("Its id."), "expires_at": ref("Time")}),
                )
            },
        ),
        "DELETE /api/v1/tokens/{jti}": Call(
            parameters=[in_path("jti", "The token's id.", text(minLength=1, maxLength=MAX_NAME))],
            answers={204: answer("It counts no more.", {})},
        ),
    },
    {"NewToken": record(NEW_TOKEN, optional=list(NEW_TOKEN), **SOMETHING)},
)
