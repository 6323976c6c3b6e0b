"""The principal: who is calling and what they may see and publish."""

from __future__ import annotations

from dataclasses import dataclass

from hermes.core.channel import pattern


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. ``subscribe`` and ``publish`` are patterns; an administrator needs none.

    ``by_cookie`` marks credentials that a browser sends by itself: they never authorise a write from another origin.
    """

    id: str
    user_id: str | None = None
    subscribe: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    admin: bool = False
    by_cookie: bool = False

    @property
    def anonymous(self) -> bool:
        """Whether the caller showed no credentials."""
        return self.id == ANONYMOUS_ID

    @property
    def own_channel(self) -> str | None:
        """The channel that belongs to this user."""
        return f"user:{self.user_id}" if self.user_id else None

    def may_publish(self, channel: str) -> bool:
        """Whether this caller may publish to ``channel``."""
        return self.admin or any(pattern(grant).matches(channel) for grant in self.publish)


ANONYMOUS_ID = "anonymous"


def anonymous(public_channels: tuple[str, ...]) -> Principal:
    """A caller without credentials: it sees the public channels and nothing else."""
    return Principal(ANONYMOUS_ID, subscribe=public_channels)
