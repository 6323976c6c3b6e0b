"""Commands that every process must hear: numbered events on ``hermes:control``, so that a broken link cannot lose them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from hermes.core.channel import CONTROL_CHANNEL
from hermes.core.event import Event
from hermes.core.publisher import Publisher

log = structlog.get_logger(__name__)

Command = Callable[[Mapping[str, Any]], None]
"""Carries a command out in this process. Must not block."""

LIFETIME = 3600.0
"""Seconds that a command is replayed: whoever starts later reads what it must know from the database."""


class Control:
    """Tells every process of the fleet, this one included, and carries out what it hears, in the order of the log."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._commands: dict[str, list[Command]] = {}
        self._reload: list[Callable[[], None]] = []

    def on(self, name: str, command: Command) -> None:
        """Carry out the command ``name``, such as ``revoke``, by calling ``command`` with its data, after those named before."""
        self._commands.setdefault(name, []).append(command)

    def on_gap(self, reload: Callable[[], None]) -> None:
        """Call ``reload`` where commands may have been missed: it reads from the database what they would have told."""
        self._reload.append(reload)

    def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """Tell every process; stored when this returns. Raises :class:`~hermes.errors.Unavailable`."""
        self._publisher.publish(CONTROL_CHANNEL, dict(data), type=f"hermes.{name}", ttl=LIFETIME)

    def hear(self, events: Iterable[Event]) -> None:
        """What has entered this process's end of the log, before any stream gets it."""
        for event in events:
            if CONTROL_CHANNEL in event.channels:
                self.carry_out(event.type.removeprefix("hermes."), event.value)

    def missed(self) -> None:
        """The log did not continue here."""
        for reload in self._reload:
            reload()

    def carry_out(self, name: str, data: Mapping[str, Any]) -> None:
        """Carry out a command in this process alone."""
        commands = self._commands.get(name, ())
        if not commands:
            log.warning("unknown command", command=name)  # of a newer version, while processes are replaced
        for command in commands:
            try:
                command(data)
            except Exception:
                log.exception("command failed", command=name)
