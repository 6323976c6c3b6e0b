"""Every exception that Hermes raises on purpose, in one tree.

HermesError
├── SettingsError             a setting is missing or bad; said once, at start
├── RequestError              an answer to a caller; has an HTTP status and a code
│   ├── InvalidInput          400: names each field and the remedy
│   ├── Unauthorized          401
│   ├── Forbidden             403
│   ├── NotFound              404
│   ├── MethodNotAllowed      405
│   ├── Conflict              409: an idempotency key came back with another body
│   ├── TooLarge              413
│   └── Retryable             503 or 429: the same request may succeed later
│       ├── Unavailable       503: the store did not say that it stored
│       ├── Draining          503
│       ├── TooManyConnections 503
│       ├── SseDisabled       503
│       └── RateLimited       429
├── RunConflict               what a run has become forbids what is asked of it
└── StoreError                a store that Hermes cannot work with (Redis Cluster, eviction, a held lock)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one field of the input."""

    field: str
    message: str
    index: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The problem as it stands in an error's ``details``."""
        fields: dict[str, Any] = {"field": self.field, "message": self.message}
        if self.index is not None:
            fields["index"] = self.index
        return fields


class HermesError(Exception):
    """The root of the tree."""


class SettingsError(HermesError):
    """A setting is missing or has a bad value; the text is one sentence for the operator."""


class StoreError(HermesError):
    """The store cannot be used as it is; the text says what to change."""


class RunConflict(HermesError):
    """A run has ended otherwise, has not ended yet, or has an id that is wanted for another one."""


class RequestError(HermesError):
    """Something to tell a caller: ``status`` for HTTP, ``code`` for programs, the text for people."""

    status = 400
    code = "BAD_REQUEST"

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """The one JSON shape of an error."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


class InvalidInput(RequestError):
    """The input breaks a rule; ``problems`` has an entry for each field."""

    code = "INVALID_INPUT"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        where = first.field if first.index is None else f"events[{first.index}].{first.field}"
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{where}: {first.message}{more}", [problem.as_dict() for problem in self.problems])


def invalid(field: str, message: str) -> InvalidInput:
    """The error for one bad field."""
    return InvalidInput([Problem(field, message)])


class Unauthorized(RequestError):
    """No credentials, or none that count."""

    status = 401
    code = "UNAUTHORIZED"


class Forbidden(RequestError):
    """The caller is known and may not do this."""

    status = 403
    code = "FORBIDDEN"


class NotFound(RequestError):
    """There is nothing at this address, or nothing that the caller may know of."""

    status = 404
    code = "NOT_FOUND"


class MethodNotAllowed(RequestError):
    """The address exists; the method does not."""

    status = 405
    code = "METHOD_NOT_ALLOWED"


class Conflict(RequestError):
    """The same idempotency key was used with another body."""

    status = 409
    code = "IDEMPOTENCY_CONFLICT"


class TooLarge(RequestError):
    """The body or an event is over its limit."""

    status = 413
    code = "TOO_LARGE"


class Retryable(RequestError):
    """A refusal that a later try can cure; ``retry_after`` is in seconds."""

    status = 503
    code = "UNAVAILABLE"
    retry_after = 2.0


class Unavailable(Retryable):
    """The store did not confirm: what was sent is not known to be stored."""


class Draining(Retryable):
    """This process is about to stop."""

    code = "DRAINING"


class TooManyConnections(Retryable):
    """Every connection slot is taken."""

    code = "MAX_CONNECTIONS"
    retry_after = 15.0


class SseDisabled(Retryable):
    """``HERMES_ENABLE_SSE=false``: reading and polling go on."""

    code = "SSE_DISABLED"
    retry_after = 60.0


class RateLimited(Retryable):
    """Too many requests."""

    status = 429
    code = "RATE_LIMITED"
