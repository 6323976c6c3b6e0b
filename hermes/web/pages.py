"""The dashboard's pages, signing in and out, and the static files."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, g, redirect, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from hermes.access.guard import ANYONE, OPEN, guarded
from hermes.access.signin import COOKIE, SESSION_LIFETIME
from hermes.errors import Forbidden
from hermes.web.requests import current_runtime

blueprint = Blueprint("pages", __name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

REFERRER_POLICY = "same-origin"
"""The code in a link leaks to nobody; with "no-referrer" Chromium would send forms with ``Origin: null``."""


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
        if not current_runtime().guard.signin.use(code):
            return _page("signin.html", 403)
        return _signed_in()
    return _page("index.html") if g.principal.admin else _page("signin.html", 401)


@blueprint.post("/dashboard/signin")
@guarded(OPEN)
def sign_in() -> AnyResponse:
    """Sign in with an API key."""
    _same_origin()
    key = request.form.get("key", "")
    principal = current_runtime().guard.keys.principal(key.strip())
    return _signed_in() if principal is not None and principal.admin else _page("signin.html", 403)


@blueprint.get("/dashboard/signin")
@guarded(OPEN)
def sign_in_page() -> AnyResponse:
    """Where a reload of a refused sign-in leads."""
    return redirect("/dashboard", 302)


@blueprint.post("/dashboard/signout")
@guarded(OPEN)
def sign_out() -> AnyResponse:
    """Forget the session in this browser."""
    _same_origin()
    response = redirect("/dashboard", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
    return response


@blueprint.get("/static/<path:name>")
@guarded(OPEN)
def static(name: str) -> Response:
    """The client and the dashboard's files; scripts may be imported from anywhere."""
    response = send_from_directory(static_folder(), name, conditional=True, max_age=0)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if name.endswith(".js"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@blueprint.get("/favicon.ico")
@guarded(OPEN)
def icon() -> Response:
    """What browsers ask for by themselves."""
    return static("dashboard/favicon.svg")


@blueprint.get("/api/v1/hermes.js")
@guarded(OPEN)
def client() -> AnyResponse:
    """The client, by the address of its API: a redirect to the module, so that its own imports resolve."""
    return redirect("/static/hermes.js", 302)


def _signed_in() -> AnyResponse:
    response = redirect("/dashboard", 303)
    response.set_cookie(
        COOKIE,
        current_runtime().guard.signin.cookie(),
        max_age=SESSION_LIFETIME,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    response.headers["Referrer-Policy"] = REFERRER_POLICY
    return response


def _page(name: str, status: int = 200) -> Response:
    response = send_from_directory(static_folder() / "dashboard", name, max_age=0)
    response.status_code = status
    response.headers.update(
        {
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": REFERRER_POLICY,
            "Cross-Origin-Opener-Policy": "same-origin",
        }
    )
    return response


def _same_origin() -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise Forbidden("sign in from Hermes' own page")
