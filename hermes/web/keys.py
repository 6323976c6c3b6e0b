"""API keys: made, listed and revoked by administrators, at ``/api/v1/keys``."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.wrappers import Request

from hermes.access.guard import ADMIN, guarded
from hermes.access.key_fields import new_key
from hermes.core.clock import milliseconds
from hermes.errors import invalid
from hermes.observe.audit import KEY_CREATE, KEY_REVOKE
from hermes.web.body import read_body
from hermes.web.json import json_response
from hermes.web.requests import current_call

blueprint = Blueprint("keys", __name__)

PATH = "/api/v1/keys"
LIST_NAMES = frozenset({"after", "limit"})
MAX_PAGE = 200
PAGE = 50


@blueprint.post(PATH)
@guarded(ADMIN)
def create() -> Response:
    """Make an API key. The key itself is in this answer and nowhere else."""
    call = current_call()
    asked = new_key(_object(request), milliseconds(call.runtime.clock.now()))
    key, text = call.runtime.keys.create(asked.name, asked.grants, asked.expires_at)
    call.runtime.audit.note(KEY_CREATE, call.principal.id, call.address.text, key.id, detail=key.name)
    return json_response({**key.as_dict(), "key": text}, 201)


@blueprint.get(PATH)
@guarded(ADMIN)
def page() -> Response:
    """The API keys, without the keys themselves: first those of the settings or the installation, then the newest."""
    unknown = sorted(set(request.args) - LIST_NAMES)
    if unknown:
        raise invalid(unknown[0][:64], "unknown parameter; use after, limit")
    keys, after = current_call().runtime.keys.page(request.args.get("after") or None, _limit(request.args.get("limit")))
    return json_response({"items": [key.as_dict() for key in keys], "next": after})


@blueprint.get(f"{PATH}/<id>")
@guarded(ADMIN)
def one(id: str) -> Response:
    """One API key, whether it counts or not."""
    return json_response(current_call().runtime.keys.get(id).as_dict())


@blueprint.delete(f"{PATH}/<id>")
@guarded(ADMIN)
def revoke(id: str) -> Response:
    """Revoke an API key: it counts no more in any process, and its streams end."""
    call = current_call()
    call.runtime.keys.revoke(id)
    call.runtime.audit.note(KEY_REVOKE, call.principal.id, call.address.text, id)
    return Response(status=204)


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_PAGE):
        raise invalid("limit", f"must be a whole number from 1 to {MAX_PAGE}")
    return int(text)


def _object(request: Request) -> dict[str, Any]:
    try:
        value = orjson.loads(read_body(request))
    except ValueError as error:
        raise invalid("body", f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise invalid("body", "must be a JSON object")
    return value
