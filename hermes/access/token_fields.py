"""What somebody asks for in a new token, as JSON gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hermes.access.claims import subject_problem
from hermes.access.grants import Grants, grants_from_fields
from hermes.errors import InvalidInput, Problem

NAMES = ("user_id", "subscribe", "publish", "ttl")


class NewToken(NamedTuple):
    """A token to be minted; ``ttl`` in seconds."""

    user_id: str | None
    grants: Grants
    ttl: int | None


def new_token(fields: Mapping[str, Any], most: int) -> NewToken:
    """The token that ``fields``, each one of :data:`NAMES`, ask for, and which may last ``most`` seconds.

    Raises :class:`~hermes.errors.InvalidInput` that names each bad field.
    """
    problems: list[Problem] = []
    user_id, ttl, grants = fields.get("user_id"), fields.get("ttl"), Grants()
    problem = subject_problem(user_id) if user_id is not None else None
    if problem is not None:
        problems.append(Problem("user_id", problem))
    try:
        grants = grants_from_fields({name: fields.get(name) for name in ("subscribe", "publish")})
    except InvalidInput as error:
        problems += error.problems
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int) or not 1 <= ttl <= most):
        problems.append(Problem("ttl", f"must be a whole number of seconds from 1 to {most} (HERMES_TOKEN_MAX_TTL)"))
    if not problems and user_id is None and not grants.subscribe and not grants.publish:
        problems.append(Problem("user_id", "name a user_id, subscribe or publish: this token could do nothing"))
    if problems:
        raise InvalidInput(problems)
    return NewToken(user_id, grants, ttl)
