"""The API described: for programs as an OpenAPI document, for people as a page made of it."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, send_from_directory

from hermes.access.guard import KNOWN, guarded
from hermes.web.headers import PAGE_POLICY
from hermes.web.json import json_response
from hermes.web.openapi.document import document
from hermes.web.pages import static_folder
from hermes.web.requests import current_runtime

blueprint = Blueprint("reference", __name__)


@blueprint.get("/api/v1/openapi.json")
@guarded(KNOWN)
def openapi() -> Response:
    """The whole API as an OpenAPI document."""
    return json_response(document(current_app, current_runtime().settings))


@blueprint.get("/docs")
@guarded(KNOWN)
def page() -> Response:
    """The same for people."""
    response = send_from_directory(static_folder() / "docs", "index.html", max_age=0)
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response
