"""The installation on this machine, as commands need it that work without its server: secrets, sign-in codes and keys."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from hermes.access.admin_key import AdminKey, admin_key
from hermes.access.keys import KeyRing
from hermes.access.secrets import Secrets
from hermes.access.signin import SignIn
from hermes.core.clock import SystemClock
from hermes.db.database import Database
from hermes.settings import Settings


class Installation:
    """What the settings name: the data folder and its database, or a shared one. Used in a ``with`` statement.

    Nothing is opened before it is used, and without a shared database secrets and codes are files. Running processes find a
    change of ``keys`` in the table within some seconds. Every use raises
    :class:`~hermes.errors.Unavailable` where the database does not answer, ``SettingsError`` or ``StoreError`` where it cannot be
    used.
    """

    def __init__(self, settings: Settings) -> None:
        clock = SystemClock()
        self._database = Database.of(settings)
        self._secrets = Secrets(settings.data_dir, self._database)
        self.keys = KeyRing(settings.api_keys, self._secrets, clock)
        self.signin = SignIn(self._secrets, self.keys, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    @property
    def database(self) -> str:
        """Where the database is, for people."""
        return self._database.place

    def admin_key(self) -> AdminKey:
        """The admin key; made where there is none yet."""
        return admin_key(self._secrets)
