"""The interface of a source: something that publishes live state, and can say what that state is now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from flask import Blueprint
from structlog.typing import FilteringBoundLogger

from hermes.core.clock import Clock
from hermes.core.publisher import Publisher
from hermes.core.retained import Snapshot
from hermes.core.subscription import Subscription
from hermes.fleet.base import Answer, Part
from hermes.settings import Settings


class State(NamedTuple):
    """One piece of a source's retained state: published as an event of ``type`` with ``key``."""

    type: str
    key: str
    data: Any


class Bearer(Protocol):
    """Whose stream it is."""

    @property
    def principal_id(self) -> str:
        """As logs name the caller."""

    @property
    def user_id(self) -> str | None:
        """The user, where the caller is one."""

    @property
    def address(self) -> str:
        """Where the caller is."""


class Subscriber(Protocol):
    """A stream of this process."""

    @property
    def close_reason(self) -> str | None:
        """Why it ended; ``None`` while it lives, and where its client left."""

    @property
    def connection_id(self) -> str:
        """The id of its connection."""

    @property
    def subscription(self) -> Subscription:
        """What it asked for and may see."""

    @property
    def bearer(self) -> Bearer:
        """Whose it is."""


class Observer(Protocol):
    """Whoever wants to know which streams of this process open and end. Called for each: it must neither wait nor raise."""

    def opened(self, subscriber: Subscriber, /) -> None:
        """A stream begins."""

    def closed(self, subscriber: Subscriber, /) -> None:
        """A stream that was opened has ended."""


class Company(Protocol):
    """The other processes of the fleet, as one of them sees them."""

    @property
    def node(self) -> str:
        """The name of this process."""

    def report(self, part: Part) -> None:
        """Let ``part`` tell the others something once a second, and hear what they tell."""

    def on(self, name: str, answer: Answer) -> None:
        """Answer the questions of that name; see :class:`~hermes.fleet.base.Fleet` for what an answer may not do."""

    def ask(self, node: str, name: str, question: bytes = b"") -> bytes | None:
        """What ``node`` answers to a question of that name, or ``None``; raises :class:`~hermes.errors.Unavailable`."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is given: all that it needs, and nothing private.

    ``publisher`` may use reserved channels and types. ``lease(name)`` says whether this process holds the named lease of the
    fleet, and keeps it when asked again within a few seconds. ``streams()`` counts the open streams of the fleet.
    ``retained(items)`` reads the retained state of channels, and with no items only where the log stands; it raises
    :class:`~hermes.errors.Unavailable`. ``observe`` registers an observer of this process's streams, before the start.
    """

    publisher: Publisher
    settings: Settings
    clock: Clock
    lease: Callable[[str], bool]
    streams: Callable[[], int]
    log: FilteringBoundLogger
    retained: Callable[[Collection[str]], Snapshot]
    observe: Callable[[Observer], None]
    company: Company


class Source(Protocol):
    """A plug-in that publishes. Its channels are its own: nobody else should publish keyed state there.

    A source whose channels are not known beforehand names none, and sees to their state itself.
    """

    name: str
    channels: tuple[str, ...]

    def setup(self, context: SourceContext) -> Blueprint | None:
        """Take the context; give the routes of the source, if it has any. Nothing runs yet."""

    def start(self) -> None:
        """Begin to publish; must not block."""

    def stop(self) -> None:
        """Stop publishing; called once at the end."""

    def state(self, channel: str, /) -> Iterable[State]:
        """The whole keyed state of ``channel`` now. Asked at start and after each new epoch by the holder of the lease."""
