"""The keys that signatures of tokens are checked with: each takes the algorithms of its kind and no others.

Which algorithm a token names decides nothing but whether a key is for it (RFC 8725, section 3.1): a public key never is a secret
of HS256, and ``none`` is nobody's algorithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK, PyJWS
from jwt.exceptions import InvalidKeyError, PyJWTError

from hermes.errors import SettingsError

SECRET = ("HS256",)
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = {SECP256R1.name: ("ES256",), SECP384R1.name: ("ES384",), SECP521R1.name: ("ES512",)}
ED25519 = ("EdDSA",)

PUBLIC = frozenset({*RSA, *(name for names in CURVES.values() for name in names), *ED25519})
"""The algorithms of public keys."""

SHORTEST_RSA, LONGEST_RSA = 2048, 8192
"""Bits: shorter ones can be broken (NIST SP 800-131A), longer ones make each signature slow to check."""

MAX_FILE = 64 * 1024

_JWS = PyJWS([*SECRET, *sorted(PUBLIC)], {"verify_signature": True, "enforce_minimum_key_length": True})

_JWK_FIELDS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""What of a JWK (RFC 7518, section 6; RFC 8037) is read: the public part, and of symmetric keys nothing."""

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key, the algorithms that it takes, and its id (``kid``) where it has one."""

    material: bytes | PublicKey
    algorithms: tuple[str, ...]
    kid: str | None = None

    def signed(self, token: str) -> bool:
        """Whether the signature of ``token`` is this key's."""
        try:
            _JWS.decode(token, self.material, algorithms=list(self.algorithms))
        except PyJWTError:
            return False
        return True


def secret_key(secret: str) -> VerificationKey:
    """The key that ``secret`` is. Raises ``ValueError`` for one that is no secret but a public key."""
    material = secret.encode("utf-8", "surrogatepass")
    key = VerificationKey(material, SECRET)
    try:
        _JWS.get_algorithm_by_name(SECRET[0]).prepare_key(material)
    except InvalidKeyError as error:
        raise ValueError(str(error)) from None
    return key


def shared_secret(secret: str) -> VerificationKey:
    """The key of ``HERMES_JWT_SECRET``; raises :class:`~hermes.errors.SettingsError`. Weak ones are refused with the settings."""
    try:
        return secret_key(secret)
    except ValueError:
        raise SettingsError("HERMES_JWT_SECRET: this is a public key; HERMES_JWT_PUBLIC_KEY takes it.") from None


def public_key(value: str) -> VerificationKey:
    """The key of ``HERMES_JWT_PUBLIC_KEY``, a PEM text or the path of one; raises :class:`~hermes.errors.SettingsError`."""
    pem = value.replace("\\n", "\n").encode() if "-----BEGIN" in value else _file(value)
    if b"PRIVATE KEY" in pem:
        raise _bad("this is a private key, which stays with the issuer: give its public key (openssl pkey -pubout)")
    if b"BEGIN CERTIFICATE" in pem:
        raise _bad("this is a certificate: give the key in it (openssl x509 -noout -pubkey)")
    try:
        material = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _bad("holds no PEM text of a public key") from None
    algorithms = _algorithms(material)
    if algorithms is None:
        raise _bad(
            f"takes RSA keys of {SHORTEST_RSA} to {LONGEST_RSA} bits, EC keys on P-256, P-384 or P-521, and Ed25519 keys"
        )
    return VerificationKey(material, algorithms)  # type: ignore[arg-type] # of these kinds, or it had no algorithms


def jwk_key(entry: object) -> VerificationKey | None:
    """The key that one member of a JWK Set is, or ``None`` for one that is not for signatures of tokens (RFC 7517, section 5)."""
    if not isinstance(entry, Mapping) or not _is_for_signatures(entry):
        return None
    kind, kid, named = entry.get("kty"), entry.get("kid"), entry.get("alg")
    fields = {name: entry.get(name) for name in _JWK_FIELDS.get(str(kind), ())}
    if not fields or not all(isinstance(value, str) for value in fields.values()):
        return None
    try:
        material = PyJWK({"kty": kind, **fields}).key
        algorithms = _algorithms(material)
    except (PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if algorithms is None or not (named is None or named in algorithms) or not isinstance(kid, str | None):
        return None
    return VerificationKey(material, (named,) if named else algorithms, kid)


def _is_for_signatures(entry: Mapping[str, Any]) -> bool:
    operations = entry.get("key_ops")
    return entry.get("use") in (None, "sig") and (
        operations is None or (isinstance(operations, list) and "verify" in operations)
    )


def _algorithms(material: object) -> tuple[str, ...] | None:
    """What a key of this kind takes; ``None`` for a kind that no token is signed with here."""
    if isinstance(material, RSAPublicKey):
        return RSA if SHORTEST_RSA <= material.key_size <= LONGEST_RSA else None
    if isinstance(material, EllipticCurvePublicKey):
        return CURVES.get(material.curve.name)
    return ED25519 if isinstance(material, Ed25519PublicKey) else None


def _file(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MAX_FILE)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise _bad(f"is no PEM text, and no file that can be read ({reason})") from None


def _bad(reason: str) -> SettingsError:
    return SettingsError(f"HERMES_JWT_PUBLIC_KEY: {reason}.")
