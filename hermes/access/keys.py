"""The key ring: every API key that counts, in memory, as the database has them; and the changes that administrators make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import structlog

from hermes.access import key_list, key_table
from hermes.access.admin_key import ADMIN_KEY_FILE, admin_key
from hermes.access.grants import Grants
from hermes.access.keeper import Keeper
from hermes.access.key import CREATED, FORM, ID_FORM, Key, created_key, digest_of, installation_key, settings_key
from hermes.access.key_usage import KeyUsage
from hermes.access.principal import Principal
from hermes.access.secrets import Secrets
from hermes.core.clock import Clock, milliseconds
from hermes.errors import Forbidden, NotFound, Unavailable

log = structlog.get_logger(__name__)

RELOAD_INTERVAL = 10.0
"""Seconds between looks at the table, where nobody told of a change: somebody may have written straight into it."""

LOOK_INTERVAL = 1.0
"""Seconds between looks on account of unknown keys, for all of them together."""

LOOK_WAIT = 1.0
"""Seconds that a request with an unknown key waits for a look that is under way."""

MAX_LOOKING = 16
"""Requests that wait so at one time."""

PAGE = 250
"""Keys that are read in one transaction: about 10 ms, also on the event loop."""

MARK_LENGTH = 16


class _Held(NamedTuple):
    key: Key
    principal: Principal


def _nobody_told(_name: str, _data: Mapping[str, Any]) -> None:
    return None


def _nothing_ended(_key_id: str) -> None:
    return None


class KeyRing:
    """The API keys that this process accepts.

    ``tell`` tells every process of a change (:meth:`hermes.control.Control.tell`), ``ended`` ends what this process still does
    for a key that turned out to be revoked; it must not block. Nothing is read before :meth:`load`, :meth:`start` keeps the ring
    up to date from then on.
    """

    def __init__(
        self,
        settings_keys: Iterable[str],
        secrets: Secrets,
        clock: Clock,
        *,
        tell: Callable[[str, Mapping[str, Any]], None] = _nobody_told,
        ended: Callable[[str], None] = _nothing_ended,
    ) -> None:
        self._secrets = secrets
        self._database = secrets.database
        self._clock = clock
        self._tell = tell
        self._ended = ended
        self._fixed = sorted(
            {digest_of(text): settings_key(text) for text in settings_keys}.values(), key=lambda k: k.id
        )
        self._stored: dict[str, Key] = {}
        self._by_digest: dict[str, _Held] = {}
        self._by_id: dict[str, _Held] = {}
        self._hold({})
        self._version: key_table.Version | None = None
        self._forgotten: set[str] = set()
        self._usage = KeyUsage()
        self._loading = threading.Lock()
        self._looking = threading.BoundedSemaphore(MAX_LOOKING)
        self._next_look = float("-inf")
        self._told = False
        self._is_read = True
        self._keeper = Keeper("keys", self.keep_up, RELOAD_INTERVAL)

    # Who

    def principal(self, key: str) -> Principal | None:
        """Whose key this is, or ``None`` where it does not count. Reads memory alone, but for a key that may be a new one.

        The digest is looked up, not the key: how long that takes tells of a digest that the caller knows already, and nothing of
        any other (which key has a digest that begins like it nobody can find out).
        """
        digest = digest_of(key)
        held = self._by_digest.get(digest)
        if held is None and FORM.fullmatch(key):
            self._look()
            held = self._by_digest.get(digest)
        now = milliseconds(self._clock.now())
        if held is None or not self._counts(held.key, now):
            return None
        if held.key.kind == CREATED:
            self._usage.note(held.key.id, now)
        return held.principal

    def holder(self, key_id: str) -> Principal | None:
        """Who has the key of that id, or ``None`` where it does not count (any more): what was given out by it ends with it."""
        if key_id not in self._by_id and ID_FORM.fullmatch(key_id):
            self._look()
        held = self._by_id.get(key_id)
        if held is None or not self._counts(held.key, milliseconds(self._clock.now())):
            return None
        return held.principal

    def counts(self, key_id: str) -> bool:
        """Whether the key of that id still counts, of which a caller was known a moment ago: a look into memory, no more."""
        held = self._by_id.get(key_id)
        return held is not None and self._counts(held.key, milliseconds(self._clock.now()))

    def mark(self, key_id: str) -> str | None:
        """What tells a key from a later one that has the same id, as those of the settings may."""
        held = self._by_id.get(key_id)
        return None if held is None else held.key.digest[:MARK_LENGTH]

    def _counts(self, key: Key, now: int) -> bool:
        return key.id not in self._forgotten and key.counts(now)

    # Changes

    def create(self, name: str, grants: Grants, expires_at: int | None = None) -> tuple[Key, str]:
        """Make a key that counts until ``expires_at`` (ms since 1970), and answer it with its text, which is shown once.

        It counts here at once, in other processes a moment later. Raises :class:`~hermes.errors.Unavailable`, or ``Forbidden``
        where there are too many.
        """
        now = milliseconds(self._clock.now())
        key, text = created_key(name, grants, now, expires_at)
        with self._loading:
            self._database.run(partial(key_table.add, key=key, now=now))
            self._hold({**self._stored, key.id: key})
        try:
            self._tell("keys_changed", {})
        except Unavailable as error:  # the others will see it in the table
            log.warning("a new key was not told of", key=key.id, error=str(error))
        return key, text

    def revoke(self, id: str) -> None:
        """Let the key of that id count no more, in any process. Idempotent.

        Raises :class:`~hermes.errors.NotFound`; ``Forbidden`` for a key that only the settings or the data folder can take away;
        ``Unavailable`` where the database does not answer, or where the other processes could not be told.
        """
        for key in (installation_key(""), *self._fixed):
            if key.id == id:
                raise Forbidden(_FIXED[key.kind])
        now = milliseconds(self._clock.now())
        if not (ID_FORM.fullmatch(id) and self._database.run(partial(key_table.revoke, id=id, now=now))):
            raise _no_such_key(id)
        self.forget(id)
        self._ended(id)
        self._tell("revoke", {"key_id": id})
        self._tell("keys_changed", {})

    def page(self, after: str | None = None, limit: int = 50) -> tuple[list[Key], str | None]:
        """At most ``limit`` keys, and where to go on ``after``: first those that cannot be revoked, then the newest.

        Raises :class:`~hermes.errors.InvalidInput` for an ``after`` that is not of this list.
        """
        return key_list.page(self._fixed, self._database, key_list.place_of(after), limit)

    def get(self, id: str) -> Key:
        """The key of that id, whether it counts or not; raises :class:`~hermes.errors.NotFound`."""
        found = next((key for key in self._fixed if key.id == id), None)
        if found is None and ID_FORM.fullmatch(id):
            found = self._database.run(partial(key_table.find, id=id))
        if found is None:
            raise _no_such_key(id)
        return found

    # What other processes did

    def changed(self) -> None:
        """The table has changed: it is read soon. Does not block."""
        self._told = True
        self._keeper.wake()

    def forget(self, id: str) -> None:
        """The key of that id is revoked: it does not count from now on, whatever is read meanwhile. Does not block."""
        if id in self._by_id:
            self._forgotten.add(id)

    def load(self) -> None:
        """Read the table where it has changed. Raises :class:`~hermes.errors.Unavailable`, or ``SettingsError`` for a bad
        admin key.
        """
        with self._loading:
            ended = self._load()
        self._end(ended)

    def _load(self) -> list[str]:
        """The ids of keys that counted until now and are revoked."""
        self._told = False
        forgotten = set(self._forgotten)
        if not self._fixed:
            self._fixed = [installation_key(admin_key(self._secrets).digest)]
            self._version = None
        version = self._database.run(key_table.version)
        ended = []
        if version != self._version:
            now = milliseconds(self._clock.now())
            stored = self._read(now)
            ended = [id for id, key in self._stored.items() if id not in stored and self._counts(key, now)]
            self._hold(stored)
            self._version = version
        self._forgotten -= forgotten
        return ended

    def _read(self, now: int) -> dict[str, Key]:
        """In pages, so that a large table holds up nothing. What changes meanwhile is another version."""
        stored, after = dict[str, Key](), ""
        while len(stored) < key_table.MAX_KEYS:
            page = self._database.run(partial(key_table.counting, now=now, after=after, limit=PAGE))
            stored.update((key.id, key) for key in page)
            if len(page) < PAGE:
                break
            after = page[-1].id
        return stored

    def _hold(self, stored: dict[str, Key]) -> None:
        held = [_Held(key, key.principal()) for key in (*stored.values(), *self._fixed)]
        self._stored = stored
        self._by_id = {
            one.key.id: one for one in held
        }  # first: on real threads, who is found by a digest counts by its id
        self._by_digest = {one.key.digest: one for one in held}

    def _end(self, ids: Iterable[str]) -> None:
        for id in ids:
            self._ended(id)

    def _look(self) -> None:
        """Read the table on account of an unknown key, which another process may just have made: at most once a second.

        Where a change was told of that is not read yet, this is that reading. Who comes while another reads waits for it.
        """
        if not self._looking.acquire(blocking=False):
            return
        try:
            if self._loading.acquire(timeout=LOOK_WAIT):
                try:
                    ended = self._look_now()
                finally:
                    self._loading.release()
                self._end(ended)
        except Unavailable as error:
            log.warning("keys not read", error=str(error))
        finally:
            self._looking.release()

    def _look_now(self) -> list[str]:
        now = self._clock.monotonic()
        if not self._told and now < self._next_look:
            return []
        self._next_look = now + LOOK_INTERVAL
        return self._load()

    # Keeping up

    def start(self) -> None:
        """Keep the ring up to date until :meth:`close`."""
        self._keeper.start()

    def close(self) -> None:
        """Stop keeping up, and write down the last uses. Idempotent."""
        self._keeper.close()
        try:
            self._write_usage(float("inf"))
        except Unavailable as error:
            log.warning("last uses of keys not written", error=str(error))

    def keep_up(self) -> bool:
        """One round of keeping up: read the table, write the last uses. ``False`` where the database did not answer."""
        try:
            self.load()
            self._write_usage(self._clock.monotonic())
        except Unavailable as error:
            if self._is_read:
                log.warning("API keys are not kept up to date", error=str(error))
            self._is_read = False
        except Exception:
            log.exception("keeping API keys up to date failed")
            self._is_read = False
        else:
            self._is_read = True
        return self._is_read

    def _write_usage(self, now: float) -> None:
        self._usage.write(now, self._stored, lambda used: self._database.run(partial(key_table.touch, used=used)))


_FIXED = {
    "settings": "this key comes from HERMES_API_KEYS: take it out there and restart every process",
    "installation": f"this is the installation's own key, the last way in: to be rid of it set HERMES_API_KEYS ({ADMIN_KEY_FILE} "
    "does not count then)",
}


def _no_such_key(id: str) -> NotFound:
    return NotFound(f"there is no API key {id[:64]!r}: /api/v1/keys lists them")
