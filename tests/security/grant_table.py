"""Grants and channels, and a reference that says which grant shows which channel; written without Hermes' own matching."""

import re

CHANNELS = (
    "public:news",
    "orders:1",
    "orders:10",
    "Orders:1",
    "orders",
    "orders:é",  # one code point
    "orders:é",  # a letter and a combining mark
    "a/b",
    "a%2Fb",
    "a/../b",
    "..",
    "user:7",
    "user:70",
    "USER:7",
    "xuser:7",
    "usher:7",
    "data:prices",
    "p.1+2(3)[4]?",
)

GRANTS = (
    "*",
    "public:*",
    "orders:*",
    "orders:1",
    "orders:1*",
    "orders*",
    "Orders:*",
    "orders:é",
    "a/*",
    "a%2F*",
    "a/../b",
    "*:1",
    "o*1",
    "u*",
    "user:*",
    "user:7",
    "us*:7",
    "p.1+2(3)[4]?",
    "nothing",
)

PROTECTED = ("user:", "presence:", "hermes:")


def shows(grant: str, channel: str) -> bool:
    """Whether a caller with this one grant may see the channel."""
    spelled = all(grant.startswith(prefix) for prefix in PROTECTED if channel.startswith(prefix))
    expression = ".*".join(re.escape(part) for part in grant.split("*"))
    return spelled and re.fullmatch(expression, channel, re.DOTALL) is not None


def visible(grant: str) -> set[str]:
    """All channels of the table that it shows."""
    return {channel for channel in CHANNELS if shows(grant, channel)}
