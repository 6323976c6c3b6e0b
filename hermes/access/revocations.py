"""The tokens that are revoked, in memory, as the database has them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import structlog

from hermes.access import revocation_rows
from hermes.access.keeper import Keeper
from hermes.access.revocation_rows import Revoked
from hermes.core.clock import Clock, milliseconds
from hermes.db.database import Database
from hermes.errors import Unavailable

log = structlog.get_logger(__name__)

LOOK_INTERVAL = 10.0
"""Seconds between looks at the table: a process may have died after it wrote, and before it told."""

SKEW = 600_000
"""Milliseconds that the clocks of machines may differ: a look goes back so far, and rows stay so much longer."""

CLEAN_INTERVAL = 600.0
"""Seconds between removals of rows that nobody needs any more."""

PAGE = 1000
"""Rows that are read in one transaction: some milliseconds, also on the event loop."""


class Revocations:
    """Which tokens count no more in this process.

    ``ended`` ends what this process still does for a token that another one has revoked without being heard; it must not block.
    Nothing is read before :meth:`load`; :meth:`start` keeps up from then on.
    """

    def __init__(self, database: Database, clock: Clock, ended: Callable[[str], None]) -> None:
        self._database = database
        self._clock = clock
        self._ended = ended
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._since = 0
        self._clean_at = clock.monotonic()
        self._is_read = True
        self._keeper = Keeper("revocations", self.keep_up, LOOK_INTERVAL)

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._held

    def __len__(self) -> int:
        return len(self._held)

    def add(self, token_id: str, expires_at: int, *, by_admin: bool) -> None:
        """Store that a token is revoked which would end at ``expires_at`` (ms since 1970); it counts here at once.

        Raises :class:`~hermes.errors.Unavailable`, or ``Forbidden`` where there are too many.
        """
        revoked = Revoked(token_id, self._now(), expires_at)
        self._database.run(partial(revocation_rows.add, revoked=revoked, by_admin=by_admin))
        self.heard(token_id, expires_at)

    def heard(self, token_id: str, expires_at: int) -> None:
        """Another process has stored that. Does not block."""
        with self._lock:
            self._held[token_id] = max(expires_at, self._held.get(token_id, 0))

    def changed(self) -> None:
        """Something may have been missed: the whole table is read soon. Does not block."""
        self._since = 0
        self._keeper.wake()

    def load(self) -> list[str]:
        """Read what is new in the table, at first all of it; the ids that were not held. Raises ``Unavailable``."""
        with self._reading:
            since, now = self._since, self._now()
            self._since = max(1, now - SKEW)  # a gap that is noticed from here on is for the next time
            try:
                rows = self._read(since)
            except BaseException:
                self._since = 0
                raise
            new = [row for row in rows if row.id not in self._held]
            for row in new:
                self.heard(row.id, row.expires_at)
            return [row.id for row in new]

    def _read(self, since: int) -> list[Revoked]:
        rows, after = list[Revoked](), ""
        while True:
            page = self._database.run(partial(revocation_rows.page, since=since, after=after, limit=PAGE))
            rows += page
            if len(page) < PAGE:
                return rows
            after = page[-1].id

    # Keeping up

    def start(self) -> None:
        """Keep up until :meth:`close`."""
        self._keeper.start()

    def close(self) -> None:
        """Stop keeping up. Idempotent."""
        self._keeper.close()

    def keep_up(self) -> bool:
        """One round: read what is new, end what still goes on, forget what is over. ``False`` where the database is away."""
        try:
            for token_id in self.load():
                self._ended(token_id)
            self._clean()
        except Unavailable as error:
            if self._is_read:
                log.warning("revoked tokens are not kept up to date", error=str(error))
            self._is_read = False
        except Exception:
            log.exception("keeping revoked tokens up to date failed")
            self._is_read = False
        else:
            self._is_read = True
        return self._is_read

    def _clean(self) -> None:
        if self._clock.monotonic() < self._clean_at:
            return
        self._clean_at = self._clock.monotonic() + CLEAN_INTERVAL
        before = self._now() - SKEW
        self._database.run(partial(revocation_rows.remove_ended, before=before))
        with self._lock:
            self._held = {id: expires_at for id, expires_at in self._held.items() if expires_at >= before}

    def _now(self) -> int:
        return milliseconds(self._clock.now())
