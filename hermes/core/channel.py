"""Channel names, and the patterns that select them."""

from __future__ import annotations

import re
from functools import lru_cache

from hermes.errors import InvalidInput, Problem

MAX_NAME = 255
"""Characters in a channel name, an event type, a pattern or a key."""

PROTECTED_PREFIXES = ("user:", "presence:", "hermes:")
"""Channels that a pattern matches only if it spells their prefix: a plain ``*`` must not open private channels."""

RESERVED_PREFIXES = ("hermes:", "presence:")
"""Channels that only Hermes publishes to."""

CONTROL_CHANNEL = "hermes:control"
"""Numbered events between processes; no stream, read or list ever shows it."""

_FORBIDDEN_IN_NAME = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff,*]")
_FORBIDDEN_IN_PATTERN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff,]")


def name_problem(name: object) -> str | None:
    """Why ``name`` cannot be a channel name or an event type, with the remedy; ``None`` if it can."""
    if not isinstance(name, str):
        return "must be a string"
    if not 1 <= len(name) <= MAX_NAME:
        return f"must have 1 to {MAX_NAME} characters, has {len(name)}"
    if _FORBIDDEN_IN_NAME.search(name):
        return "must not contain white space, control characters, a comma or '*'"
    return None


def pattern_problem(text: object) -> str | None:
    """Why ``text`` cannot be a channel name or a pattern, with the remedy; ``None`` if it can."""
    if not isinstance(text, str):
        return "must be a string"
    if not 1 <= len(text) <= MAX_NAME:
        return f"must have 1 to {MAX_NAME} characters, has {len(text)}"
    if _FORBIDDEN_IN_PATTERN.search(text):
        return "must not contain white space, control characters or a comma"
    return None


def is_reserved_channel(name: str) -> bool:
    """Whether only Hermes itself may publish to ``name``."""
    return name.startswith(RESERVED_PREFIXES)


class Pattern:
    """A channel name, or one with ``*`` that stands for any run of characters.

    Matching takes time in proportion to the name, whatever the pattern: each literal part is found once, from left to
    right, which is enough when ``*`` is the only wildcard.
    """

    __slots__ = ("_head", "_parts", "_tail", "exact", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.exact = "*" not in text
        parts = text.split("*")
        self._head, self._parts, self._tail = parts[0], [part for part in parts[1:-1] if part], parts[-1]

    def fits(self, name: str) -> bool:
        """Whether the characters fit, with no regard to protected prefixes (event types have none)."""
        if self.exact:
            return name == self.text
        end = len(name) - len(self._tail)
        at = len(self._head)
        if at > end or not name.startswith(self._head) or not name.endswith(self._tail):
            return False
        for part in self._parts:
            at = name.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    def matches(self, channel: str) -> bool:
        """Whether this pattern selects ``channel``; protected prefixes must be spelled out, ``hermes:control`` never is."""
        if channel.startswith(PROTECTED_PREFIXES):
            if channel == CONTROL_CHANNEL:
                return False
            prefix = channel[: channel.index(":") + 1]
            if not self.text.startswith(prefix):
                return False
        return self.fits(channel)

    def may_meet(self, other: Pattern) -> bool:
        """Whether there may be a channel that both select; ``False`` where there surely is none."""
        if any(self.text.startswith(prefix) != other.text.startswith(prefix) for prefix in PROTECTED_PREFIXES):
            return False
        return (self._head.startswith(other._head) or other._head.startswith(self._head)) and (
            self._tail.endswith(other._tail) or other._tail.endswith(self._tail)
        )

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


@lru_cache(maxsize=4096)
def pattern(text: str) -> Pattern:
    """The pattern for ``text``, shared: the same few are used by many streams."""
    return Pattern(text)


def parse_patterns(text: str, field: str, limit: int) -> tuple[str, ...]:
    """A comma-separated list of names and patterns, without repeats and in their order.

    Raises :class:`~hermes.errors.InvalidInput` that names ``field`` where an entry is bad or there are over ``limit``.
    """
    items = tuple(dict.fromkeys(item for item in text.split(",") if item))
    if len(items) > limit:
        raise InvalidInput(
            [Problem(field, f"at most {limit} entries, got {len(items)}: open a second stream or use a pattern")]
        )
    for item in items:
        if len(item) > MAX_NAME:
            raise InvalidInput([Problem(field, f"an entry has at most {MAX_NAME} characters")])
        if _FORBIDDEN_IN_PATTERN.search(item):
            raise InvalidInput(
                [Problem(field, f"{item!r}: an entry must not contain white space or control characters")]
            )
    return items
