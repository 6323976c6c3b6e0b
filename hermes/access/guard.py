"""The one guard: finds the principal of a request, and holds each route to what it declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from hermes.access.keys import ApiKeys
from hermes.access.principal import Principal, anonymous
from hermes.access.signin import COOKIE, SignIn
from hermes.errors import Forbidden, Unauthorized

View = TypeVar("View", bound=Callable[..., Any])

OPEN, ANYONE, ADMIN = "open", "anyone", "admin"
"""What a route may declare: no look at credentials; credentials that count, or none; an administrator."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def guarded(level: str) -> Callable[[View], View]:
    """Declare who may call a view; a test fails on a route that declares nothing."""

    def mark(view: View) -> View:
        view.guard = level  # type: ignore[attr-defined]
        return view

    return mark


class Guard:
    """Looks at the credentials of each request."""

    def __init__(self, keys: ApiKeys, signin: SignIn, public_channels: tuple[str, ...]) -> None:
        self.keys = keys
        self.signin = signin
        self._anonymous = anonymous(public_channels)

    def admit(self, level: str, request: Request) -> Principal:
        """Who is calling, if they may call a route of this ``level``; raises what :meth:`principal` and :meth:`check` do."""
        principal = self.principal(request)
        self.check(level, principal)
        return principal

    def principal(self, request: Request) -> Principal:
        """Who is calling. Credentials that do not count are an error, never an anonymous caller."""
        key = _shown_key(request)
        if key is not None:
            principal = self.keys.principal(key)
            if principal is None:
                raise Unauthorized(
                    "the API key is not known here: the server accepts those of HERMES_API_KEYS, or else the one in the file "
                    "admin.key of its data folder"
                )
            return principal
        cookie = request.cookies.get(COOKIE)
        principal = self.signin.principal(cookie) if cookie else None
        if principal is not None:
            _refuse_other_origins(request)
            return principal
        return self._anonymous

    def check(self, level: str, principal: Principal) -> None:
        """Raise :class:`~hermes.errors.Unauthorized` or ``Forbidden`` where ``principal`` may not call such a route."""
        if level == ADMIN and not principal.admin:
            if principal.anonymous:
                raise Unauthorized(
                    "this needs an API key: send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
                )
            raise Forbidden("this needs an administrator's key")


def _shown_key(request: Request) -> str | None:
    """The key that the caller shows; an empty one is a mistake (an unset variable), never an anonymous caller."""
    authorization, header = request.headers.get("Authorization"), request.headers.get("X-API-Key")
    if authorization is not None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return value.strip()
    return header


def _refuse_other_origins(request: Request) -> None:
    """A cookie comes along by itself: a write with it must come from our own pages (Fetch standard: Origin)."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    if origin is None or _host(origin) != request.host:
        raise Forbidden("a session of the dashboard only writes from its own pages: use an API key instead")


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
