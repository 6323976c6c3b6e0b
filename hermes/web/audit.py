"""The audit, to be read by administrators: ``/api/v1/audit``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from hermes.access.guard import ADMIN, guarded
from hermes.core.clock import iso_time
from hermes.errors import invalid
from hermes.observe.tallies import MOST_TEXT, Entry
from hermes.streaming.query import number
from hermes.web.json import json_response
from hermes.web.requests import current_runtime

blueprint = Blueprint("audit", __name__)

FILTERS = ("action", "principal", "outcome")
NAMES = frozenset({*FILTERS, "limit", "after"})
MAX_LIMIT = 1000

MAX_ID = 2**63 - 1
"""The greatest number that the column holds."""


@blueprint.get("/api/v1/audit")
@guarded(ADMIN)
def read() -> Response:
    """Who did what and how often, and who was refused and why, the newest first."""
    args = request.args
    unknown = sorted(set(args) - NAMES)
    if unknown:
        raise invalid(unknown[0][:64], f"unknown parameter; use {', '.join(sorted(NAMES))}")
    filters = {name: _text(name, args[name]) for name in FILTERS if args.get(name)}
    limit = int(number(args, "limit", 100, 1, MAX_LIMIT))
    entries = current_runtime().audit.entries(filters, _before(args.get("after")), limit + 1)
    following = str(entries[limit - 1].id) if len(entries) > limit else None
    return json_response({"items": [_item(entry) for entry in entries[:limit]], "next": following})


def _text(name: str, value: str) -> str:
    if len(value) > MOST_TEXT or not value.isprintable():
        raise invalid(name, f"must have at most {MOST_TEXT} characters that can be printed")
    return value


def _before(after: str | None) -> int | None:
    if not after:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 20 and int(after) <= MAX_ID):
        raise invalid("after", "must be what 'next' of the page before said")
    return int(after)


def _item(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": iso_time(entry.at),
        "action": entry.action,
        "principal": entry.principal,
        "address": entry.address,
        "target": entry.target,
        "outcome": entry.outcome,
        "count": entry.count,
        "detail": entry.detail,
    }
