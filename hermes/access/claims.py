"""What a token says, checked claim by claim. Whoever signed it is known already; what it says is not believed for that.

Sentences name the claim that is wrong and never show what is in it: tokens stay out of logs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from hermes.access.grants import ADMIN_PREFIX, MAX_PATTERNS, Grants
from hermes.core.channel import PROTECTED_PREFIXES, name_problem, pattern_problem
from hermes.errors import Unauthorized

LEEWAY = 5.0
"""Seconds that the issuer's clock may be ahead of ours. ``exp`` has none: streams end by it."""

LATEST = 253_402_300_799
"""The last second of the year 9999: what no calendar has is no time."""

MAX_MEMBERS = 100
MAX_DEPTH = 10
"""Bounds of any JSON object in a token."""

GRANT_NAMES = ("subscribe", "publish", "admin")

_ID = re.compile(r"[A-Za-z0-9._~:@+=-]{1,128}")
"""A ``jti`` that can stand in a path, a log and a table as it is."""


class Claims(NamedTuple):
    """What a token says that counts here. ``expires_at`` in seconds since 1970; ``id`` is what a revocation names.

    ``key_id`` and ``key_mark`` are those of the API key that minted it (see :class:`hermes.access.keys.KeyRing`). Until
    ``good_until``, by the monotonic clock, its signature need not be checked again.
    """

    id: str
    subject: str | None
    expires_at: float
    grants: Grants
    key_id: str | None = None
    key_mark: str | None = None
    good_until: float = math.inf


def json_object(text: bytes, part: str) -> dict[str, Any]:
    """The JSON object in ``part`` of a token; raises :class:`~hermes.errors.Unauthorized`.

    One meaning only: a name that comes twice is refused (RFC 8725, section 2.4), and what is no JSON for others is none here.
    """
    try:
        value = json.loads(text.decode(), object_pairs_hook=_members, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unauthorized(f"the token's {part} is no JSON object with each name once") from None
    if not isinstance(value, dict):
        raise Unauthorized(f"the token's {part} is no JSON object")
    if _is_deeper(value, MAX_DEPTH):
        raise Unauthorized(f"the token's {part} has more than {MAX_DEPTH} levels")
    return value


def check_times(claims: Mapping[str, Any], now: float) -> float:
    """When the token ends; raises :class:`~hermes.errors.Unauthorized` where it does not count at ``now``."""
    ends_at = _time(claims, "exp")
    if ends_at is None:
        raise Unauthorized("the token has no exp: it must say when it ends, in seconds since 1970")
    if now >= ends_at:
        raise Unauthorized("the token has expired: get a new one")
    for name in ("nbf", "iat"):
        begins_at = _time(claims, name)
        if begins_at is not None and begins_at > now + LEEWAY:
            raise Unauthorized(f"the token does not count yet: its {name} lies ahead of the time here")
    return ends_at


def check_issuer(claims: Mapping[str, Any], wanted: str | None) -> None:
    """Raise :class:`~hermes.errors.Unauthorized` where the issuer is not the one ``wanted``, if any (RFC 7519, 4.1.1)."""
    if "iss" in claims and not isinstance(claims["iss"], str):
        raise Unauthorized("the token's iss must be a string")
    if wanted is not None and claims.get("iss") != wanted:
        raise Unauthorized("the token's iss is not the issuer that is set here (HERMES_JWT_ISSUER)")


def check_audience(claims: Mapping[str, Any], wanted: str | None) -> None:
    """Raise :class:`~hermes.errors.Unauthorized` where the token is not for the audience ``wanted``, if any (RFC 7519, 4.1.3)."""
    audience = claims.get("aud", [])
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(one, str) for one in named):
        raise Unauthorized("the token's aud must be a string or a list of strings")
    if wanted is not None and wanted not in named:
        raise Unauthorized("the token's aud does not name the audience that is set here (HERMES_JWT_AUDIENCE)")


