"""Where the codes of sign-in links wait to be used: each goes with its first use, in whichever process."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hermes.access.secrets import make_folder
from hermes.core.clock import Clock, milliseconds

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hermes.db.database import Database

CODE_LIFETIME = 600
"""Seconds in which a link can be used."""

CODE_FOLDER = "signin"


class Codes(Protocol):
    """Codes by their digests: a code itself is kept nowhere."""

    def add(self, code: str) -> None:
        """Let ``code`` work for CODE_LIFETIME seconds; those that are too old are cleared away."""

    def take(self, code: str) -> bool:
        """Whether ``code`` worked; it does not any more."""


class CodeFiles:
    """Codes in the data folder: whoever removes the file has used the code."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder / CODE_FOLDER
        self._clock = clock

    def add(self, code: str) -> None:
        """See :class:`Codes`."""
        make_folder(self._folder)
        self._forget_old()
        path = self._folder / _digest(code)
        now = self._clock.now()
        path.touch(mode=0o600)
        path.write_text(str(now), encoding="ascii")
        os.utime(path, (now, now))

    def take(self, code: str) -> bool:
        """See :class:`Codes`."""
        path = self._folder / _digest(code)
        try:
            made_at = float(path.read_text(encoding="ascii"))
            path.unlink()
        except (FileNotFoundError, ValueError):
            return False
        return self._clock.now() - made_at <= CODE_LIFETIME

    def _forget_old(self) -> None:
        for path in self._folder.iterdir():
            try:
                old = self._clock.now() - path.stat().st_mtime > CODE_LIFETIME
                if old:
                    path.unlink()
            except FileNotFoundError:
                continue


class CodeRows:
    """Codes in a shared database: whoever deletes the row has used the code."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, code: str) -> None:
        """See :class:`Codes`. Raises :class:`~hermes.errors.Unavailable`."""
        now = milliseconds(self._clock.now())
        self._database.run(partial(_insert, digest=_digest(code), now=now, expires_at=now + CODE_LIFETIME * 1000))

    def take(self, code: str) -> bool:
        """See :class:`Codes`. Raises :class:`~hermes.errors.Unavailable`."""
        expires_at = self._database.run(partial(_take, digest=_digest(code)))
        return expires_at is not None and milliseconds(self._clock.now()) <= expires_at


def _insert(connection: Connection, digest: str, now: int, expires_at: int) -> None:
    from sqlalchemy import delete, insert

    from hermes.db.tables import signin_codes

    connection.execute(delete(signin_codes).where(signin_codes.c.expires_at < now))
    connection.execute(insert(signin_codes).values(digest=digest, expires_at=expires_at))


def _take(connection: Connection, digest: str) -> int | None:
    from sqlalchemy import delete

    from hermes.db.tables import signin_codes

    taken = delete(signin_codes).where(signin_codes.c.digest == digest).returning(signin_codes.c.expires_at)
    return connection.execute(taken).scalar_one_or_none()


def _digest(code: str) -> str:
    return sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
