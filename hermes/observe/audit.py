"""The audit: who published where and how much, who opened a stream, who was refused and why, who administered what."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

import structlog

from hermes.core.clock import Clock, milliseconds
from hermes.db.database import Database
from hermes.errors import Unavailable
from hermes.loop import state_lock
from hermes.observe.audit_table import TRAFFIC, AuditTable, is_traffic
from hermes.observe.redaction import redact
from hermes.observe.tallies import ANONYMOUS, OK, Entry, Tallies, clean_up

PUBLISH, OPEN, READ, SEND, REFUSE = "publish", "open", "read", "send", "refuse"
"""Traffic: summed up, and written once a minute."""

KEY_CREATE, KEY_REVOKE = "key.create", "key.revoke"
TOKEN_MINT, TOKEN_REVOKE = "token.mint", "token.revoke"
KICK, SIGN_IN, SIGN_OUT, LINK, SETTINGS = "kick", "signin", "signout", "signin.link", "settings"
"""Administration: each is written at once, unless it was refused or there are too many."""

AUDIT = "audit"
"""Of the audit itself: entries that could not be kept."""

SUMMED = TRAFFIC - {TOKEN_MINT, TOKEN_REVOKE}

WINDOW = 60.0
"""Seconds over which traffic is summed up."""

READ_WINDOW = 10.0
"""Seconds after which who reads the audit has what was summed up so far written early."""

MOST_AT_ONCE = 100
"""What one caller does of one action in a window is written one by one up to this number, and then summed up."""

MOST_WAITING = {False: 2000, True: 10_000}
"""Entries that wait for a database that is away; ``True``: of traffic."""

PIECE = 200
"""Entries that are logged, or written, between two turns of everything else."""

RETRY = 5.0
"""Seconds between two tries of a database that is away."""

LEASE = "audit"

LOG = "hermes.audit"
log = structlog.get_logger(LOG)


class Audit:
    """Takes notes in memory, which costs next to nothing; a thread logs them and writes them to the table.

    A process that is killed loses what it had not written: up to a minute of traffic. ``rows`` bounds the table.
    """

    def __init__(self, database: Database, clock: Clock, rows: int) -> None:
        self._clock = clock
        self._table = AuditTable(database, rows)
        self._lock = state_lock()
        self._writing = threading.Lock()
        self._tallies = Tallies()
        self._at_once: list[Entry] = []
        self._at_once_of: Counter[tuple[str, str]] = Counter()
        self._waiting: dict[bool, deque[Entry]] = {False: deque(), True: deque()}
        self._lost = 0
        self._due_at = clock.monotonic() + WINDOW
        self._trim_at = self._read_at = self._retry_at = float("-inf")
        self._lease: Callable[[str], bool] = _never
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    # Taking notes

    def note(
        self,
        action: str,
        principal_id: str,
        address: str,
        target: str,
        outcome: str = OK,
        count: int = 1,
        detail: str = "",
    ) -> None:
        """Note that ``principal_id`` at ``address`` did ``action`` on ``target``, or was refused with ``outcome`` (a code).

        Never blocks and never raises. No secret belongs in here: names of principals and ids of keys and tokens do.
        """
        try:
            now = milliseconds(self._clock.now())
            entry = Entry(now, action, principal_id, address, target, outcome, count, detail)
            with self._lock:
                if action in SUMMED or outcome != OK or principal_id == ANONYMOUS or not self._takes_at_once(entry):
                    self._tallies.add(entry)
                    return
            self._wake.set()
        except Exception:
            self._lost += 1  # the next row says so

    def published(self, principal_id: str, address: str, events: Iterable[Iterable[str]]) -> None:
        """Note events that were published, each given by its channels."""
        for channel, count in Counter(chain.from_iterable(events)).items():
            self.note(PUBLISH, principal_id, address, channel, count=count)

    def opened(self, principal_id: str, address: str, channels: Iterable[str]) -> None:
        """Note a stream that was opened."""
        self.note(OPEN, principal_id, address, ",".join(channels))

    def refused(
        self,
        address: str,
        target: str,
        reason: str,
        *,
        principal_id: str = ANONYMOUS,
        code: str = "UNAUTHORIZED",
    ) -> None:
        """Note a refusal: of ``target``, such as a path or a channel, for ``reason``."""
        self.note(REFUSE, principal_id, address, target, code, 1, reason)

    def _takes_at_once(self, entry: Entry) -> bool:
        caller = entry.action, entry.principal
        self._at_once_of[caller] += 1
        if self._at_once_of[caller] > MOST_AT_ONCE or len(self._at_once) >= MOST_WAITING[False]:
            return False
        clean_up(entry)
        self._at_once.append(entry)
        return True

    # Reading

    def entries(self, filters: Mapping[str, str], before: int | None, limit: int) -> list[Entry]:
        """At most ``limit`` entries, the newest first, with ids below ``before``; ``filters`` by the names of fields.

        What this process has summed up is written first, unless that was done a moment ago. Raises
        :class:`~hermes.errors.Unavailable`.
        """
        now = self._clock.monotonic()
        with self._writing:
            if now >= self._read_at:
                self._read_at = now + READ_WINDOW
                self._take(summed=True)
                self._write()
        return self._table.page(filters, before, limit)

    # Writing

    def start(self, lease: Callable[[str], bool]) -> None:
        """Write from now on; the process that holds ``lease("audit")`` also keeps the table within its bound."""
        self._lease = lease
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def turn(self) -> None:
        """Do what is due now: log and write what was noted, try again what could not be written, trim the table."""
        now = self._clock.monotonic()
        with self._writing:
            is_due = now >= self._due_at
            if is_due:
                self._due_at = now + WINDOW
            self._take(summed=is_due)
            if now >= self._retry_at or is_due:
                self._retry_at = float("-inf") if self._write() else now + RETRY
        if now >= self._trim_at and self._lease(LEASE):
            self._trim_at = now + WINDOW
            self._trim()

    def close(self) -> None:
        """Write what is left, and stop. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(RETRY)
        with self._writing:
            self._take(summed=True)
            self._write()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(RETRY)
            self._wake.clear()
            try:
                self.turn()
            except Exception:
                log.exception("the audit failed")

    def _take(self, *, summed: bool) -> None:
        """Log what was noted, and put it where it waits to be written."""
        with self._lock:
            entries, self._at_once = self._at_once, []
            if summed:
                entries += self._tallies.take()
                self._at_once_of.clear()
        for number, entry in enumerate(entries, 1):
            entry.target, entry.detail = redact(entry.target), redact(entry.detail)
            _tell(entry)
            traffic = is_traffic(entry.action, entry.outcome)
            waiting = self._waiting[traffic]
            waiting.append(entry)
            if len(waiting) > MOST_WAITING[traffic]:
                waiting.popleft()
                self._lost += 1
            if number % PIECE == 0:
                time.sleep(0)

    def _write(self) -> bool:
        """Write what waits; ``False`` where the database is away."""
        for waiting in self._waiting.values():
            while waiting:
                piece = [waiting[index] for index in range(min(PIECE, len(waiting)))]
                try:
                    self._table.add(piece)
                except Unavailable:
                    return False
                except Exception:
                    log.exception("entries of the audit cannot be written", entries=len(piece))
                    self._lost += len(piece)
                for _ in piece:
                    waiting.popleft()
        return self._write_lost()

    def _write_lost(self) -> bool:
        lost = self._lost
        if not lost:
            return True
        now = milliseconds(self._clock.now())
        entry = Entry(now, AUDIT, "hermes", "", "", "LOST", lost, "entries that could not be kept")
        try:
            self._table.add([entry])
        except Unavailable:
            return False
        except Exception:
            log.exception("an entry of the audit cannot be written")
            return True
        self._lost -= lost
        _tell(entry)
        return True

    def _trim(self) -> None:
        try:
            self._table.trim()
        except Unavailable:
            return


def _tell(entry: Entry) -> None:
    fields = {name: getattr(entry, name) for name in ("principal", "address", "target", "outcome", "count", "detail")}
    log.info(entry.action, logger=LOG, **{name: value for name, value in fields.items() if value != ""})


def _never(_name: str) -> bool:
    return False
