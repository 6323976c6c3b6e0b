"""Whose stream it is: what ends it, counts it and names it, without a look at credentials."""

from __future__ import annotations

from typing import NamedTuple


class Bearer(NamedTuple):
    """The caller that opened a stream: ``expires_at`` (s since the epoch) ends it, a revocation names its key or token."""

    principal_id: str
    user_id: str | None = None
    key_id: str | None = None
    token_id: str | None = None
    address: str = ""
    expires_at: float | None = None


NOBODY = Bearer("anonymous")
