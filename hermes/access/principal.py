"""The principal: who is calling and what they may see and publish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hermes.access.grants import ADMIN_PREFIX, Grants, granted
from hermes.core.channel import pattern_problem
from hermes.errors import Forbidden, SettingsError

ANONYMOUS_ID = "anonymous"
SESSION = "session:"
NOTHING = Grants()


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. ``id`` names it in logs and scopes its idempotency keys: ``key:...``, ``user:...``, ``session:...``.

    ``by_cookie`` marks credentials that a browser sends by itself: they never authorise a write from another origin.
    ``expires_at`` (s since the epoch) is when its credentials end, ``token_id`` (of a session: its id) and ``key_id`` are what a
    revocation names.
    """

    id: str
    user_id: str | None = None
    grants: Grants = NOTHING
    by_cookie: bool = False
    expires_at: float | None = None
    token_id: str | None = None
    key_id: str | None = None

    @property
    def admin(self) -> bool:
        """Whether nothing is withheld from this caller."""
        return self.grants.admin

    @property
    def subscribe(self) -> tuple[str, ...]:
        """Patterns of the channels that this caller may subscribe to; an administrator needs none."""
        return self.grants.subscribe

    @property
    def anonymous(self) -> bool:
        """Whether the caller showed no credentials."""
        return self.id == ANONYMOUS_ID

    @property
    def in_session(self) -> bool:
        """Whether the caller has signed in to the dashboard."""
        return self.id.startswith(SESSION)

    @property
    def own_channel(self) -> str | None:
        """The channel that belongs to this user."""
        return f"user:{self.user_id}" if self.user_id else None

    def may_publish(self, channel: str) -> bool:
        """Whether this caller may publish to ``channel``."""
        return self.admin or granted(self.grants.publish, channel)

    def check_publish(self, channels: Iterable[str]) -> None:
        """Raise :class:`~hermes.errors.Forbidden` that names those of ``channels`` that this caller may not publish to."""
        if self.admin:
            return
        refused = [channel for channel in channels if not granted(self.grants.publish, channel)]
        if refused:
            raise Forbidden(f"you may not publish to {refused[0]!r}", {"channels": sorted(set(refused))})


def administrator(id: str, *, by_cookie: bool = False, key_id: str | None = None) -> Principal:
    """A caller from whom nothing is withheld."""
    return Principal(id, grants=Grants(admin=True), by_cookie=by_cookie, key_id=key_id)


def check_public(channels: Iterable[str]) -> None:
    """Raise :class:`~hermes.errors.SettingsError` for one of ``channels`` that nobody may be granted without credentials."""
    for text in channels:
        problem = pattern_problem(text)
        if text.startswith(ADMIN_PREFIX):
            problem = f"begins with {ADMIN_PREFIX!r}, which is for administrators"
        if problem is not None:
            raise SettingsError(f"HERMES_PUBLIC_CHANNELS: {text[:64]!r} {problem}.")


def anonymous(public_channels: tuple[str, ...]) -> Principal:
    """A caller without credentials: it sees the public channels and nothing else."""
    return Principal(ANONYMOUS_ID, grants=Grants(subscribe=public_channels))