def subject_of(claims: Mapping[str, Any]) -> str | None:
    """Whose token it is; raises :class:`~hermes.errors.Unauthorized` for a subject that can have no channel of its own."""
    if "sub" not in claims:
        return None
    problem = subject_problem(claims["sub"])
    if problem is not None:
        raise Unauthorized(f"the token's sub {problem}: it is part of the name of a channel")
    return str(claims["sub"])


def subject_problem(subject: object) -> str | None:
    """Why nobody can be ``subject``, with the remedy; ``None`` if it can be the name of a user."""
    if not isinstance(subject, str) or not subject:
        return "must be a string that is not empty"
    return name_problem(f"user:{subject}")


def id_of(claims: Mapping[str, Any], digest: str) -> str:
    """What names this token in a revocation: its ``jti``, or by ``digest`` where it has none that can be written down."""
    if "jti" not in claims:
        return f"sha256-{digest}"
    if not isinstance(claims["jti"], str):
        raise Unauthorized("the token's jti must be a string")
    return claims["jti"] if _ID.fullmatch(claims["jti"]) else f"sha256-{digest}"


def is_id(text: str) -> bool:
    """Whether a token could have this id."""
    return _ID.fullmatch(text) is not None


def grants_of(claims: Mapping[str, Any], subject: str | None) -> Grants:
    """The grants in the claim ``hermes``, for ``subject``; raises :class:`~hermes.errors.Unauthorized` that names a bad field.

    Channels of Hermes itself are an administrator's: patterns that begin so count for nothing.
    """
    said = claims.get("hermes", {})
    if not isinstance(said, dict):
        raise Unauthorized("the token's hermes must be an object")
    unknown = [name for name in said if name not in GRANT_NAMES]
    if unknown:
        raise Unauthorized(f"the token's hermes has an unknown field; it may have {', '.join(GRANT_NAMES)}")
    admin = said.get("admin", False)
    if not isinstance(admin, bool):
        raise Unauthorized("the token's hermes.admin must be true or false")
    grants = Grants(_patterns(said, "subscribe"), _patterns(said, "publish"), admin)
    return grants if subject is None else grants_for(grants, subject)


def grants_for(templates: Grants, subject: str) -> Grants:
    """What ``templates`` grant that subject, whose name stands where they say ``{sub}``."""
    meant = templates.of_subject(subject)
    return Grants(
        _as_spelled(templates.subscribe, meant.subscribe),
        _as_spelled(templates.publish, meant.publish),
        templates.admin,
    )


def _patterns(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = said.get(name, [])
    if not isinstance(value, list) or len(value) > MAX_PATTERNS:
        raise Unauthorized(f"the token's hermes.{name} must be a list of at most {MAX_PATTERNS} names and patterns")
    for index, item in enumerate(value):
        problem = pattern_problem(item)
        if problem is not None:
            raise Unauthorized(f"the token's hermes.{name}[{index}] {problem}")
    return tuple(item for item in dict.fromkeys(value) if not item.startswith(ADMIN_PREFIX))


def _as_spelled(templates: tuple[str, ...], meant: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``meant`` that a subject has not turned into what was not spelled out.

    ``{sub}:*`` grants a user named ``user`` no other users' channels.
    """
    return tuple(
        text
        for template, text in zip(templates, meant, strict=True)
        if pattern_problem(text) is None
        and all(template.startswith(prefix) for prefix in PROTECTED_PREFIXES if text.startswith(prefix))
    )


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519, section 2), which may have a fraction."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthorized(f"the token's {name} must be a number of seconds since 1970")
    if not 0 <= value <= LATEST:
        raise Unauthorized(f"the token's {name} is no time between 1970 and 9999")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs) or len(pairs) > MAX_MEMBERS:
        raise ValueError("too many members, or one twice")
    return members


def _no_number(_text: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels + 1):
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True
