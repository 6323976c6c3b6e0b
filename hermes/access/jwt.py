"""JWTs: whose signature a token has, and what it says.

PyJWT checks signatures. Which key may have made one is decided here, by what is configured: a token's header only picks among
those keys, and what else it names (``jku``, ``x5u``, ``jwk``, ``x5c``) is never looked at. Nothing of a token but its header is
read before its signature is known to be good.
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

from jwt import encode

from hermes.access.claims import (
    Claims,
    check_audience,
    check_issuer,
    check_times,
    grants_of,
    id_of,
    json_object,
    subject_of,
)
from hermes.access.jwks import Jwks
from hermes.access.verification_key import PUBLIC, SECRET, VerificationKey, public_key, secret_key, shared_secret
from hermes.core.clock import Clock
from hermes.errors import Unauthorized
from hermes.settings import Settings

MAX_TOKEN = 8000
"""Characters of a token: more do not pass a request's header (8,190 bytes)."""

OWN_KID = "hermes.own"
OWN_ISSUER = "hermes"
"""The header and the issuer of the tokens that Hermes mints. A token with that header is checked with Hermes' secret alone, any
other token never with it."""

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
"""The compact form (RFC 7515, section 7.1): three parts, none empty, without padding."""


class Header(NamedTuple):
    """What counts of a token's header."""

    algorithm: str
    kid: str | None


class Verifier:
    """Checks tokens: those of Hermes itself with ``own_secret``, all others with the keys that ``settings`` name and ``jwks``.

    Raises :class:`~hermes.errors.SettingsError` for a key that cannot be used.
    """

    def __init__(self, settings: Settings, own_secret: Callable[[], str], clock: Clock, jwks: Jwks | None) -> None:
        self._own_secret = own_secret
        self._clock = clock
        self._jwks = jwks
        self._keys = configured_keys(settings)
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience

    @property
    def knows_issuers(self) -> bool:
        """Whether tokens count here that Hermes did not mint."""
        return bool(self._keys) or self._jwks is not None

    @property
    def version(self) -> int:
        """Another one whenever what was verified has to be verified again."""
        return self._jwks.version if self._jwks is not None else 0

    def verify(self, text: str) -> Claims:
        """What a token says. Raises :class:`~hermes.errors.Unauthorized` where it does not count, and ``Unavailable`` where that
        cannot be known now.
        """
        if len(text) > MAX_TOKEN:
            raise Unauthorized(f"the token has more than {MAX_TOKEN} characters")
        if not _FORM.fullmatch(text):
            raise Unauthorized(
                "the token is no JWT: three parts with dots between them, each in base64url without padding"
            )
        header = _header(text)
        if header.kid == OWN_KID:
            self._check_own(header, text)
            return self._own_claims(text)
        good_until = self._check_foreign(header, text)
        return self._foreign_claims(text)._replace(good_until=good_until)

    # Signatures

    def _check_own(self, header: Header, text: str) -> None:
        if header.algorithm not in SECRET or not self._own_key.signed(text):
            raise Unauthorized("the token says that Hermes minted it, and has another signature")

    def _check_foreign(self, header: Header, text: str) -> float:
        """Check a signature by the keys of other issuers; the monotonic time until which that need not be done again."""
        if not self.knows_issuers:
            raise Unauthorized(
                "the token was not minted here, and no other issuer is configured (HERMES_JWT_SECRET, HERMES_JWT_PUBLIC_KEY, "
                "HERMES_JWKS_URL)"
            )
        fitting = [key for key in self._keys if header.algorithm in key.algorithms]
        if any(key.signed(text) for key in fitting):
            return math.inf
        if self._jwks is not None and header.algorithm in PUBLIC:
            published = self._jwks.find(header.algorithm, header.kid)
            if any(key.signed(text) for key in published):
                return self._jwks.good_until
            fitting += published
        if fitting:
            raise Unauthorized("the token's signature is not that of the configured key")
        raise Unauthorized("the token's alg is not one that the configured keys take")

    @cached_property
    def _own_key(self) -> VerificationKey:
        return secret_key(self._own_secret())

    # Claims

    def _own_claims(self, text: str) -> Claims:
        said, claims = self._claims(text, OWN_ISSUER, None)
        grants = grants_of(said, None)  # its patterns say whom they mean: a subject may have "{sub}" in its own name
        return claims._replace(grants=grants, key_id=said.get("key"), key_mark=said.get("mark"))

    def _foreign_claims(self, text: str) -> Claims:
        _, claims = self._claims(text, self._issuer, self._audience)
        if claims.subject is None:
            raise Unauthorized("the token has no sub: it must say whose it is")
        return claims

    def _claims(self, text: str, issuer: str | None, audience: str | None) -> tuple[dict[str, Any], Claims]:
        said = json_object(_decoded(text.split(".")[1]), "payload")
        expires_at = check_times(said, self._clock.now())
        check_issuer(said, issuer)
        check_audience(said, audience)
        subject = subject_of(said)
        return said, Claims(id_of(said, _digest(text)), subject, expires_at, grants_of(said, subject))


def configured_keys(settings: Settings) -> tuple[VerificationKey, ...]:
    """The keys that ``settings`` hold themselves; raises :class:`~hermes.errors.SettingsError`."""
    keys = []
    if settings.jwt_secret is not None:
        keys.append(shared_secret(settings.jwt_secret.get_secret_value()))
    if settings.jwt_public_key is not None:
        keys.append(public_key(settings.jwt_public_key))
    return tuple(keys)


def _header(text: str) -> Header:
    said = json_object(_decoded(text.partition(".")[0]), "header")
    algorithm, kid = said.get("alg"), said.get("kid")
    if not isinstance(algorithm, str):
        raise Unauthorized("the token's header has no alg")
    if "kid" in said and not isinstance(kid, str):
        raise Unauthorized("the token's kid must be a string")
    if "crit" in said or "b64" in said:  # RFC 7515, section 4.1.11: what is not understood must not be passed over
        raise Unauthorized("the token's header asks for extensions (crit, b64): none is known here")
    return Header(algorithm, kid)


def _decoded(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Unauthorized("the token is no base64url") from None


def _digest(text: str) -> str:
    """Names the token by what is signed: of an ECDSA signature anybody can make a second one that is as good."""
    return sha256(text.rpartition(".")[0].encode()).hexdigest()[:40]


def own_token(secret: str, claims: Claims, now: float) -> str:
    """The token of Hermes' own that says ``claims``, from ``now`` on."""
    rights = {"subscribe": list(claims.grants.subscribe), "publish": list(claims.grants.publish)}
    said = {
        "iss": OWN_ISSUER,
        "jti": claims.id,
        "sub": claims.subject,
        "iat": int(now),
        "exp": int(claims.expires_at),
        "hermes": rights,
        "key": claims.key_id,
        "mark": claims.key_mark,
    }
    return encode(
        {name: value for name, value in said.items() if value is not None}, secret, SECRET[0], headers={"kid": OWN_KID}
    )
