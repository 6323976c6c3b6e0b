"""The one guard: finds the principal of a request, and holds each route to what it declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from hermes.access.principal import Principal, anonymous
from hermes.access.signin import COOKIE, SignIn
from hermes.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from hermes.access.keys import KeyRing
    from hermes.access.tokens import Tokens

View = TypeVar("View", bound=Callable[..., Any])

OPEN, ANYONE, KNOWN, TOKENS, ADMIN = "open", "anyone", "known", "tokens", "admin"
"""What a route may declare: no look at credentials; credentials that count, or none; any credentials; the right to mint tokens;
an administrator."""

TOKEN_COOKIE = "hermes_token"  # noqa: S105 - a name
TOKEN_QUERY = "token"  # noqa: S105 - a name

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def guarded(level: str, *, stream: bool = False) -> Callable[[View], View]:
    """Declare who may call a view. The query of a ``stream`` may carry a token, because EventSource cannot set headers.

    A test fails on a route that declares nothing.
    """

    def mark(view: View) -> View:
        view.guard = level  # type: ignore[attr-defined]
        view.is_stream = stream  # type: ignore[attr-defined]
        return view

    return mark


class Guard:
    """Looks at the credentials of each request."""

    def __init__(self, keys: KeyRing, tokens: Tokens, signin: SignIn, public_channels: tuple[str, ...]) -> None:
        self.keys = keys
        self.tokens = tokens
        self.signin = signin
        self._anonymous = anonymous(public_channels)

    def principal(self, request: Request, *, query_token: bool = False) -> Principal:
        """Who is calling. Credentials that do not count are an error, never an anonymous caller.

        A header comes before the query, and that before cookies, which a browser sends by itself.
        """
        shown = _shown(request)
        if shown is not None:
            return self._bearer(shown)
        token = request.args.get(TOKEN_QUERY) if query_token else None
        if token is not None:
            return self.tokens.principal(token)
        principal = self.session(request) or self._cookie(request)
        if principal is None:
            return self._anonymous
        _refuse_other_origins(request)
        return principal

    def session(self, request: Request) -> Principal | None:
        """Who has signed in to the dashboard in this browser, if the session still counts."""
        cookie = request.cookies.get(COOKIE)
        principal = self.signin.principal(cookie) if cookie else None
        if principal is None or (principal.token_id is not None and not self.tokens.counts(principal.token_id)):
            return None
        return principal

    def _bearer(self, shown: str) -> Principal:
        principal = self.keys.principal(shown)
        if principal is not None:
            return principal
        if shown.count(".") == 2:  # the compact form of a JWT (RFC 7519, section 3)
            return self.tokens.principal(shown)
        raise Unauthorized(
            "the API key is not known here: the server accepts those of HERMES_API_KEYS, those of 'hermes keys', or else the "
            "one in the file admin.key of its data folder"
        )

    def _cookie(self, request: Request) -> Principal | None:
        token = request.cookies.get(TOKEN_COOKIE)
        return replace(self.tokens.principal(token), by_cookie=True) if token else None

    def check(self, level: str, principal: Principal) -> None:
        """Raise :class:`~hermes.errors.Unauthorized` or ``Forbidden`` where ``principal`` may not call a route of that level."""
        if level in (OPEN, ANYONE) or principal.admin:
            return
        if principal.anonymous:
            raise Unauthorized("this needs credentials: send 'Authorization: Bearer <key>' or 'X-API-Key: <key>'")
        if level == ADMIN:
            raise Forbidden("this needs an administrator's key")
        if level == TOKENS and not principal.grants.tokens:
            raise Forbidden("this needs a key with the right to mint tokens")


def _shown(request: Request) -> str | None:
    """The key or token in a header of the caller's; an empty one is a mistake (an unset variable), never an anonymous caller."""
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
    if origin is None or not is_own_origin(request, origin):
        raise Forbidden("a session of the dashboard only writes from its own pages: use an API key instead")


def is_own_origin(request: Request, origin: str) -> bool:
    """Whether a page of ``origin`` is one of ours: it is from the host and port that ``request`` asks. ``null`` has no host.

    Not by its scheme, which only the outermost proxy knows. Werkzeug gives no host for a name that the standards do not know,
    such as one with ``_``; browsers open those all the same.
    """
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(host) and host in (request.host, request.headers.get("Host"))
