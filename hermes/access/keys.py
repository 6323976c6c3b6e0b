"""API keys: the ones in the settings, or the admin key that is made at the first start."""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path

from hermes.access.principal import Principal
from hermes.access.secrets import secret_file
from hermes.settings import Settings

ADMIN_KEY_FILE = "admin.key"


class ApiKeys:
    """The keys that this installation accepts. Only digests are kept in memory and compared."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._digests = {_digest(key): key[:6] for key in keys}

    @classmethod
    def of(cls, settings: Settings) -> ApiKeys:
        """The keys of ``HERMES_API_KEYS``, or the installation's own admin key."""
        return cls(settings.api_keys or (admin_key(settings.data_dir)[0],))

    def principal(self, key: str) -> Principal | None:
        """Whose key this is, or ``None``; takes the same time for each wrong key."""
        digest = _digest(key)
        found = None
        for known, prefix in self._digests.items():
            if hmac.compare_digest(known, digest):
                found = Principal(f"key:{prefix}", admin=True)
        return found


def admin_key(folder: Path) -> tuple[str, bool]:
    """The installation's admin key, and whether it was made just now."""
    return secret_file(folder, ADMIN_KEY_FILE)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
