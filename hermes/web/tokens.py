"""Tokens: minted by keys with the right to, and revoked, at ``/api/v1/tokens``."""

from __future__ import annotations

from flask import Blueprint, Response

from hermes.access.guard import TOKENS, guarded
from hermes.access.token_fields import NAMES, new_token
from hermes.core.clock import iso_time
from hermes.observe.audit import TOKEN_MINT, TOKEN_REVOKE
from hermes.web.body import read_object
from hermes.web.json import json_response
from hermes.web.requests import current_call

blueprint = Blueprint("tokens", __name__)

PATH = "/api/v1/tokens"


@blueprint.post(PATH)
@guarded(TOKENS)
def mint() -> Response:
    """Mint a token, never beyond what its minter may do. The token itself is in this answer and nowhere else."""
    call = current_call()
    runtime, principal = call.runtime, call.principal
    asked = new_token(read_object(call.request, NAMES), runtime.settings.token_max_ttl)
    made = runtime.tokens.mint(principal, asked.user_id, asked.grants.subscribe, asked.grants.publish, asked.ttl)
    runtime.audit.note(TOKEN_MINT, principal.id, call.address.text, made.jti, detail=asked.user_id or "")
    return json_response(
        {"token": made.token, "jti": made.jti, "expires_at": iso_time(made.expires_at * 1000)},
        201,
    )


@blueprint.delete(f"{PATH}/<jti>")
@guarded(TOKENS)
def revoke(jti: str) -> Response:
    """Revoke a token: it counts no more in any process, and its streams end. Keys revoke what they minted themselves."""
    call = current_call()
    call.runtime.tokens.revoke_by(call.principal, jti)
    call.runtime.audit.note(TOKEN_REVOKE, call.principal.id, call.address.text, jti)
    return Response(status=204)
