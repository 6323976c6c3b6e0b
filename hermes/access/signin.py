"""Signing in to the dashboard: by a link with a code that works once within 10 minutes, or by a key; then a signed cookie."""

from __future__ import annotations

import secrets
from functools import cached_property
from hmac import compare_digest
from typing import Any

from itsdangerous import BadData, Signer, URLSafeSerializer

from hermes.access.grants import Grants
from hermes.access.keys import KeyRing
from hermes.access.principal import SESSION, Principal
from hermes.access.secrets import Secrets
from hermes.access.signin_codes import CodeFiles, CodeRows, Codes
from hermes.core.clock import Clock

SESSION_LIFETIME = 7 * 86_400
COOKIE = "hermes_session"
SECRET_NAME = "session.key"  # noqa: S105 - a name

HALF = 12
"""Characters of each half of a code: 72 bits."""

ADMIN = Grants(admin=True)


class SignIn:
    """Makes and takes codes, and the sessions that follow. A session lasts no longer than the key that it was opened with."""

    def __init__(self, secrets: Secrets, keys: KeyRing, clock: Clock) -> None:
        self._secrets = secrets
        self._keys = keys
        self._clock = clock
        self._codes: Codes = CodeRows(secrets.database, clock) if secrets.shared else CodeFiles(secrets.folder, clock)

    # Codes

    def new_code(self) -> str:
        """A code for one sign-in; its second half signs the first, so that guesses reach neither disk nor database."""
        code = self._signed(secrets.token_urlsafe(9))
        self._codes.add(code)
        return code

    def use(self, code: str) -> bool:
        """Whether ``code`` was valid; it is not any more. Raises :class:`~hermes.errors.Unavailable`."""
        shaped = len(code) == 2 * HALF and code.isascii()
        return shaped and compare_digest(code, self._signed(code[:HALF])) and self._codes.take(code)

    def _signed(self, half: str) -> str:
        return half + self._code_signer.get_signature(half).decode()[:HALF]

    # Sessions

    def cookie(self) -> str:
        """A session of the installation's, for who has shown a code."""
        return self._session({})

    def cookie_for(self, key: str) -> str | None:
        """A session for who has shown ``key``, or ``None`` where that is no administrator's key that counts."""
        principal = self._keys.principal(key)
        if principal is None or not principal.admin:
            return None
        return self._session({"key": principal.key_id, "mark": self._keys.mark(principal.key_id or "")})

    def principal(self, cookie: str) -> Principal | None:
        """Whose session the cookie is, or ``None`` where it is forged, too old, or of a key that does not count any more.

        Whether it was revoked, at sign-out, is for the guard to ask.
        """
        try:
            session: dict[str, Any] = self._serializer.loads(cookie)
        except BadData:
            return None
        ends_at, key_id = session["until"], session.get("key")
        if key_id is not None:
            holder = self._keys.holder(key_id)
            if holder is None or self._keys.mark(key_id) != session["mark"]:
                return None
            ends_at = min(ends_at, holder.expires_at or ends_at)
        if self._clock.now() >= ends_at:
            return None
        id = f"{SESSION}{session['id']}"
        return Principal(id, grants=ADMIN, by_cookie=True, expires_at=ends_at, token_id=id, key_id=key_id)

    def _session(self, owner: dict[str, Any]) -> str:
        id, until = secrets.token_urlsafe(6), int(self._clock.now()) + SESSION_LIFETIME
        return str(self._serializer.dumps({"id": id, "until": until, **owner}))

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret, salt="dashboard session")

    @cached_property
    def _code_signer(self) -> Signer:
        return Signer(self._secret, salt="dashboard code")

    @property
    def _secret(self) -> str:
        return self._secrets.get(SECRET_NAME)
