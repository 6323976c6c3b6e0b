"""Whether a secret is one: what anybody would guess is refused, however long it is."""

from __future__ import annotations

import re

SHORTEST = 32
"""Characters of a secret that signs or opens something."""

FEWEST_DIFFERENT = 6
"""Different characters: of 32 random digits fewer are different in 1 of 16 million."""

LEFT = 16
"""Characters that must be left when words and sequences are taken out: as many hexadecimal digits are 64 bits."""

_WORDS = re.compile(
    "change|replace|insert|enter|your|mine|this|that|here|now|please|very|super|long|random|secure|strong|some|value|string|"
    "secret|password|passwd|passphrase|private|signing|key|token|jwt|api|admin|root|user|default|example|sample|placeholder|"
    "dummy|testing|test|demo|hermes|characters|character|chars|bytes|bits|bit|least|must|with|have|should|production|prod|"
    "development|develop|letmein|qwertyuiop|qwerty|asdfgh|foobar|foo|bar|lorem|ipsum",
    re.IGNORECASE,
)
_BETWEEN_WORDS = str.maketrans("", "", " -_.,:;!")
_SEQUENCE = 4
"""Characters that follow each other in the alphabet or in numbers are one thing to guess."""


def weak(secret: str) -> str | None:
    """Why ``secret`` is none, to be put after its name ("is shorter than ..."); ``None`` if it can be one.

    It finds what people type, copy from an example or hold a key down for. It is no measure of chance: that a secret was drawn
    at random cannot be seen by looking at it.
    """
    if len(secret) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if len(set(secret)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    if _repeats(secret):
        return "is a shorter text over and over"
    if len(_without_sequences(_WORDS.sub("", secret))) < LEFT:
        return "is made of words and sequences that anybody would try"
    return None


def _repeats(secret: str) -> bool:
    """Whether it is one piece, at most half as long, again and again."""
    return any(secret[piece:] == secret[:-piece] for piece in range(1, len(secret) // 2 + 1))


def _without_sequences(text: str) -> str:
    """``text`` without what stands between words, and without runs such as ``0123`` and ``zyxw``."""
    kept, run = "", ""
    for character in text.lower().translate(_BETWEEN_WORDS):
        if not _goes_on(run, character):
            kept, run = kept + _kept(run), ""
        run += character
    return kept + _kept(run)


def _goes_on(run: str, character: str) -> bool:
    """Whether ``character`` continues ``run`` by the same step of one, up or down."""
    step = ord(character) - ord(run[-1]) if run else 0
    return abs(step) == 1 and (len(run) < 2 or step == ord(run[1]) - ord(run[0]))


def _kept(run: str) -> str:
    return "" if len(run) >= _SEQUENCE else run
