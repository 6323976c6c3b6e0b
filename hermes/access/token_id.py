"""The ids (``jti``) of minted tokens: signed, so that who minted one and when it ends can be told from its id alone.

Nothing is stored when a token is minted. An id that nobody minted is recognised as such, so nobody fills the table of revocations
with invented ones; and a key revokes the tokens that it minted itself and no others.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

NONCE, END, OWNER, SIGNATURE = 8, 5, 8, 9
"""Bytes of an id's parts, together a multiple of three, so that it has one spelling."""

LENGTH = (NONCE + END + OWNER + SIGNATURE) // 3 * 4


class MintedId(NamedTuple):
    """What an id tells: when its token ends, in seconds since 1970, and whose it is (see :meth:`TokenIds.owner`)."""

    expires_at: int
    owner: bytes


class TokenIds:
    """Makes and reads ids. All processes that share ``secret`` read each other's."""

    def __init__(self, secret: str) -> None:
        self._secret = _mac(secret.encode(), b"ids of tokens")

    def new(self, owner: bytes, expires_at: int) -> str:
        """An id that no token has yet."""
        content = secrets.token_bytes(NONCE) + expires_at.to_bytes(END, "big") + owner
        return _text(content + self._signature(content))

    def read(self, id: str) -> MintedId | None:
        """What ``id`` tells, or ``None`` where it was not made here."""
        if len(id) != LENGTH or not id.isascii():
            return None
        try:
            raw = urlsafe_b64decode(id)
        except ValueError:
            return None
        content, signature = raw[:-SIGNATURE], raw[-SIGNATURE:]
        if _text(raw) != id or not hmac.compare_digest(signature, self._signature(content)):
            return None
        return MintedId(int.from_bytes(content[NONCE : NONCE + END], "big"), content[NONCE + END :])

    def owner(self, key_id: str | None, mark: str | None) -> bytes:
        """How ids name an API key: not so that their bearers could tell which it is."""
        return _mac(self._secret, b"owner\0" + f"{key_id}\0{mark}".encode("utf-8", "surrogatepass"))[:OWNER]

    def _signature(self, content: bytes) -> bytes:
        return _mac(self._secret, b"id\0" + content)[:SIGNATURE]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()


def _mac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")
