"""The dashboard's pages, signing in and out, and the static files."""

from __future__ import annotations

from pathlib import Path
from posixpath import normpath
from urllib.parse import parse_qs

import structlog
from flask import Blueprint, Response, g, redirect, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from hermes.access.guard import ANYONE, OPEN, guarded, is_own_origin
from hermes.access.principal import ANONYMOUS_ID, Principal
from hermes.access.signin import COOKIE, SESSION_LIFETIME
from hermes.errors import Forbidden, NotFound, Unavailable, invalid
from hermes.observe.audit import SIGN_IN, SIGN_OUT
from hermes.web.body import read_body
from hermes.web.headers import PAGE_POLICY
from hermes.web.requests import current_runtime

log = structlog.get_logger(__name__)

blueprint = Blueprint("pages", __name__)

OWN_PAGES = ("dashboard/", "docs/")
"""Folders of our own pages; others are a team's, who put them there to be looked at."""

MAX_FIELDS = 10
"""Fields of a form."""


def static_folder() -> Path:
    """Where the static files are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "static"
    return inside if inside.is_dir() else package.parent / "static"


@blueprint.get("/")
@guarded(OPEN)
def root() -> AnyResponse:
    """The way in."""
    return redirect("/dashboard", 302)


@blueprint.get("/dashboard")
@guarded(ANYONE)
def dashboard() -> AnyResponse:
    """The dashboard for who is signed in; with a code in the link, the signing in; else the form for it."""
    code = request.args.get("code")
    if code is not None:
        signin = current_runtime().guard.signin
        return _signed_in(signin.cookie() if signin.use(code) else None, "link")
    return _page("index.html") if g.principal.admin else _page("signin.html", 401)


@blueprint.post("/dashboard/signin")
@guarded(OPEN)
def sign_in() -> AnyResponse:
    """Sign in with an API key."""
    _same_origin()
    runtime = current_runtime()
    runtime.limits.check(runtime.limits.address(request.environ))
    return _signed_in(runtime.guard.signin.cookie_for(_field("key").strip()), "key")


@blueprint.get("/dashboard/signin")
@guarded(OPEN)
def sign_in_page() -> AnyResponse:
    """Where a reload of a refused sign-in leads."""
    return redirect("/dashboard", 302)


@blueprint.post("/dashboard/signout")
@guarded(OPEN)
def sign_out() -> AnyResponse:
    """End the session, with its streams, wherever its cookie is; this browser forgets it in any case."""
    _same_origin(needed=True)
    runtime = current_runtime()
    session = runtime.guard.session(request)
    if session is not None:
        detail = "" if _end(session) else "other processes could not be told: its cookie may count until it expires"
        runtime.audit.note(SIGN_OUT, session.id, runtime.limits.address(request.environ).text, "", detail=detail)
    response = redirect("/dashboard", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
    return response


@blueprint.get("/static/<path:name>")
@guarded(OPEN)
def static(name: str) -> AnyResponse:
    """The client and the dashboard's files; scripts may be imported from anywhere."""
    if name.endswith(".html") and normpath(name).startswith(OWN_PAGES):
        raise NotFound("a page has an address of its own")  # which asks who is there, and says what may run in it
    response = send_from_directory(static_folder(), name, conditional=True, max_age=0)
    response.headers["Cache-Control"] = "no-cache"
    return _for_all(response) if name.endswith(".js") else response


@blueprint.get("/favicon.ico")
@guarded(OPEN)
def icon() -> AnyResponse:
    """What browsers ask for by themselves."""
    return static("dashboard/favicon.svg")


@blueprint.get("/api/v1/hermes.js")
@guarded(OPEN)
def client() -> AnyResponse:
    """The client, by the address of its API: a redirect to the module, so that its own imports resolve."""
    return _for_all(redirect("/static/hermes.js", 302))


def _for_all(response: AnyResponse) -> AnyResponse:
    """Let pages of any origin import it; a redirect on the way is held to that, too (Fetch standard, section 4.3)."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _signed_in(cookie: str | None, by: str) -> AnyResponse:
    """To the dashboard with a session, or to the form again; ``by`` says what was shown, a key or a link."""
    runtime = current_runtime()
    address = runtime.limits.address(request.environ)
    session = runtime.guard.signin.principal(cookie) if cookie else None
    if session is None or cookie is None:
        runtime.limits.failed(address)
        runtime.audit.note(SIGN_IN, ANONYMOUS_ID, address.text, by, Forbidden.code, detail=f"the {by} does not count")
        return _page("signin.html", 403)
    runtime.audit.note(SIGN_IN, session.id, address.text, by, detail=session.key_id or "")
    response = redirect("/dashboard", 303)
    response.set_cookie(
        COOKIE, cookie, max_age=SESSION_LIFETIME, httponly=True, samesite="Strict", secure=request.is_secure
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _end(session: Principal) -> bool:
    """Whether the session counts no more in any process."""
    if session.token_id is None or session.expires_at is None:
        return False
    try:
        current_runtime().tokens.revoke(session.token_id, session.expires_at)
    except (Unavailable, Forbidden) as error:
        log.warning("a session was not ended everywhere", session=session.id, error=str(error))
        return False
    return True


def _field(name: str) -> str:
    """A field of the form, which is read with the same bounds as any body: Flask's own way waits for ever."""
    try:
        fields = parse_qs(read_body(request).decode("ascii"), max_num_fields=MAX_FIELDS)
    except ValueError:
        raise invalid("body", "must be a form of few fields (application/x-www-form-urlencoded)") from None
    return fields.get(name, [""])[0]


def _page(name: str, status: int = 200) -> Response:
    response = send_from_directory(static_folder() / "dashboard", name, max_age=0)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def _same_origin(*, needed: bool = False) -> None:
    """Refuse a write of another origin's page, and where an origin is ``needed`` one of no page at all."""
    origin = request.headers.get("Origin")
    if needed if origin is None else not is_own_origin(request, origin):
        raise Forbidden("only a page of Hermes itself may do this")
