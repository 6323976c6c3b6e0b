"""The publisher: from what a caller wrote to stored events, the same way for HTTP, Python and the shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from hermes.core.clock import Clock, milliseconds
from hermes.core.cursor import Cursor
from hermes.core.event import Event, event_from_fields
from hermes.errors import InvalidInput, Problem

MAX_BATCH = 1000


class Once(NamedTuple):
    """An idempotency key, already scoped by its caller and hashed, and a digest of what it was used for."""

    key: str
    digest: str


class Store(Protocol):
    """Where a publisher's events go: a broker, or a Hermes over HTTP."""

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        """Store all of ``events`` or none, and answer the cursor of each."""


class Publisher:
    """Checks, encodes and publishes events. ``internal`` publishers may use reserved types and channels."""

    def __init__(self, store: Store, clock: Clock, *, internal: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._internal = internal

    def publish(
        self,
        channel: str | Sequence[str],
        data: Any = None,
        *,
        type: str = "message",
        key: str | None = None,
        ttl: float | None = None,
        exclude: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> str:
        """Publish one event and answer its id.

        ``channel`` is a name or up to ten; ``data`` anything that JSON can hold; ``key`` makes it retained state (``None``
        data removes it); ``ttl`` in seconds ends its replay; ``exclude`` has connection ids. Raises
        :class:`~hermes.errors.InvalidInput`, :class:`~hermes.errors.Conflict` or :class:`~hermes.errors.Unavailable`.
        """
        fields: dict[str, Any] = {"type": type, "data": data}
        fields["channel" if isinstance(channel, str) else "channels"] = channel
        optional = {"key": key, "ttl": ttl, "exclude": list(exclude) or None, "idempotency_key": idempotency_key}
        fields.update({name: value for name, value in optional.items() if value is not None})
        return str(self.publish_batch([fields])[0])

    def publish_batch(
        self,
        batch: Sequence[Any],
        *,
        scope: str = "",
        idempotency_key: str | None = None,
        permit: Callable[[Sequence[Event]], None] | None = None,
    ) -> list[Cursor]:
        """Publish up to 1,000 events, given as in the HTTP API, all or none, and answer the cursor of each.

        Idempotency keys count within ``scope`` (who publishes). Every bad event is named before anything is published; then
        ``permit`` is asked, and raises where it does not let these events pass.
        """
        events = self._checked(batch)
        if permit is not None:
            permit(events)
        digests = [_digest(event) for event in events] if idempotency_key or _any_keys(batch) else []
        each = {
            index: Once(_scoped(scope, fields["idempotency_key"]), digests[index].hex())
            for index, fields in enumerate(batch)
            if digests and fields.get("idempotency_key")
        }
        once = None
        if idempotency_key:
            once = Once(_scoped(scope, f"\0{idempotency_key}"), _hash(*digests))
        return self._store.publish(events, once, each)

    def _checked(self, batch: Sequence[Any]) -> list[Event]:
        if not 1 <= len(batch) <= MAX_BATCH:
            raise InvalidInput([Problem("events", f"a call has 1 to {MAX_BATCH} events, got {len(batch)}: split it")])
        now_ms = milliseconds(self._clock.now())
        events, problems = [], []
        for index, fields in enumerate(batch):
            try:
                events.append(event_from_fields(fields, now_ms, internal=self._internal))
            except InvalidInput as error:
                where = index if len(batch) > 1 else None
                problems += [Problem(problem.field, problem.message, where) for problem in error.problems]
        if problems:
            raise InvalidInput(problems)
        return events


def _any_keys(batch: Sequence[Any]) -> bool:
    return any(fields.get("idempotency_key") for fields in batch)


def _scoped(scope: str, key: str) -> str:
    return _hash(scope.encode(), key.encode())


def _digest(event: Event) -> bytes:
    """What makes two events the same to an idempotency key: all but the time."""
    unstamped = Event(event.channels, event.type, event.data, 0, event.key, event.ttl, event.exclude)
    return blake2b(unstamped.record(), digest_size=16).digest()


def _hash(*parts: bytes) -> str:
    joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(joined, digest_size=16).hexdigest()
