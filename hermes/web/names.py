"""Names in addresses: a channel or a user whose name holds ``/`` or ``%`` is percent-encoded as one part of the path."""

from __future__ import annotations

from urllib.parse import unquote

from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Request


class NameConverter(BaseConverter):
    """Part of a path, slashes and all: ``<name:channel>`` in a route, which then must not merge slashes."""

    regex = ".+?"
    part_isolating = False
    weight = 300


def takes_names(blueprint: Blueprint) -> None:
    """Let the routes of ``blueprint`` hold names; to be called before they are added."""

    def add(state: BlueprintSetupState) -> None:
        state.app.url_map.converters["name"] = NameConverter

    blueprint.record(add)


def ends_with_part(request: Request, part: str) -> bool:
    """Whether the path ends with ``/part``, and not with a name that ends so: ``%2F`` divides nothing (RFC 3986, 2.2).

    A server that keeps only the decoded path cannot tell; there it does.
    """
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    path = str(raw).partition("?")[0] if raw else request.path
    return unquote(path.rpartition("/")[2]) == part
