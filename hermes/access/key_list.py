"""The list of API keys in pages: first those that nobody can revoke here, then the created ones, the newest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from hermes.access import key_table
from hermes.access.key import Key
from hermes.db.database import Database
from hermes.errors import invalid

_FIXED_PLACE = re.compile(r"f([0-9]{1,6})")
_STORED_PLACE = re.compile(r"([0-9]{1,15})-([a-z0-9]{8})")


class Place(NamedTuple):
    """Where a page begins: at the fixed key of that number, or where ``before`` is given below that created key."""

    number: int = 0
    before: tuple[int, str] | None = None


def place_of(after: str | None) -> Place:
    """The place that an earlier page named; raises :class:`~hermes.errors.InvalidInput`."""
    if after is None:
        return Place()
    if match := _FIXED_PLACE.fullmatch(after):
        return Place(int(match[1]))
    if match := _STORED_PLACE.fullmatch(after):
        return Place(before=(int(match[1]), match[2]))
    raise invalid("after", "is not the 'next' of an earlier page: leave it out to begin anew")


def page(fixed: Sequence[Key], database: Database, place: Place, limit: int) -> tuple[list[Key], str | None]:
    """The keys at ``place``, and how the place after them is called, if there are more."""
    keys = [] if place.before else list(fixed[place.number : place.number + limit])
    reached = place.number + len(keys)
    if not place.before and reached < len(fixed):
        return keys, f"f{reached}"
    room = limit - len(keys)
    stored = database.run(partial(key_table.page, before=place.before, limit=room + 1))
    keys += stored[:room]
    if len(stored) <= room:
        return keys, None
    return keys, f"{keys[-1].created_at}-{keys[-1].id}" if room else f"f{reached}"
