"""The limits, and whom they refuse, for administrators: ``/api/v1/limits``."""

from __future__ import annotations

from flask import Blueprint, Response

from hermes.access.guard import ADMIN, guarded
from hermes.web.json import json_response
from hermes.web.requests import current_runtime

blueprint = Blueprint("limits", __name__)


@blueprint.get("/api/v1/limits")
@guarded(ADMIN)
def read() -> Response:
    """The limits in force, and whom all processes refused in the last minute."""
    return json_response(current_runtime().limits_overview.status())
