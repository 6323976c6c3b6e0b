"""How a caller shows who it is."""

from __future__ import annotations

from hermes.access.guard import ANYONE, OPEN, TOKEN_COOKIE, TOKEN_QUERY
from hermes.access.signin import COOKIE
from hermes.web.openapi.parts import Node

SCHEMES: dict[str, Node] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token (JWT)."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": TOKEN_COOKIE, "description": "A token (JWT), of a browser."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "The dashboard's session."},
    "token": {
        "type": "apiKey",
        "in": "query",
        "name": TOKEN_QUERY,
        "description": "A token, on streams only: for EventSource, which cannot set headers.",
    },
}


def requirements(level: str, *, query_token: bool) -> list[Node]:
    """What a call of that level asks for: one of these."""
    if level == OPEN:
        return []
    names = [name for name in SCHEMES if name != "token" or query_token]
    return [*({name: []} for name in names), *([{}] if level == ANYONE else [])]
