"""Grants, as they are asked for and as they are shown: the same for API keys and for tokens."""

from __future__ import annotations

from hermes.access.grants import ADMIN_PREFIX, MAX_PATTERNS
from hermes.web.openapi.parts import Node, listed, nullable, ref, starting_with

_PATTERN: Node = {**ref("Pattern"), "not": starting_with(ADMIN_PREFIX)}

ABOUT = {
    "subscribe": "Names and patterns of channels that may be subscribed to.",
    "publish": "Names and patterns of channels that may be published to.",
    "admin": "Nothing is withheld.",
    "tokens": "May mint tokens, never beyond these grants.",
}

PATTERNS: dict[str, Node] = {
    name: nullable(listed(_PATTERN, maxItems=MAX_PATTERNS, description=ABOUT[name]))
    for name in ("subscribe", "publish")
}
"""What may be asked for in channels."""

RIGHTS: dict[str, Node] = {
    name: {"type": "boolean", "default": False, "description": ABOUT[name]} for name in ("admin", "tokens")
}
"""What else may be asked for."""

SHOWN: dict[str, Node] = {
    **{name: listed(ref("Pattern"), description=ABOUT[name]) for name in ("subscribe", "publish")},
    **{name: {"type": "boolean", "description": ABOUT[name]} for name in ("admin", "tokens")},
}
