"""Signing in to the dashboard: by a link with a code that works once within 10 minutes; then a signed cookie."""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from hermes.access.principal import Principal
from hermes.access.secrets import make_folder, secret_file
from hermes.core.clock import Clock

CODE_LIFETIME = 600
"""Seconds in which a link can be used."""

SESSION_LIFETIME = 7 * 86_400
COOKIE = "hermes_session"
CODE_FOLDER = "signin"


class SignIn:
    """Codes are files named by their digest: whoever removes the file has used the code, in whichever process."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder / CODE_FOLDER
        self._clock = clock
        self._signer = URLSafeTimedSerializer(secret_file(folder, "session.key")[0], salt="dashboard")

    def new_code(self) -> str:
        """A code for one sign-in; old ones are cleared away."""
        make_folder(self._folder)
        self._forget_old()
        code = secrets.token_urlsafe(18)
        path = self._path(code)
        now = self._clock.now()
        path.touch(mode=0o600)
        path.write_text(str(now), encoding="ascii")
        os.utime(path, (now, now))
        return code

    def use(self, code: str) -> bool:
        """Whether ``code`` was valid; it is not any more."""
        path = self._path(code)
        try:
            made_at = float(path.read_text(encoding="ascii"))
            path.unlink()
        except (FileNotFoundError, ValueError):
            return False
        return self._clock.now() - made_at <= CODE_LIFETIME

    def cookie(self) -> str:
        """A session for an administrator who has shown a code or a key."""
        return str(self._signer.dumps({"admin": True}))

    def principal(self, cookie: str) -> Principal | None:
        """Whose session the cookie is, or ``None`` where it is forged or too old."""
        try:
            self._signer.loads(cookie, max_age=SESSION_LIFETIME)
        except BadSignature:
            return None
        return Principal("session:dashboard", admin=True, by_cookie=True)

    def _path(self, code: str) -> Path:
        return self._folder / sha256(code.encode("utf-8", "surrogatepass")).hexdigest()

    def _forget_old(self) -> None:
        for path in self._folder.iterdir():
            try:
                old = self._clock.now() - path.stat().st_mtime > CODE_LIFETIME
                if old:
                    path.unlink()
            except FileNotFoundError:
                continue
