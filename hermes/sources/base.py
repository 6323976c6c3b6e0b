"""The interface of a source: something that publishes live state, and can say what that state is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from flask import Blueprint
from structlog.typing import FilteringBoundLogger

from hermes.core.clock import Clock
from hermes.core.publisher import Publisher
from hermes.settings import Settings


class State(NamedTuple):
    """One piece of a source's retained state: published as an event of ``type`` with ``key``."""

    type: str
    key: str
    data: Any


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is given: all that it needs, and nothing private.

    ``publisher`` may use reserved channels and types. ``lease(name)`` says whether this process holds the named lease of the
    fleet, and keeps it when asked again within a few seconds. ``streams()`` counts the open streams of the fleet.
    """

    publisher: Publisher
    settings: Settings
    clock: Clock
    lease: Callable[[str], bool]
    streams: Callable[[], int]
    log: FilteringBoundLogger


class Source(Protocol):
    """A plug-in that publishes. Its channels are its own: nobody else should publish keyed state there."""

    name: str
    channels: tuple[str, ...]

    def setup(self, context: SourceContext) -> Blueprint | None:
        """Take the context; give the routes of the source, if it has any. Nothing runs yet."""

    def start(self) -> None:
        """Begin to publish; must not block."""

    def stop(self) -> None:
        """Stop publishing; called once at the end."""

    def state(self, channel: str) -> Iterable[State]:
        """The whole keyed state of ``channel`` now. Asked at start and after each new epoch by the holder of the lease."""
