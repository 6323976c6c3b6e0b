"""When each API key was last used: noted in memory at each use, written down now and then for all keys together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hermes.access.key import Key

INTERVAL = 30.0
"""Seconds between two writes of one process."""

STEP = 60_000
"""Milliseconds by which the time must have moved to be worth a write."""


class KeyUsage:
    """The last use of each key in this process, by its id."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._due_at = float("-inf")

    def note(self, id: str, now: int) -> None:
        """The key ``id`` is used; ``now`` in milliseconds since 1970."""
        self._used[id] = now

    def write(self, now: float, keys: Mapping[str, Key], write: Callable[[Mapping[str, int]], None]) -> None:
        """Give ``write`` what has moved, by the ids of ``keys``, unless it was asked to write less than INTERVAL seconds ago.

        ``now`` is monotonic. What ``write`` raises, this raises; nothing is lost then.
        """
        if now < self._due_at:
            return
        self._due_at = now + INTERVAL
        moved = {id: at for id, at in list(self._used.items()) if id in keys and at - self._known(keys[id]) >= STEP}
        if moved:
            write(moved)
            self._written.update(moved)
        for mine in (self._used, self._written):
            for id in [id for id in list(mine) if id not in keys]:
                mine.pop(id, None)

    def _known(self, key: Key) -> int:
        """The last use of ``key`` that is written down, as far as this process knows."""
        return max(self._written.get(key.id, 0), key.last_used_at or 0)
