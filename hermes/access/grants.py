"""Grants: patterns of the channels that a caller may subscribe to and publish to, and what else it may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hermes.core.channel import name_problem, pattern, pattern_problem
from hermes.errors import InvalidInput, Problem

MAX_PATTERNS = 100
"""Patterns in one list of grants."""

SUBJECT = "{sub}"
"""Stands for the caller's subject in a pattern, literally."""

ADMIN_PREFIX = "hermes:"
"""Channels that only administrators see: no pattern grants them."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What a key or a token lets its bearer do. An administrator needs no patterns and no rights."""

    subscribe: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    admin: bool = False
    tokens: bool = False
    """May mint stream tokens, never beyond these grants."""

    def of_subject(self, subject: str) -> Grants:
        """These grants with ``{sub}`` replaced. Raises ``ValueError`` for a subject that is no valid part of a channel name.

        A subject with ``*`` would widen the pattern, one with a comma would be two channels.
        """
        if name_problem(subject) is not None:
            raise ValueError("the subject is no valid part of a channel name")
        return Grants(
            tuple(text.replace(SUBJECT, subject) for text in self.subscribe),
            tuple(text.replace(SUBJECT, subject) for text in self.publish),
            self.admin,
            self.tokens,
        )

    def covers(self, other: Grants) -> bool:
        """Whether ``other`` goes nowhere beyond these."""
        if self.admin:
            return True
        if other.admin or (other.tokens and not self.tokens):
            return False
        return all(_within(text, self.subscribe) for text in other.subscribe) and all(
            _within(text, self.publish) for text in other.publish
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON has them."""
        return {
            "subscribe": list(self.subscribe),
            "publish": list(self.publish),
            "admin": self.admin,
            "tokens": self.tokens,
        }


def grants_from_fields(fields: Mapping[str, Any]) -> Grants:
    """Grants as JSON gives them; raises :class:`~hermes.errors.InvalidInput` that names each bad field."""
    problems: list[Problem] = []
    lists = {name: _patterns(fields.get(name), name, problems) for name in ("subscribe", "publish")}
    flags = {}
    for name in ("admin", "tokens"):
        flags[name] = fields.get(name, False)
        if not isinstance(flags[name], bool):
            problems.append(Problem(name, "must be true or false"))
    if problems:
        raise InvalidInput(problems)
    return Grants(lists["subscribe"], lists["publish"], flags["admin"], flags["tokens"])


def granted(patterns: Iterable[str], channel: str) -> bool:
    """Whether one of ``patterns`` grants ``channel``. Channels of Hermes itself are an administrator's."""
    return not channel.startswith(ADMIN_PREFIX) and any(pattern(text).matches(channel) for text in patterns)


def _patterns(value: Any, field: str, problems: list[Problem]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) > MAX_PATTERNS:
        problems.append(Problem(field, f"must be a list of at most {MAX_PATTERNS} channel names and patterns"))
        return ()
    for item in value:
        problem = pattern_problem(item)
        if problem is None and item.startswith(ADMIN_PREFIX):
            problem = f"channels that begin with {ADMIN_PREFIX!r} need admin"
        if problem is not None:
            problems.append(Problem(field, f"{str(item)[:64]!r}: {problem}"))
    return tuple(dict.fromkeys(str(item) for item in value))


def _within(text: str, patterns: Iterable[str]) -> bool:
    """Whether some pattern selects all that ``text`` selects: a ``*`` of ``text`` is only covered by one of the pattern's."""
    return any(pattern(outer).matches(text) for outer in patterns)
