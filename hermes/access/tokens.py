"""Tokens: whose they are, those that Hermes mints itself, and those that are revoked."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

from hermes.access.claims import Claims, grants_for, is_id, subject_problem
from hermes.access.grants import SUBJECT, Grants
from hermes.access.jwks import Jwks
from hermes.access.jwt import MAX_TOKEN, Verifier, own_token
from hermes.access.keys import KeyRing
from hermes.access.principal import Principal
from hermes.access.revocations import Revocations
from hermes.access.secrets import Secrets
from hermes.access.token_id import TokenIds
from hermes.control import Control
from hermes.core.clock import Clock
from hermes.errors import Forbidden, NotFound, Unauthorized, invalid
from hermes.settings import Settings

SECRET_NAME = "token.key"  # noqa: S105 - a name

REMEMBERED = 20_000
"""Verified tokens: so many users reconnect without a signature being checked again."""

REMEMBERED_LENGTH = 4000
"""Characters of grants: a token with more is verified each time, so that memory stays bounded."""

FOREIGN_LIFETIME = 10 * 366 * 86_400
"""Seconds that a revocation counts of a token that another issuer signed, and whose end nobody told."""


class Minted(NamedTuple):
    """A new token; ``expires_at`` in seconds since 1970."""

    token: str
    jti: str
    expires_at: int


class _Verified(NamedTuple):
    principal: Principal
    claims: Claims
    version: int


class Tokens:
    """The tokens that count in this process. Nothing is read before :meth:`load`; :meth:`start` keeps up from then on."""

    def __init__(self, settings: Settings, secrets: Secrets, keys: KeyRing, control: Control, clock: Clock) -> None:
        self._settings = settings
        self._secrets = secrets
        self._keys = keys
        self._control = control
        self._clock = clock
        self._revoked = Revocations(secrets.database, clock, self._end)
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._lock = threading.Lock()

    # Whose

    def principal(self, text: str) -> Principal:
        """Whose token it is. Raises :class:`~hermes.errors.Unauthorized` where it does not count, and ``Unavailable`` where that
        cannot be known now.
        """
        verified = self._known(text) or self._verify(text)
        claims = verified.claims
        if self._clock.now() >= claims.expires_at:
            raise Unauthorized("the token has expired: get a new one")
        if claims.id in self._revoked:
            raise Unauthorized("the token was revoked")
        if claims.key_id is not None and not self._is_held(claims.key_id, claims.key_mark):
            raise Unauthorized("the API key that minted this token does not count any more")
        return verified.principal

    def counts(self, token_id: str) -> bool:
        """Whether the token of that id, which was good a moment ago, was not revoked since."""
        return token_id not in self._revoked

    def _known(self, text: str) -> _Verified | None:
        if len(text) > MAX_TOKEN:
            return None
        digest = _digest(text)
        with self._lock:
            verified = self._verified.get(digest)
            if verified is None:
                return None
            if verified.version != self._verifier.version or self._clock.monotonic() >= verified.claims.good_until:
                del self._verified[digest]
                return None
            self._verified.move_to_end(digest)
            return verified

    def _verify(self, text: str) -> _Verified:
        version = self._verifier.version  # before: what is fetched meanwhile makes this one old, at worst for nothing
        claims = self._verifier.verify(text)
        verified = _Verified(_principal(claims), claims, version)
        grants = claims.grants
        if sum(map(len, (*grants.subscribe, *grants.publish))) <= REMEMBERED_LENGTH:
            with self._lock:
                self._verified[_digest(text)] = verified
                if len(self._verified) > REMEMBERED:
                    self._verified.popitem(last=False)
        return verified

    def _is_held(self, key_id: str, mark: str | None) -> bool:
        return self._keys.holder(key_id) is not None and self._keys.mark(key_id) == mark

    # Minting

    def mint(
        self,
        caller: Principal,
        user_id: str | None,
        subscribe: tuple[str, ...],
        publish: tuple[str, ...],
        ttl: float | None,
    ) -> Minted:
        """A token for ``ttl`` seconds (or as long as the settings allow), never beyond ``caller``, and ending when its key does.

        ``{sub}`` stands for the user, in what is asked for and in the caller's grants. A token of a user shows the user's own
        channel, so the caller has to be granted that too. Raises :class:`~hermes.errors.Forbidden` that names what goes beyond,
        and ``InvalidInput``.
        """
        if caller.token_id is not None and not caller.in_session:
            raise Forbidden("a token mints no tokens: use an API key")
        grants = _meant(Grants(subscribe, publish), user_id)
        _check_within(caller.grants, grants, user_id)
        now = self._clock.now()
        lifetime = self._settings.token_ttl if ttl is None else ttl
        expires_at = math.ceil(now + min(lifetime, self._settings.token_max_ttl))
        if caller.expires_at is not None:
            expires_at = min(expires_at, int(caller.expires_at))
        if expires_at <= now:
            raise Forbidden("this key is about to end: nothing it mints would count")
        mark = self._keys.mark(caller.key_id) if caller.key_id is not None else None
        id = self._ids.new(self._ids.owner(caller.key_id, mark), expires_at)
        token = own_token(self._secret(), Claims(id, user_id, expires_at, grants, caller.key_id, mark), now)
        if len(token) > MAX_TOKEN:
            raise invalid("subscribe", f"makes a token of over {MAX_TOKEN} characters: name fewer, or use a pattern")
        return Minted(token, id, expires_at)

    # Revoking

    def revoke_by(self, caller: Principal, token_id: str) -> None:
        """Let a token count no more, in any process: one that the caller's key has minted, or for administrators any. Idempotent.

        Raises :class:`~hermes.errors.NotFound` for any other; see :meth:`revoke`.
        """
        minted = self._ids.read(token_id)
        if minted is None:
            if not (caller.admin and self._verifier.knows_issuers and is_id(token_id)):
                raise _no_such_token()
            self.revoke(token_id, self._clock.now() + FOREIGN_LIFETIME)
            return
        mark = self._keys.mark(caller.key_id) if caller.key_id is not None else None
        if not caller.admin and (caller.key_id is None or self._ids.owner(caller.key_id, mark) != minted.owner):
            raise _no_such_token()
        if self._clock.now() < minted.expires_at:
            self.revoke(token_id, minted.expires_at, by_admin=caller.admin)

    def revoke(self, token_id: str, expires_at: float, *, by_admin: bool = True) -> None:
        """Let a token count no more which would end at ``expires_at`` (s since 1970), and end its streams. Idempotent.

        Raises :class:`~hermes.errors.Unavailable` where the database does not answer or the other processes could not be told,
        and ``Forbidden`` where too many are revoked.
        """
        until = int(expires_at * 1000)
        self._revoked.add(token_id, until, by_admin=by_admin)
        self._end(token_id)
        self._control.tell("revoke", {"token_id": token_id, "expires_at": until})

    def heard(self, data: Mapping[str, Any]) -> None:
        """The command ``revoke``: what it names counts no more here. Does not block."""
        token_id, expires_at = data.get("token_id"), data.get("expires_at")
        if not isinstance(token_id, str) or token_id in self._revoked:
            return
        if not isinstance(expires_at, int):
            expires_at = int((self._clock.now() + FOREIGN_LIFETIME) * 1000)
        self._revoked.heard(token_id, expires_at)

    def _end(self, token_id: str) -> None:
        self._control.carry_out("revoke", {"token_id": token_id})

    # Life

    def load(self) -> None:
        """Read the secret, the keys of issuers and the revoked tokens.

        Raises :class:`~hermes.errors.SettingsError` for a key that cannot be used, and ``Unavailable``.
        """
        self._secret()
        _ = self._verifier  # made here, so that a bad key is said at start and not to the first caller
        self._revoked.load()

    def start(self) -> None:
        """Keep up with the table until :meth:`close`."""
        self._revoked.start()

    def changed(self) -> None:
        """Commands may have been missed: the table is read soon. Does not block."""
        self._revoked.changed()

    def close(self) -> None:
        """Stop keeping up. Idempotent."""
        self._revoked.close()

    def _secret(self) -> str:
        return self._secrets.get(SECRET_NAME)

    @cached_property
    def _verifier(self) -> Verifier:
        url = self._settings.jwks_url
        jwks = Jwks.at(url, self._clock) if url is not None else None
        return Verifier(self._settings, self._secret, self._clock, jwks)

    @property
    def _ids(self) -> TokenIds:
        return TokenIds(self._secret())


def _principal(claims: Claims) -> Principal:
    name = f"user:{claims.subject}" if claims.subject is not None else f"token:{claims.id}"
    return Principal(
        name,
        user_id=claims.subject,
        grants=claims.grants,
        expires_at=claims.expires_at,
        token_id=claims.id,
        key_id=claims.key_id,
    )


def _meant(templates: Grants, user_id: str | None) -> Grants:
    """The grants that are asked for, with ``{sub}`` replaced; raises :class:`~hermes.errors.InvalidInput`."""
    if user_id is not None:
        problem = subject_problem(user_id)
        if problem is not None:
            raise invalid("user_id", problem)
        return grants_for(templates, user_id)
    for name, patterns in (("subscribe", templates.subscribe), ("publish", templates.publish)):
        if any(SUBJECT in text for text in patterns):
            raise invalid(name, f"{SUBJECT} stands for the user: name a user_id")
    return templates


def _check_within(caller: Grants, grants: Grants, user_id: str | None) -> None:
    """Raise :class:`~hermes.errors.Forbidden` that names each pattern with which a token would go beyond ``caller``."""
    own: tuple[str, ...] = ()
    if user_id is not None:
        own, caller = (f"user:{user_id}",), grants_for(caller, user_id)
    beyond = {
        "subscribe": [text for text in (*grants.subscribe, *own) if not caller.covers(Grants(subscribe=(text,)))],
        "publish": [text for text in grants.publish if not caller.covers(Grants(publish=(text,)))],
    }
    for name, patterns in beyond.items():
        if patterns:
            raise Forbidden(
                f"this key may not let others {name} to {patterns[0]!r}: that goes beyond its own grants", beyond
            )


def _no_such_token() -> NotFound:
    return NotFound("there is no token with this id that you may revoke")


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
