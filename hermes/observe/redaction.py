"""What must not stand in a log - keys, tokens, cookies, passwords, codes - found in text and taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable

REMOVED = "(removed)"

SHORTEST = 8
"""Characters of a known secret that is looked for: a shorter one would be found in words that have nothing to do with it."""

_VALUE = r"[^\s\"'<>&;,#\\]"
_QUOTE = r"(?:b?\\?[\"'])?"
_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # JSON in base64 begins like this: JWTs and the dashboard's sessions, also where they were cut.
        (r"(?<![\w-])eyJ[\w-]{6,}(?:\.[\w-]*){0,4}", REMOVED),
        (r"\bhk_[a-z0-9]{8}_[\w-]{20,}", REMOVED),  # an API key that Hermes made
        (rf"\b(bearer|basic)((?:\s|%20|\+)++){_VALUE}{{8,}}", rf"\1\2{REMOVED}"),
        # A header, up to the end of its line or of the string that holds it; hints of our own say "Bearer <key>".
        (
            r"(?<![a-z0-9])(authorization|x[-_]api[-_]key|cookie)"
            rf"(\\?[\"']?\s*+[:=,]\s*+{_QUOTE})(?!(?:bearer\s+)?<)[^\r\n\"'\\]+",
            rf"\1\2{REMOVED}",
        ),
        (
            r"(?<![\w-])((?:access_|refresh_|id_)?token|code|(?:api_?)?key|password|secret|hermes_session|hermes_token)"
            rf"(=|%3D){_VALUE}+",
            rf"\1\2{REMOVED}",
        ),
        # The same as a field of an object that was written out.
        (
            r"((?:access_|refresh_|id_)?token|api_?key|password|secret|hermes_session|hermes_token)"
            r"(\\?[\"']\s*+:\s*+b?\\?[\"'])[^\r\n\"'\\]+",
            rf"\1\2{REMOVED}",
        ),
        # The name and password of an address (RFC 3986, section 3.2.1).
        (r"://[^/\s@\"'\\]++(?=@)", f"://{REMOVED}"),
    )
]


def redact(text: str) -> str:
    """``text`` without what looks like a secret."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class Redactor:
    """Takes secrets out of text: what looks like one, and ``secrets``, those of this process, wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """``text`` without secrets."""
        return redact(self._known.sub(REMOVED, text) if self._known is not None else text)
