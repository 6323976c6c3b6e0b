"""The contract of a broker: what is atomic, ordered and durable. One test suite holds every broker to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.log import Page
from hermes.core.publisher import Once
from hermes.core.recovery import Tip
from hermes.core.retained import Snapshot

__all__ = ["Bounds", "Broker", "Feed", "Once"]


class Bounds(NamedTuple):
    """How much the log keeps: events, bytes of records, each channel's newest, and seconds."""

    events: int = 100_000
    bytes: int = 64 * 1024 * 1024
    per_channel: int = 1000
    age: float = 86_400.0


class Feed(Protocol):
    """Where a broker hands over what was published, in the order in which it learns of it. Never blocks, never raises."""

    def accept(self, epoch: str, first: int, events: Sequence[Event]) -> None:
        """Events with the contiguous numbers ``first``, ``first`` + 1, ... (set on each of them)."""

    def announce(self, epoch: str, number: int) -> None:
        """The log has reached ``number``, or the link was broken (number 0): read the log."""


class Broker(Protocol):
    """Numbers, stores and fans out events.

    *Atomic*: a publish call stores all of its events, with contiguous numbers for those that are new, or none. A page, a
    tip and a snapshot are each one read of one moment. *Ordered*: numbers grow by one; each process is fed in that order,
    with possible gaps and repeats, which the reader of the feed heals from :meth:`read`. *Durable*: when ``publish``
    returns, the events are stored as the store is configured to; when it raises, they are not known to be.
    *Lossy*: only the bounds of the log remove events, and its floors tell of each removal.
    """

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        """Store ``events`` (1 to 1,000) and answer the cursor of each.

        ``once`` makes the call idempotent for 10 minutes, ``each`` single events of it by their index: what was published
        before under the same key and digest is not published again, and its former cursor is answered. Raises
        :class:`~hermes.errors.Conflict` where a key comes back with another digest (nothing is stored then), and
        :class:`~hermes.errors.Unavailable` where the store did not confirm.
        """

    def feed(self, feed: Feed) -> None:
        """Begin to hand over what is published from now on, by any process."""

    def read(self, after: int, max_events: int, max_bytes: int) -> Page:
        """The log above ``after``: at most so many events and bytes of records, but at least one event if there is any.

        ``page.last`` is the number of its last event if more may follow, else the tip. Raises
        :class:`~hermes.errors.Unavailable`.
        """

    def tip(self, streams: int = 0) -> Tip:
        """The tip, and the sum of streams over the fleet; ``streams`` is how many this process holds.

        Also removes a few events that are over a bound. Asked once a second by each process; raises
        :class:`~hermes.errors.Unavailable` within a second or two where the store does not answer.
        """

    def retained(self, items: Collection[str]) -> Snapshot:
        """The retained state of the channels that ``items`` (names and patterns) select, with the tip of that moment."""

    def close(self) -> None:
        """Stop feeding and let go of the store. Idempotent."""
