"""What one stream asked for and may see: channels, types, filter and grants, matched against events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hermes.core.channel import CONTROL_CHANNEL, Pattern, pattern
from hermes.core.event import Event
from hermes.core.filter import Filter

ANY = ("*",)


class Subscription:
    """The channels (names and patterns), event types and filter of a stream, within what its principal may see.

    ``items`` are the subscribed names and patterns in their order. ``grants`` are patterns too: an event is seen by way of a
    channel that an item *and* a grant select. ``everything`` is an administrator's grant, which needs no pattern.
    """

    __slots__ = (
        "_exact",
        "_exact_granted",
        "_grants",
        "_patterns",
        "_types",
        "envelope",
        "everything",
        "filter",
        "items",
        "key",
    )

    def __init__(
        self,
        items: Iterable[str],
        types: Iterable[str] = (),
        filter: Filter | None = None,
        grants: Iterable[str] = ANY,
        *,
        everything: bool = False,
        envelope: bool = False,
    ) -> None:
        self.items = tuple(items)
        self.filter = filter
        self.everything = everything
        self.envelope = envelope
        self._patterns = [pattern(item) for item in self.items if "*" in item]
        self._exact = frozenset(item for item in self.items if "*" not in item)
        types, grants = tuple(types), tuple(grants)
        self._types = [pattern(type_) for type_ in types]
        self._grants = [pattern(grant) for grant in grants]
        self._exact_granted = frozenset(name for name in self._exact if self.may_see(name))
        self.key = (self.items, types, filter.key if filter else None, grants, everything, envelope)
        """Streams with equal keys get the same frames: the hub matches once for all of them."""

    @property
    def exact(self) -> frozenset[str]:
        """The items that are plain names."""
        return self._exact

    @property
    def patterns(self) -> list[Pattern]:
        """The items with a ``*``."""
        return self._patterns

    def may_see(self, channel: str) -> bool:
        """Whether the grants let this principal see ``channel``; nobody sees ``hermes:control``."""
        if self.everything:
            return channel != CONTROL_CHANNEL
        return any(grant.matches(channel) for grant in self._grants)

    def covers(self, channel: str) -> bool:
        """Whether ``channel`` is subscribed and may be seen."""
        if channel in self._exact:
            return channel in self._exact_granted
        if len(self._grants) < len(self._patterns):  # the shorter list first: a stranger may ask for a hundred patterns
            return self.may_see(channel) and self._selects(channel)
        return self._selects(channel) and self.may_see(channel)

    def _selects(self, channel: str) -> bool:
        return any(item.matches(channel) for item in self._patterns)

    def items_of(self, channel: str) -> list[str]:
        """The items that select ``channel``."""
        found = [channel] if channel in self._exact else []
        return found + [item.text for item in self._patterns if item.matches(channel)]

    def sought(self, items: Iterable[str]) -> set[str]:
        """Names and patterns that select all that may be seen by way of ``items``, and of the rest as little as is known.

        For who reads on behalf of this stream: a stranger who asks for ``*`` shall not have everything read that is private.
        """
        if self.everything:
            return set(items)
        found: set[str] = set()
        for item in items:
            if "*" not in item:
                found |= {item} & self._exact_granted
            elif any(grant.matches(item) for grant in self._grants):  # it selects nothing beyond that grant
                found.add(item)
            else:
                found.update(grant.text for grant in self._grants if grant.may_meet(pattern(item)))
        return found

    def wants(self, event: Event) -> bool:
        """Whether type and filter let ``event`` through, wherever it was published."""
        if self._types and not any(type_.fits(event.type) for type_ in self._types):
            return False
        return self.filter is None or self.filter.matches(event.value)

    def match(self, event: Event) -> str | None:
        """The first of the event's channels by way of which this stream gets it, or ``None``."""
        for channel in event.channels:
            if self.covers(channel):
                return channel if self.wants(event) else None
        return None

    def match_after(self, event: Event, owed_after: Mapping[str, int]) -> str | None:
        """As :meth:`match`, where items in ``owed_after`` give only what is above their number there.

        That is how an event up to a snapshot's tip is skipped for the channels that were reset, and for no others.
        """
        if not owed_after:
            return self.match(event)

        def owed(channel: str) -> bool:
            return any(event.number > owed_after.get(item, 0) for item in self.items_of(channel))

        return self._match_where(event, owed)

    def _match_where(self, event: Event, owed: Callable[[str], bool]) -> str | None:
        for channel in event.channels:
            if self.covers(channel) and owed(channel):
                return channel if self.wants(event) else None
        return None
