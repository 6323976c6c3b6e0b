"""An API key as Hermes keeps it: its digest, whose it is, what it may do and how long it counts."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from hermes.access.grants import Grants
from hermes.access.principal import Principal
from hermes.core.clock import iso_time

CREATED, SETTINGS, INSTALLATION = "created", "settings", "installation"
"""Where a key comes from: made with grants of its own, one of HERMES_API_KEYS, or the installation's admin key."""

ID_CHARACTERS = string.ascii_lowercase + string.digits
ID_LENGTH = 8
SECRET_BYTES = 32

ID_FORM = re.compile(r"[a-z0-9]{8}")
FORM = re.compile(r"hk_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
"""What every created key looks like; its id is in it, so that a key that leaked can be told and revoked."""

ADMIN = Grants(admin=True)


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of an API key. Times are in milliseconds since 1970; the key itself is kept nowhere."""

    id: str
    digest: str
    name: str
    grants: Grants
    kind: str = CREATED
    created_at: int | None = None
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None

    def counts(self, now: int) -> bool:
        """Whether it lets anybody in at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def principal(self) -> Principal:
        """Who calls with this key."""
        expires_at = None if self.expires_at is None else self.expires_at / 1000
        return Principal(f"key:{self.id}", grants=self.grants, expires_at=expires_at, key_id=self.id)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it. When a key that was not created was last used is not kept."""
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            **self.grants.as_dict(),
            "created_at": _time(self.created_at),
            "expires_at": _time(self.expires_at),
            "last_used_at": _time(self.last_used_at),
            "revoked_at": _time(self.revoked_at),
        }


def created_key(name: str, grants: Grants, now: int, expires_at: int | None) -> tuple[Key, str]:
    """A new key, and its text, which is shown once."""
    id = "".join(secrets.choice(ID_CHARACTERS) for _ in range(ID_LENGTH))
    text = f"hk_{id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return Key(id, digest_of(text), name, grants, created_at=now, expires_at=expires_at), text


def settings_key(text: str) -> Key:
    """A key of HERMES_API_KEYS. Its beginning tells people which it is, 16 bits of its digest tell two apart that begin alike."""
    digest = digest_of(text)
    beginning = re.sub(r"[^A-Za-z0-9]", ".", text[:6])
    return Key(f"{beginning}-{digest[:4]}", digest, "HERMES_API_KEYS", ADMIN, SETTINGS)


def installation_key(digest: str) -> Key:
    """The admin key that this installation made for itself."""
    return Key(INSTALLATION, digest, "the installation's own key", ADMIN, INSTALLATION)


def digest_of(text: str) -> str:
    """The SHA-256 digest of a key. Keys are long and random, so a slow hash would make nothing safer."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso_time(ms)
