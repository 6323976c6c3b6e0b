"""All that decides about callers in one process, and how it is told what others decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes.access.guard import Guard
from hermes.access.keys import KeyRing
from hermes.access.limits import Limits
from hermes.access.principal import Principal, check_public
from hermes.access.secrets import Secrets
from hermes.access.signin import SignIn
from hermes.access.tokens import Tokens
from hermes.control import Control
from hermes.core.clock import Clock
from hermes.db.database import Database
from hermes.errors import Unauthorized
from hermes.settings import Settings


class Access:
    """Keys, tokens, sessions and limits of one process. Nothing is read before :meth:`load`."""

    def __init__(self, settings: Settings, database: Database, control: Control, clock: Clock) -> None:
        self.secrets = Secrets(settings.data_dir, database)
        self.keys = KeyRing(settings.api_keys, self.secrets, clock, tell=control.tell, ended=self._end_key)
        self.tokens = Tokens(settings, self.secrets, self.keys, control, clock)
        self.signin = SignIn(self.secrets, self.keys, clock)
        self.limits = Limits(settings, clock)
        self.guard = Guard(self.keys, self.tokens, self.signin, settings.public_channels)
        self._control = control
        self._clock = clock
        self._public = settings.public_channels
        control.on("keys_changed", self._keys_changed)
        control.on_gap(self.keys.changed)
        control.on_gap(self.tokens.changed)

    def load(self) -> None:
        """Read who may do what. Raises :class:`~hermes.errors.Unavailable` or ``SettingsError``."""
        check_public(self._public)
        self.keys.load()
        self.tokens.load()

    def start(self) -> None:
        """Keep up with the tables until :meth:`close`."""
        self.keys.start()
        self.tokens.start()

    def close(self) -> None:
        """Stop keeping up, and write what is left to be written. Idempotent."""
        self.tokens.close()
        self.keys.close()

    def revoked(self, match: Mapping[str, Any]) -> None:
        """What the command ``revoke`` names counts no more from now on."""
        if match.get("key_id") is not None:
            self.keys.forget(str(match["key_id"]))
        self.tokens.heard(match)

    def counts(self, key_id: str | None, token_id: str | None) -> bool:
        """Whether a key and a token, as far as there are, were not revoked since they were looked at. Waits for nothing."""
        return (key_id is None or self.keys.counts(key_id)) and (token_id is None or self.tokens.counts(token_id))

    def check(self, principal: Principal) -> None:
        """Raise :class:`~hermes.errors.Unauthorized` where what ``principal`` has shown came to count no more meanwhile.

        For whoever has waited since: the guard only knows what counted when the request came.
        """
        expires_at = principal.expires_at
        if expires_at is not None and self._clock.now() >= expires_at:
            raise Unauthorized("the credentials have expired: get new ones")
        if not self.counts(principal.key_id, principal.token_id):
            raise Unauthorized("the credentials were revoked")

    def _keys_changed(self, _data: Mapping[str, Any]) -> None:
        self.keys.changed()

    def _end_key(self, key_id: str) -> None:
        self._control.carry_out("revoke", {"key_id": key_id})
